// Calls every kernel with memory of exactly the documented size; see tools/check-kernels.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

/// Blocks of one round, freed together.
enum { most_blocks = 256 };
static void *blocks[most_blocks];
static int used;
static unsigned state = 1;

static void *block(size_t bytes) {
    if (used == most_blocks) abort();
    return blocks[used++] = malloc(bytes);
}

static void release(void) {
    while (used > 0) free(blocks[--used]);
}

static float *floats(intptr_t count) {
    float *x = block((size_t)count * sizeof *x);
    for (intptr_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) * 0x1p-23f - 1;
    }
    return x;
}

static uint16_t *halves(pawl_pool *pool, intptr_t count) {
    uint16_t *y = block((size_t)count * sizeof *y);
    pawl_bf16_from_f32(pool, y, floats(count), count);
    return y;
}

static int32_t *integers(intptr_t count, intptr_t below) {
    int32_t *x = block((size_t)count * sizeof *x);
    for (intptr_t i = 0; i < count; i++) x[i] = (int32_t)(i * 7 % below);
    return x;
}

static void require(bool holds, const char *what, int line) {
    if (holds) return;
    fprintf(stderr, "check-kernels.c:%d: %s\n", line, what);
    exit(1);
}
#define REQUIRE(condition) require(condition, #condition, __LINE__)

static void require_finite(const float *x, intptr_t count, int line) {
    for (intptr_t i = 0; i < count; i++) require(isfinite(x[i]), "a result is not finite", line);
}
#define FINITE(x, count) require_finite(x, count, __LINE__)

static void elementwise(pawl_pool *pool, intptr_t n) {
    float *x = floats(n), *y = floats(n), *m = floats(n), *v = floats(n);
    uint16_t *h = halves(pool, n);
    for (intptr_t i = 0; i < n; i++) v[i] = v[i] * v[i];
    pawl_f32_from_bf16(pool, x, h, n);
    pawl_f32_from_f16(pool, y, h, n);
    pawl_add(pool, x, m, n);
    pawl_scale(pool, x, 0.5f, n);
    pawl_ema(pool, x, m, 0.1f, n);
    pawl_adamw_settings settings = {1e-3, 0.9, 0.999, 1e-8, 0.01, 1, 3};
    pawl_adamw(pool, x, m, v, y, h, n, &settings);
    pawl_adamw(pool, x, m, v, x, NULL, n, &settings);
    FINITE(x, n);
    REQUIRE(pawl_squared_norm(pool, x, n) >= 0);
    release();
}

static void layer(pawl_pool *pool, intptr_t t, intptr_t d) {
    enum { v = 5 };
    float *x = floats(t * d), *y = floats(t * d), *w = floats(d), *dw = floats(d), *inverse = floats(t);
    int32_t *tokens = integers(t, v);
    float *table = floats(v * d);
    REQUIRE(pawl_embedding_forward(pool, x, table, PAWL_F32, tokens, t, d, v) == PAWL_OK);
    REQUIRE(pawl_embedding_forward(pool, x, halves(pool, v * d), PAWL_BF16, tokens, t, d, v) == PAWL_OK);
    REQUIRE(pawl_embedding_backward(pool, table, x, tokens, t, d, v) == PAWL_OK);
    pawl_rmsnorm_forward(pool, y, d, inverse, x, d, w, t, 1, d, 1e-5f);
    pawl_rmsnorm_backward(pool, y, d, true, dw, x, d, x, d, w, inverse, t, 1, d);
    pawl_bias_add(pool, y, d, w, t, d);
    pawl_bias_backward(pool, dw, y, d, t, d);
    double *sums = block((size_t)t * sizeof *sums);
    pawl_row_sums(pool, sums, y, d, t, d);
    pawl_swiglu_forward(pool, y, x, y, d, t, d);
    pawl_swiglu_backward(pool, x, y, floats(t * d), x, y, d, t, d);
    FINITE(x, t * d);
    FINITE(dw, d);
    intptr_t half = (d + 1) / 2;
    double *frequencies = block((size_t)half * sizeof *frequencies);
    for (intptr_t i = 0; i < half; i++) frequencies[i] = 1.0 / (double)(i + 1);
    float *cosine = floats(t * half), *sine = floats(t * half), *q = floats(t * 3 * 2 * half);
    pawl_rope_table(cosine, sine, frequencies, half, 0, t, 1);
    int32_t *positions = integers(t, t);
    pawl_rope_forward(pool, q, 6 * half, positions, cosine, sine, t, 3, 2 * half);
    pawl_rope_backward(pool, q, 6 * half, positions, cosine, sine, t, 3, 2 * half);
    FINITE(q, t * 3 * 2 * half);
    release();
}

