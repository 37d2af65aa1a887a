// One query token over cached keys, and products of few rows with weights read once.

INLINE vf load_element(const void *p, pawl_type type, intptr_t at, intptr_t left) {
    return type == PAWL_BF16 ? load_some_bf16((const uint16_t *)p + at, left)
                             : load_some((const float *)p + at, left, 0);
}

INLINE void decode(const decoding_piece *piece, pawl_type type) {
    enum { block = 64 };
    float scores[block];
    intptr_t e = piece->head_size;
    for (intptr_t g = 0; g < piece->group; g++) {
        piece->largest[g] = -INFINITY;
        piece->totals[g] = 0;
    }
    memset(piece->sums, 0, (size_t)(piece->group * e) * sizeof(float));
    for (intptr_t first = 0; first < piece->keys; first += block) {
        intptr_t count = piece->keys - first < block ? piece->keys - first : block;
        for (intptr_t g = 0; g < piece->group; g++) {
            const float *q = piece->q + g * e;
            float *sums = piece->sums + g * e, top = -INFINITY;
            for (intptr_t key = 0; key < count; key++) {
                vf total = {};
                for (intptr_t i = 0; i < e; i += WIDTH) {
                    vf k = load_element(piece->k, type, (first + key) * piece->stride + i, e - i);
                    total = multiply_add(load_some(q + i, e - i, 0), k, total);
                }
                scores[key] = sum_lanes(total) * piece->scale;
                if (!(scores[key] <= top)) top = scores[key];
            }
            for (intptr_t key = count; key < block; key++) scores[key] = -INFINITY;
            if (!(top <= piece->largest[g])) {
                float factor = piece->largest[g] == -INFINITY ? 0 : expf(piece->largest[g] - top);
                for (intptr_t i = 0; i < e; i++) sums[i] *= factor;
                piece->totals[g] *= factor;
                piece->largest[g] = top;
            }
            vf total = {};
            for (intptr_t key = 0; key < block; key += WIDTH) {
                vf p = exponential(load(scores + key) - piece->largest[g]);
                store(scores + key, p);
                total += p;
            }
            piece->totals[g] += sum_lanes(total);
            for (intptr_t i = 0; i < e; i += WIDTH) {
                vf value = load_some(sums + i, e - i, 0);
                for (intptr_t key = 0; key < count; key++) {
                    vf v = load_element(piece->v, type, (first + key) * piece->stride + i, e - i);
                    value = multiply_add(v, splat(scores[key]), value);
                }
                store_some(sums + i, value, e - i);
            }
        }
    }
}

static void attention_decode(const decoding_piece *piece) {
    if (piece->type == PAWL_BF16)
        decode(piece, PAWL_BF16);
    else
        decode(piece, PAWL_F32);
}

// MARK: Few rows

enum {
    /// Rows of A and of W that a step multiplies, with all their sums in registers.
    small_rows = REGISTERS >= 32 ? 8 : 4,
    small_outputs = REGISTERS >= 32 ? 3 : 2,
};

/// c[rows, outputs] = a[rows, k] · w[outputs, k]ᵀ, one vector of k at a time.
INLINE void small_step(
    const int rows, const int outputs, float *c, intptr_t ldc, const float *a, intptr_t lda, const void *w,
    pawl_type type, intptr_t k) {
    vf sums[small_rows][small_outputs] = {};
    intptr_t whole = k / WIDTH * WIDTH;
    for (intptr_t i = 0; i < k; i += WIDTH) {
        intptr_t left = i < whole ? WIDTH : k - i;
        vf weight[small_outputs];
#pragma clang loop unroll(full)
        for (int o = 0; o < outputs; o++) weight[o] = load_element(w, type, o * k + i, left);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            vf x = load_some(a + r * lda + i, left, 0);
#pragma clang loop unroll(full)
            for (int o = 0; o < outputs; o++) sums[r][o] = multiply_add(x, weight[o], sums[r][o]);
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int o = 0; o < outputs; o++) c[r * ldc + o] = sum_lanes(sums[r][o]);
}

INLINE void small_outputs_of(
    const int outputs, float *c, intptr_t ldc, const float *a, intptr_t lda, const void *w, pawl_type type,
    intptr_t rows, intptr_t k) {
    intptr_t r = 0;
    for (; r + small_rows <= rows; r += small_rows)
        small_step(small_rows, outputs, c + r * ldc, ldc, a + r * lda, lda, w, type, k);
    for (; r + 4 <= rows; r += 4) small_step(4, outputs, c + r * ldc, ldc, a + r * lda, lda, w, type, k);
    for (; r < rows; r++) small_step(1, outputs, c + r * ldc, ldc, a + r * lda, lda, w, type, k);
}

INLINE void small(
    float *c, intptr_t ldc, const float *a, intptr_t lda, const void *w, pawl_type type, intptr_t rows,
    intptr_t n, intptr_t k) {
    size_t size = type == PAWL_BF16 ? sizeof(uint16_t) : sizeof(float);
    intptr_t j = 0;
    for (; j + small_outputs <= n; j += small_outputs)
        small_outputs_of(
            small_outputs, c + j, ldc, a, lda, (const char *)w + (size_t)(j * k) * size, type, rows, k);
    for (; j < n; j++)
        small_outputs_of(1, c + j, ldc, a, lda, (const char *)w + (size_t)(j * k) * size, type, rows, k);
}

static void small_product(
    float *c, intptr_t ldc, const float *a, intptr_t lda, const void *w, pawl_type type, intptr_t rows,
    intptr_t n, intptr_t k) {
    if (type == PAWL_BF16)
        small(c, ldc, a, lda, w, PAWL_BF16, rows, n, k);
    else
        small(c, ldc, a, lda, w, PAWL_F32, rows, n, k);
}
