// Vectors of the instruction set that the including file compiles for: WIDTH floats, one name each for the types and
// operations that the kernels are written in. Included once by each of Baseline.c, AVX2.c and AVX512.c, which define
// WIDTH, REGISTERS (vector registers) and HAS_FMA.

#include <float.h>
#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(4 * WIDTH)));
typedef int32_t vi __attribute__((vector_size(4 * WIDTH)));
typedef uint32_t vu __attribute__((vector_size(4 * WIDTH)));
typedef uint16_t vh __attribute__((vector_size(2 * WIDTH)));
typedef double vd __attribute__((vector_size(8 * WIDTH)));
// The same at any address.
typedef float vf_any __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));
typedef uint16_t vh_any __attribute__((vector_size(2 * WIDTH), aligned(2), may_alias));

INLINE vf splat(float x) { return x - (vf){}; }
INLINE vf load(const float *p) { return *(const vf_any *)p; }
INLINE void store(float *p, vf x) { *(vf_any *)p = x; }

/// The first `left` elements, `fill` after them.
INLINE vf load_some(const float *p, intptr_t left, float fill) {
    if (left >= WIDTH) return load(p);
    vf x = splat(fill);
    memcpy(&x, p, (size_t)left * sizeof(float));
    return x;
}
INLINE void store_some(float *p, vf x, intptr_t left) {
    if (left >= WIDTH)
        store(p, x);
    else
        memcpy(p, &x, (size_t)left * sizeof(float));
}

INLINE vf widen(vh x) { return (vf)(__builtin_convertvector(x, vu) << 16); }
INLINE vf load_bf16(const uint16_t *p) { return widen(*(const vh_any *)p); }
INLINE vf load_some_bf16(const uint16_t *p, intptr_t left) {
    if (left >= WIDTH) return load_bf16(p);
    vh x = {};
    memcpy(&x, p, (size_t)left * sizeof(uint16_t));
    return widen(x);
}

/// Where the mask is set `a`, elsewhere `b`.
INLINE vf choose(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }

/// To nearest even; a NaN keeps its sign and upper payload and is made quiet.
INLINE vh round_bf16(vf x) {
    vu bits = (vu)x;
    vu rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    vu quiet = (bits >> 16) | 0x40;
    vu is_nan = (vu)(x != x);
    return __builtin_convertvector((is_nan & quiet) | (~is_nan & rounded), vh);
}
INLINE void store_some_bf16(uint16_t *p, vh x, intptr_t left) {
    if (left >= WIDTH)
        *(vh_any *)p = x;
    else
        memcpy(p, &x, (size_t)left * sizeof(uint16_t));
}

INLINE vf multiply_add(vf a, vf b, vf c) {
#if HAS_FMA
    return __builtin_elementwise_fma(a, b, c);
#else
    return a * b + c;
#endif
}

/// The larger of each; NaN where `b` is one.
INLINE vf largest_of(vf a, vf b) { return choose(a > b, a, b); }

/// Half against half, then quarter against quarter ...: the order that `sum_double_lanes` has too.
INLINE float sum_lanes(vf x) {
#if WIDTH == 16
    x += __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    x += __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    x += __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
#elif WIDTH == 8
    x += __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3);
    x += __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5);
#else
    x += __builtin_shufflevector(x, x, 2, 3, 0, 1);
#endif
    return x[0] + x[1];
}
/// By address, since such a vector may be wider than the instruction set's registers.
INLINE double sum_double_lanes(const vd *x) {
    double lanes[WIDTH];
    memcpy(lanes, x, sizeof lanes);
    for (int step = WIDTH / 2; step > 0; step /= 2)
        for (int i = 0; i < step; i++) lanes[i] += lanes[i + step];
    return lanes[0];
}
/// NaN if a lane is one.
INLINE float largest_lane(vf x) {
    float best = x[0];
    for (int i = 1; i < WIDTH; i++) best = best > x[i] || best != best ? best : x[i];
    return best;
}

/// exp: the argument is reduced by multiples of log 2 (in two parts), the rest is Cephes' polynomial for expf; error
/// below 2 units in the last place. 0 below -87.3; the largest finite value's neighbourhood above 88.3; NaN stays.
INLINE vf exponential(vf x) {
    const vf low = splat(-87.33654f), high = splat(88.37626f), magic = splat(12582912.0f);
    vf y = choose(x < low, low, choose(x > high, high, x));
    vf shifted = multiply_add(y, splat(1.44269504f), magic);
    vf n = shifted - magic;
    vf r = multiply_add(n, splat(-0.693359375f), y);
    r = multiply_add(n, splat(2.12194440e-4f), r);
    vf p = splat(1.9875691500e-4f);
    p = multiply_add(p, r, splat(1.3981999507e-3f));
    p = multiply_add(p, r, splat(8.3334519073e-3f));
    p = multiply_add(p, r, splat(4.1665795894e-2f));
    p = multiply_add(p, r, splat(1.6666665459e-1f));
    p = multiply_add(p, r, splat(5.0000001201e-1f));
    p = multiply_add(p, r * r, r) + 1.0f;
    // The low bits of `shifted` are n + 0x4b400000; two's complement makes the bias right for negative n.
    vu power = ((vu)shifted - (0x4b400000u - 127u)) << 23;
    return choose(x < low, splat(0), p * (vf)power);
}

/// log for normal positive x (Cephes' polynomial for logf); error below 2 units in the last place.
INLINE vf logarithm(vf x) {
    vu bits = (vu)x;
    vf e = __builtin_convertvector((vi)(bits >> 23) - 126, vf);
    vf m = (vf)((bits & 0x007fffff) | 0x3f000000);
    vi small = m < 0.70710678f;
    e = choose(small, e - 1.0f, e);
    m = choose(small, m + m, m) - 1.0f;
    vf z = m * m;
    vf p = splat(7.0376836292e-2f);
    p = multiply_add(p, m, splat(-1.1514610310e-1f));
    p = multiply_add(p, m, splat(1.1676998740e-1f));
    p = multiply_add(p, m, splat(-1.2420140846e-1f));
    p = multiply_add(p, m, splat(1.4249322787e-1f));
    p = multiply_add(p, m, splat(-1.6668057665e-1f));
    p = multiply_add(p, m, splat(2.0000714765e-1f));
    p = multiply_add(p, m, splat(-2.4999993993e-1f));
    p = multiply_add(p, m, splat(3.3333331174e-1f));
    vf y = p * m * z;
    y = multiply_add(e, splat(-2.12194440e-4f), y);
    y = multiply_add(z, splat(-0.5f), y);
    return choose(x != x, x, multiply_add(e, splat(0.693359375f), m + y));
}