static void attention(pawl_pool *pool, int32_t first, int32_t second, intptr_t kv, intptr_t group, intptr_t e,
    intptr_t prefix, intptr_t window, bool shared) {
    intptr_t t = first + second, wide = kv * group * e, narrow = kv * e;
    int32_t *starts = block(3 * sizeof *starts), *lengths = block(2 * sizeof *lengths);
    starts[0] = 0;
    starts[1] = lengths[0] = first;
    starts[2] = first + second;
    lengths[1] = second;
    pawl_attention a = {.q = floats(t * wide), .k = floats(t * narrow), .v = floats(t * narrow), .ldq = wide,
        .ldk = narrow, .ldv = narrow, .starts = starts, .sequences = 2, .prefix_k = floats(prefix * narrow),
        .prefix_v = floats(prefix * narrow), .prefix_length = prefix, .first_is_shared = shared, .window = window, .heads = kv * group,
        .kv_heads = kv, .head_size = e, .scale = 0.3f};
    float *out = floats(t * wide), *lse = floats(t * kv * group), *dout = floats(t * wide);
    float *dq = floats(t * wide), *dk = floats(t * narrow), *dv = floats(t * narrow);
    REQUIRE(pawl_attention_forward(pool, out, wide, lse, &a) == PAWL_OK);
    REQUIRE(
        pawl_attention_backward(pool, dq, wide, dk, narrow, dv, narrow, dout, wide, out, wide, lse, &a) == PAWL_OK);
    FINITE(out, t * wide);
    FINITE(dq, t * wide);
    FINITE(dk, t * narrow);
    FINITE(dv, t * narrow);
    for (int bf16 = 0; bf16 < 2; bf16++) {
        const void *keys[2], *values[2];
        for (int b = 0; b < 2; b++) {
            keys[b] = bf16 ? (void *)halves(pool, lengths[b] * narrow) : (void *)floats(lengths[b] * narrow);
            values[b] = bf16 ? (void *)halves(pool, lengths[b] * narrow) : (void *)floats(lengths[b] * narrow);
        }
        pawl_decoding d = {.q = floats(2 * wide), .ldq = wide, .k = keys, .v = values, .lengths = lengths,
            .sequences = 2, .prefix_length = prefix, .type = bf16 ? PAWL_BF16 : PAWL_F32, .window = window,
            .heads = kv * group, .kv_heads = kv, .head_size = e, .scale = 0.3f};
        d.prefix_k = bf16 ? (void *)halves(pool, prefix * narrow) : (void *)floats(prefix * narrow);
        d.prefix_v = bf16 ? (void *)halves(pool, prefix * narrow) : (void *)floats(prefix * narrow);
        float *last = floats(2 * wide);
        REQUIRE(pawl_attention_decode(pool, last, wide, &d) == PAWL_OK);
        FINITE(last, 2 * wide);
    }
    release();
}

static void logits(pawl_pool *pool, intptr_t rows, intptr_t v, intptr_t k) {
    float *x = floats(rows * v), *y = floats(rows * v), *out = floats(rows * v), *loss = floats(rows);
    float *weights = floats(rows), *values = floats(rows * k);
    int32_t *targets = integers(rows, v), *indices = integers(rows * k, v);
    pawl_softmax(pool, out, x, rows, v, 0.9f);
    double *totals = block((size_t)rows * sizeof *totals), *shares = block((size_t)rows * sizeof *shares);
    for (intptr_t r = 0; r < rows; r++) shares[r] = (double)r / (double)rows;
    pawl_draw(pool, targets, totals, out, shares, rows, v);
    for (intptr_t r = 0; r < rows; r++) REQUIRE(targets[r] >= 0 && targets[r] < v && totals[r] > 0.99);
    pawl_log_softmax(pool, out, x, rows, v, 0.9f);
    pawl_argmax(pool, targets, x, rows, v);
    REQUIRE(pawl_log_likelihood(pool, loss, x, targets, rows, v) == PAWL_OK);
    REQUIRE(pawl_cross_entropy(pool, loss, out, x, targets, weights, rows, v) == PAWL_OK);
    REQUIRE(pawl_top_k(pool, indices, values, y, rows, v, k) == PAWL_OK);
    for (int kind = PAWL_FORWARD_KL; kind <= PAWL_JENSEN_SHANNON; kind++) {
        pawl_divergence_settings settings = {(pawl_divergence_kind)kind, 0.5f, 1.3f};
        pawl_divergence(pool, loss, out, x, y, weights, rows, v, settings);
        FINITE(out, rows * v);
        for (int renormalise = 0; renormalise < 2; renormalise++) {
            REQUIRE(
                pawl_divergence_top_k(
                    pool, loss, out, x, indices, values, weights, rows, v, k, renormalise, settings)
                == PAWL_OK);
            FINITE(out, rows * v);
            FINITE(loss, rows);
        }
    }
    release();
}

