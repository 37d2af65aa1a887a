// The loops for AVX2 and BMI2.
#if defined(__x86_64__)
#include "Table.h"

#define TABLE codec_avx2
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2"))), apply_to = function)
#include "Bodies/Bodies.h"
#pragma clang attribute pop
#endif
