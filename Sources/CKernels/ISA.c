#include "Table.h"

extern const kernel_table kernels_baseline;
#if defined(__x86_64__)
extern const kernel_table kernels_avx2, kernels_avx512;
#endif

bool pawl_isa_available(pawl_isa isa) {
    switch (isa) {
    case PAWL_ISA_BASELINE:
    case PAWL_ISA_BEST:
        return true;
#if defined(__x86_64__)
    // These ask the operating system too whether it keeps the registers.
    case PAWL_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case PAWL_ISA_AVX512:
        return pawl_isa_available(PAWL_ISA_AVX2) && __builtin_cpu_supports("avx512f")
            && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
            && __builtin_cpu_supports("avx512vl");
#endif
    default:
        return false;
    }
}

const kernel_table *kernels_for(pawl_isa isa) {
#if defined(__x86_64__)
    if (isa == PAWL_ISA_AVX512) return &kernels_avx512;
    if (isa == PAWL_ISA_AVX2) return &kernels_avx2;
#endif
    (void)isa;
    return &kernels_baseline;
}
