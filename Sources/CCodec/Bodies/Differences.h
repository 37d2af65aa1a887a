// Differences of words in the order of their values, and words sorted by what the base says of them.

#define WORD uint8_t
#define SIGNED int8_t
#define NAME(name) name##_8
#include "DifferencesOfWidth.h"
#undef WORD
#undef SIGNED
#undef NAME

#define WORD uint16_t
#define SIGNED int16_t
#define NAME(name) name##_16
#include "DifferencesOfWidth.h"
#undef WORD
#undef SIGNED
#undef NAME

#define WORD uint32_t
#define SIGNED int32_t
#define NAME(name) name##_32
#include "DifferencesOfWidth.h"
#undef WORD
#undef SIGNED
#undef NAME

/// The function for words of `width` bytes.
#define FOR_WIDTH(width, name, ...)                  \
    do {                                             \
        if ((width) == 1) name##_8(__VA_ARGS__);     \
        else if ((width) == 2) name##_16(__VA_ARGS__); \
        else name##_32(__VA_ARGS__);                 \
    } while (0)

static void difference(void *differences, const void *block, const void *base, size_t n, pawl_words words) {
    FOR_WIDTH(words.width, difference, differences, block, base, n, words.is_float);
}

static void difference_apply(void *onto, const void *differences, size_t n, pawl_words words) {
    FOR_WIDTH(words.width, apply, onto, differences, n, words.is_float);
}

static void contexts(uint8_t *contexts, const void *base, size_t n, pawl_words words) {
    FOR_WIDTH(words.width, fields, contexts, base, n, words.field_shift, words.field_mask);
}

static void contexts_index(pawl_contexts_order *order, const uint8_t *contexts, size_t n) {
    const size_t quarter = n / 4;
    uint32_t(*counts)[256] = order->starts;
    memset(order, 0, sizeof *order);
    for (size_t i = 0; i < quarter; i++) {
        for (size_t part = 0; part < 4; part++) counts[part][contexts[part * quarter + i]]++;
    }
    for (size_t i = 4 * quarter; i < n; i++) counts[3][contexts[i]]++;
    uint32_t place = 0;
    for (size_t context = 0; context < 256; context++) {
        for (size_t part = 0; part < 4; part++) {
            const uint32_t count = counts[part][context];
            order->counts[context] += count;
            order->starts[part][context] = place;
            place += count;
        }
    }
}

static void contexts_sort(
    void *sorted, const void *values, const uint8_t *contexts, size_t n, int width,
    const pawl_contexts_order *order) {
    FOR_WIDTH(width, sort, sorted, values, contexts, n, order);
}

static void contexts_unsort(
    void *values, const void *sorted, const uint8_t *contexts, size_t n, int width,
    const pawl_contexts_order *order) {
    FOR_WIDTH(width, unsort, values, sorted, contexts, n, order);
}
