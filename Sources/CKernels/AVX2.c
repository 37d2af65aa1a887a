// The kernels for AVX2 and FMA.
#if defined(__x86_64__)
#include <stdint.h>
#define WIDTH 8
#define REGISTERS 16
#define HAS_FMA 1
#define TABLE kernels_avx2
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "Bodies/Bodies.h"
#pragma clang attribute pop
#endif