static void products(pawl_pool *pool, intptr_t m, intptr_t n, intptr_t k) {
    float *a = floats(m * k), *b = floats(n * k), *c = floats(m * n);
    uint16_t *ha = halves(pool, m * k), *hb = halves(pool, n * k);
    for (int form = 0; form < 8; form++) {
        bool at = form & 1, bt = form & 2, add = form & 4;
        intptr_t lda = at ? m : k, ldb = bt ? k : n;
        REQUIRE(pawl_product(pool, c, n, a, lda, at, b, ldb, bt, PAWL_F32, m, n, k, add) == PAWL_OK);
        REQUIRE(pawl_product(pool, c, n, ha, lda, at, hb, ldb, bt, PAWL_BF16, m, n, k, add) == PAWL_OK);
        FINITE(c, m * n);
    }
    pawl_small_product(pool, c, n, a, k, b, PAWL_F32, m, n, k, false);
    pawl_small_product(pool, c, n, a, k, hb, PAWL_BF16, m, n, k, true);
    for (int form = 0; form < 8; form++) {
        pawl_type type = form & 1 ? PAWL_BF16 : PAWL_F32, a_type = form & 2 ? PAWL_BF16 : PAWL_F32;
        pawl_direction direction = form & 4 ? PAWL_BACKWARD : PAWL_FORWARD;
        bool forward = direction == PAWL_FORWARD;
        pawl_packed *packed = pawl_packed_create(pool, forward ? n : k, forward ? k : n, type, direction);
        REQUIRE(packed != NULL);
        REQUIRE(pawl_packed_fill(pool, packed, hb, PAWL_BF16) == PAWL_OK);
        REQUIRE(pawl_packed_fill(pool, packed, b, PAWL_F32) == PAWL_OK);
        const void *input = a_type == PAWL_BF16 ? (const void *)ha : (const void *)a;
        REQUIRE(pawl_packed_product(pool, c, n, input, k, a_type, packed, m, false) == PAWL_OK);
        REQUIRE(pawl_packed_product(pool, c, n, input, k, a_type, packed, m, true) == PAWL_OK);
        FINITE(c, m * n);
        pawl_packed_destroy(packed);
    }
    release();
}

int main(void) {
    for (int isa = PAWL_ISA_BASELINE; isa <= PAWL_ISA_AVX512; isa++) {
        if (!pawl_isa_available((pawl_isa)isa)) continue;
        for (int threads = 1; threads <= 3; threads += 2) {
            pawl_pool *pool = pawl_pool_create(threads, (pawl_isa)isa);
            REQUIRE(pool != NULL);
            const intptr_t counts[] = {0, 1, 7, 16, 33, 16385};
            for (int i = 0; i < 6; i++) elementwise(pool, counts[i]);
            layer(pool, 1, 1);
            layer(pool, 5, 19);
            layer(pool, 40, 576);
            attention(pool, 1, 1, 1, 1, 1, 0, 0, false);
            attention(pool, 70, 3, 2, 3, 5, 0, 0, true);
            attention(pool, 65, 130, 1, 2, 64, 67, 0, false);
            attention(pool, 65, 130, 2, 2, 33, 0, 17, true);
            attention(pool, 90, 1, 2, 1, 33, 600, 40, false);
            logits(pool, 1, 1, 1);
            logits(pool, 3, 37, 5);
            logits(pool, 2, 1031, 20);
            products(pool, 1, 1, 1);
            products(pool, 9, 67, 35);
            products(pool, 290, 131, 17);
            products(pool, 21, 51, 777);
            pawl_pool_destroy(pool);
            printf("instruction set %d, %d threads: clean\n", isa, threads);
        }
    }
    return 0;
}
