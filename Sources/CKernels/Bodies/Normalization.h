// RMSNorm of one group of n elements, and the rotary embedding of one row.

/// Sum of x · y (· w): in double over blocks, so that a long row loses nothing.
INLINE double product_sum(const float *x, const float *y, const float *w, intptr_t n) {
    vd total = {};
    for (intptr_t i = 0; i < n; i += WIDTH) {
        vf value = load_some(x + i, n - i, 0) * load_some(y + i, n - i, 0);
        if (w) value *= load_some(w + i, n - i, 0);
        total += __builtin_convertvector(value, vd);
    }
    return sum_double_lanes(&total);
}

static float rmsnorm_forward(float *out, const float *x, const float *weight, intptr_t n, float epsilon) {
    float inverse = (float)(1.0 / sqrt(product_sum(x, x, NULL, n) / (double)n + (double)epsilon));
    for (intptr_t i = 0; i < n; i += WIDTH) {
        vf value = load_some(x + i, n - i, 0) * inverse * load_some(weight + i, n - i, 0);
        store_some(out + i, value, n - i);
    }
    return inverse;
}

/// dx = r (w · dout) − x r³ / n · Σ w dout x, with r = `inverse`.
static void rmsnorm_backward(
    float *dx, bool add, const float *dout, const float *x, const float *weight, float inverse, intptr_t n) {
    double along = product_sum(dout, x, weight, n);
    float back = (float)(along * inverse * inverse * inverse / (double)n);
    for (intptr_t i = 0; i < n; i += WIDTH) {
        vf d = load_some(dout + i, n - i, 0) * load_some(weight + i, n - i, 0) * inverse;
        d = multiply_add(load_some(x + i, n - i, 0), splat(-back), d);
        if (add) d += load_some(dx + i, n - i, 0);
        store_some(dx + i, d, n - i);
    }
}

static void rmsnorm_weight(
    float *dweight, const float *dout, intptr_t lddo, const float *x, intptr_t ldx, const float *inverse,
    intptr_t rows, intptr_t groups, intptr_t stride, intptr_t column, intptr_t n) {
    for (intptr_t i = 0; i < n; i += WIDTH) {
        vf total = {};
        for (intptr_t r = 0; r < rows; r++) {
            for (intptr_t g = 0; g < groups; g++) {
                intptr_t at = g * stride + column + i;
                vf value = load_some(dout + r * lddo + at, n - i, 0) * load_some(x + r * ldx + at, n - i, 0);
                total = multiply_add(value, splat(inverse[r * groups + g]), total);
            }
        }
        store_some(dweight + column + i, load_some(dweight + column + i, n - i, 0) + total, n - i);
    }
}

static void rope(float *x, const float *cosine, const float *sine, float sign, intptr_t heads, intptr_t half) {
    for (intptr_t h = 0; h < heads; h++) {
        float *lower = x + h * 2 * half, *upper = lower + half;
        for (intptr_t i = 0; i < half; i += WIDTH) {
            intptr_t left = half - i;
            vf c = load_some(cosine + i, left, 0), s = load_some(sine + i, left, 0) * sign;
            vf a = load_some(lower + i, left, 0), b = load_some(upper + i, left, 0);
            store_some(lower + i, multiply_add(a, c, -(b * s)), left);
            store_some(upper + i, multiply_add(b, c, a * s), left);
        }
    }
}
