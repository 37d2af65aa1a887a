// The kernels for AVX-512.
#if defined(__x86_64__)
#include <stdint.h>
#define WIDTH 16
#define REGISTERS 32
#define HAS_FMA 1
#define TABLE kernels_avx512
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#include "Bodies/Bodies.h"
#pragma clang attribute pop
#endif
