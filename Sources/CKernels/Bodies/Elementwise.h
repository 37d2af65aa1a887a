// Conversions, sums and the other kernels that walk over elements once.

static void bf16_from_f32(uint16_t *out, const float *in, intptr_t n) {
    for (intptr_t i = 0; i < n; i += WIDTH) store_some_bf16(out + i, round_bf16(load_some(in + i, n - i, 0)), n - i);
}

static void f32_from_bf16(float *out, const uint16_t *in, intptr_t n) {
    for (intptr_t i = 0; i < n; i += WIDTH) store_some(out + i, load_some_bf16(in + i, n - i), n - i);
}

/// Integer arithmetic alone, so that no instruction set needs half precision: exponent and mantissa move to their
/// place, a multiplication by 2^112 corrects the bias (and makes subnormals right), infinity and NaN are put back.
static void f32_from_f16(float *out, const uint16_t *in, intptr_t n) {
    for (intptr_t i = 0; i < n; i += WIDTH) {
        vh half = {};
        memcpy(&half, in + i, (size_t)(n - i < WIDTH ? n - i : WIDTH) * sizeof(uint16_t));
        vu bits = __builtin_convertvector(half, vu);
        vu magnitude = (bits & 0x7fff) << 13;
        vu special = (vu)(magnitude >= (0x7c00u << 13));
        vu finite = (vu)((vf)magnitude * 0x1p112f);
        vu value = (special & (magnitude | 0x7f800000)) | (~special & finite);
        store_some(out + i, (vf)(value | ((bits & 0x8000) << 16)), n - i);
    }
}

static void add(float *x, const float *y, intptr_t n) {
    for (intptr_t i = 0; i < n; i += WIDTH)
        store_some(x + i, load_some(x + i, n - i, 0) + load_some(y + i, n - i, 0), n - i);
}

static void scale(float *x, float factor, intptr_t n) {
    for (intptr_t i = 0; i < n; i += WIDTH) store_some(x + i, load_some(x + i, n - i, 0) * factor, n - i);
}

static void ema(float *average, const float *x, float rate, intptr_t n) {
    for (intptr_t i = 0; i < n; i += WIDTH) {
        vf old = load_some(average + i, n - i, 0);
        vf difference = load_some(x + i, n - i, 0) - old;
        store_some(average + i, multiply_add(difference, splat(rate), old), n - i);
    }
}

/// w ← decay · w − step_size · m / (sqrt(v) / sqrt(1 − beta2^t) + epsilon), in PyTorch's order of operations.
static void adamw(
    float *w, float *m, float *v, const float *gradient, uint16_t *rounded, intptr_t n, const adamw_constants *c) {
    for (intptr_t i = 0; i < n; i += WIDTH) {
        intptr_t left = n - i;
        vf g = load_some(gradient + i, left, 0) * c->gradient_scale;
        vf first = load_some(m + i, left, 0);
        first = multiply_add(g - first, splat(c->rest1), first);
        vf second = load_some(v + i, left, 0) * c->beta2;
        second = multiply_add(g * c->rest2, g, second);
        vf denominator = multiply_add(
            __builtin_elementwise_sqrt(second), splat(c->inverse_correction), splat(c->epsilon));
        vf weight = load_some(w + i, left, 0) * c->decay - first / denominator * c->step_size;
        store_some(m + i, first, left);
        store_some(v + i, second, left);
        store_some(w + i, weight, left);
        if (rounded) store_some_bf16(rounded + i, round_bf16(weight), left);
    }
}

static double squared_norm(const float *x, intptr_t n) {
    vd total = {};
    for (intptr_t i = 0; i < n; i += WIDTH) {
        vd value = __builtin_convertvector(load_some(x + i, n - i, 0), vd);
        total += value * value;
    }
    return sum_double_lanes(&total);
}

static double sum(const float *x, intptr_t n) {
    vd total = {};
    for (intptr_t i = 0; i < n; i += WIDTH) total += __builtin_convertvector(load_some(x + i, n - i, 0), vd);
    return sum_double_lanes(&total);
}

/// out = gate · sigmoid(gate) · up.
static void swiglu_forward(float *out, const float *gate, const float *up, intptr_t n) {
    for (intptr_t i = 0; i < n; i += WIDTH) {
        vf g = load_some(gate + i, n - i, 0);
        vf u = load_some(up + i, n - i, 0);
        store_some(out + i, g / (exponential(-g) + 1.0f) * u, n - i);
    }
}

/// d silu(g) = s · (1 + g · (1 − s)), s = sigmoid(g).
static void swiglu_backward(
    float *dgate, float *dup, const float *dout, const float *gate, const float *up, intptr_t n) {
    for (intptr_t i = 0; i < n; i += WIDTH) {
        vf g = load_some(gate + i, n - i, 0);
        vf u = load_some(up + i, n - i, 0);
        vf d = load_some(dout + i, n - i, 0);
        vf s = 1.0f / (exponential(-g) + 1.0f);
        vf silu = g * s;
        store_some(dgate + i, d * u * multiply_add(silu, 1.0f - s, s), n - i);
        store_some(dup + i, d * silu, n - i);
    }
}

static void column_sums(float *out, const float *x, intptr_t ldx, intptr_t rows, intptr_t n) {
    for (intptr_t i = 0; i < n; i += WIDTH) {
        vf total = {};
        for (intptr_t r = 0; r < rows; r++) total += load_some(x + r * ldx + i, n - i, 0);
        store_some(out + i, load_some(out + i, n - i, 0) + total, n - i);
    }
}
