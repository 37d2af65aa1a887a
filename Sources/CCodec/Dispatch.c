// The functions of CCodec.h: those that are no loops, and the loops of the best instruction set that there is.
#include "Table.h"

extern const codec_table codec_baseline;

#if defined(__x86_64__) && !defined(PAWL_CODEC_BASELINE)
extern const codec_table codec_avx2;

/// AVX2 and BMI2 read 10 to 25% faster than SSE2. These ask the operating system too whether it keeps the registers.
static const codec_table *table(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? &codec_avx2 : &codec_baseline;
}
#else
static const codec_table *table(void) { return &codec_baseline; }
#endif

#define CALL(name, result, parameters, arguments) \
    result pawl_##name parameters { return table()->name arguments; }
CODEC_LOOPS(CALL)

size_t pawl_rest_size(size_t n, int rest_bits) { return rest_bits == 8 ? n : (n + 3) / 4 * 3; }

bool pawl_token_form_is_valid(pawl_token_form form) {
    return form.leading >= 0 && form.leading <= form.direct && form.direct <= 7
        && (1 << form.direct) + ((32 - form.direct) << form.leading) <= 256;
}

void pawl_bits_finish(pawl_bits *bits) {
    memcpy(bits->bytes + bits->size, &bits->pending, 8);
    bits->size += (size_t)(bits->pending_bits + 7) / 8;
    bits->pending = 0;
    bits->pending_bits = 0;
}
