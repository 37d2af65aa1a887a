// Rates of the kernels; see tools/bench/kernels.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "CKernels.h"
#include "COneDNN.h"

// SmolLM2-135M.
enum { D = 576, F = 1536, V = 49152, H = 9, K = 3, E = 64 };

static pawl_pool *pool;
static double seconds_a_line = 0.03;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *floats(size_t count) {
    float *x = aligned_alloc(4096, (count * sizeof(float) + 4096) / 4096 * 4096);
    unsigned state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) * 0x1p-23f - 1;
    }
    return x;
}

static uint16_t *halves(size_t count) {
    float *x = floats(count);
    uint16_t *y = aligned_alloc(4096, (count * sizeof(uint16_t) + 4096) / 4096 * 4096);
    pawl_bf16_from_f32(pool, y, x, (intptr_t)count);
    free(x);
    return y;
}

/// Seconds of the fastest of several runs (the machine may be busy): a first one for what is prepared once, then more.
#define BEST(statement)                                                                            \
    ({                                                                                             \
        double best = 1e9, begin;                                                                  \
        statement;                                                                                 \
        begin = now();                                                                             \
        for (int runs = 0; runs < 3 || now() - begin < seconds_a_line; runs++) {                    \
            double at = now();                                                                     \
            statement;                                                                             \
            double took = now() - at;                                                              \
            if (took < best) best = took;                                                          \
        }                                                                                          \
        best;                                                                                      \
    })

static void products(intptr_t out, intptr_t in) {
    static const intptr_t rows[] = {1, 4, 8, 11, 16, 32, 64, 512, 2048};
    float *w = floats((size_t)(out * in));
    uint16_t *h = halves((size_t)(out * in));
    pawl_packed *f32 = pawl_packed_create(pool, out, in, PAWL_F32, PAWL_FORWARD);
    pawl_packed *bf16 = pawl_packed_create(pool, out, in, PAWL_BF16, PAWL_FORWARD);
    pawl_packed_fill(pool, f32, w, PAWL_F32);
    pawl_packed_fill(pool, bf16, h, PAWL_BF16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        intptr_t t = rows[i];
        // The logits of all tokens never exist at once.
        if (out == V && t > 512) continue;
        float *a = floats((size_t)(t * in)), *c = floats((size_t)(t * out)), *dw = NULL;
        uint16_t *b = halves((size_t)(t * in));
        double flops = 2.0 * (double)t * (double)out * (double)in * 1e-9;
        printf("%5ld x %5ld, T %4ld", (long)out, (long)in, (long)t);
        printf("  %6.0f", flops / BEST(pawl_product(pool, c, out, a, in, false, w, in, true, PAWL_F32, t, out, in, false)));
        printf("  %6.0f", flops / BEST(pawl_packed_product(pool, c, out, a, in, PAWL_F32, f32, t, false)));
        printf("  %6.0f", flops / BEST(pawl_packed_product(pool, c, out, b, in, PAWL_BF16, bf16, t, false)));
        if (t <= 64) {
            double f = BEST(pawl_small_product(pool, c, out, a, in, w, PAWL_F32, t, out, in, false));
            double s = BEST(pawl_small_product(pool, c, out, a, in, h, PAWL_BF16, t, out, in, false));
            double bytes = 1e-9 * (double)out * (double)in;
            printf("  %6.0f (%3.0f GB/s)  %6.0f (%3.0f GB/s)", flops / f, 4 * bytes / f, flops / s, 2 * bytes / s);
        } else if (out != V) {
            dw = floats((size_t)(out * in));
            printf("  da %6.0f", flops / BEST(pawl_product(pool, a, in, c, out, false, w, in, false, PAWL_F32, t, in, out, false)));
            printf("  dw %6.0f", flops / BEST(pawl_product(pool, dw, in, c, out, true, a, in, false, PAWL_F32, out, in, t, true)));
        }
        printf("\n");
        fflush(stdout);
        free(dw);
        free(a);
        free(b);
        free(c);
    }
    pawl_packed_destroy(f32);
    pawl_packed_destroy(bf16);
    free(w);
    free(h);
}

static void attention(int32_t length, intptr_t sequences) {
    intptr_t t = length * sequences;
    float *q = floats((size_t)(t * H * E)), *k = floats((size_t)(t * K * E)), *v = floats((size_t)(t * K * E));
    float *out = floats((size_t)(t * H * E)), *dout = floats((size_t)(t * H * E)), *lse = floats((size_t)(t * H));
    float *dq = floats((size_t)(t * H * E)), *dk = floats((size_t)(t * K * E)), *dv = floats((size_t)(t * K * E));
    int32_t *starts = malloc((size_t)(sequences + 1) * sizeof *starts), *lengths = malloc((size_t)sequences * sizeof *lengths);
    const void **keys = malloc((size_t)sequences * sizeof *keys), **values = malloc((size_t)sequences * sizeof *values);
    for (intptr_t b = 0; b <= sequences; b++) starts[b] = (int32_t)b * length;
    for (intptr_t b = 0; b < sequences; b++) {
        lengths[b] = length;
        keys[b] = k + starts[b] * K * E;
        values[b] = v + starts[b] * K * E;
    }
    pawl_attention a = {.q = q, .k = k, .v = v, .ldq = H * E, .ldk = K * E, .ldv = K * E, .starts = starts,
        .sequences = sequences, .heads = H, .kv_heads = K, .head_size = E, .scale = 0.125f};
    pawl_decoding d = {.q = q, .ldq = H * E, .k = keys, .v = values, .lengths = lengths, .sequences = sequences,
        .type = PAWL_F32, .heads = H, .kv_heads = K, .head_size = E, .scale = 0.125f};
    double pairs = (double)sequences * H * length * (length + 1) / 2;
    double forward = BEST(pawl_attention_forward(pool, out, H * E, lse, &a));
    double backward = BEST(
        pawl_attention_backward(pool, dq, H * E, dk, K * E, dv, K * E, dout, H * E, out, H * E, lse, &a));
    double decode = BEST(pawl_attention_decode(pool, out, H * E, &d));
    printf(
        "attention %ld x %d: forward %.2f ms (%.0f GFLOP/s), backward %.2f ms (%.0f), decoding %.3f ms (%.0f GB/s)\n",
        (long)sequences, length, forward * 1e3, pairs * 4 * E * 1e-9 / forward, backward * 1e3,
        pairs * 10 * E * 1e-9 / backward, decode * 1e3, (double)t * K * E * 8 * 1e-9 / decode);
    void *all[] = {q, k, v, out, dout, lse, dq, dk, dv, starts, lengths, keys, values};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void print_rate(const char *name, double bytes, double seconds) {
    printf("%-28s %8.3f ms  %6.1f GB/s\n", name, seconds * 1e3, bytes * 1e-9 / seconds);
}

static void memory_bound(void) {
    enum { count = 1 << 23, t = 2048, rows = 64 };
    float *x = floats(count), *y = floats(count), *m = floats(count), *v = calloc(count, sizeof *v);
    uint16_t *h = halves(count);
    float *loss = floats(rows), *student = floats((size_t)t * F), *teacher = floats((size_t)rows * V);
    const double n = count;
    pawl_adamw_settings settings = {1e-4, 0.9, 0.999, 1e-8, 0, 1, 1};
    print_rate("bf16 from fp32", 6 * n, BEST(pawl_bf16_from_f32(pool, h, x, count)));
    print_rate("fp32 from bf16", 6 * n, BEST(pawl_f32_from_bf16(pool, x, h, count)));
    print_rate("add", 12 * n, BEST(pawl_add(pool, x, y, count)));
    print_rate("AdamW with bf16 copy", 30 * n, BEST(pawl_adamw(pool, x, m, v, y, h, count, &settings)));
    print_rate("EMA", 12 * n, BEST(pawl_ema(pool, x, y, 0.01f, count)));
    volatile double norm;
    print_rate("squared norm", 4 * n, BEST(norm = pawl_squared_norm(pool, x, count)));
    (void)norm;
    double logits = (double)rows * V * 4, td = (double)t * D * 4, tf = (double)t * F * 4;
    print_rate("RMSNorm forward", 2 * td, BEST(pawl_rmsnorm_forward(pool, y, D, m, x, D, v, t, 1, D, 1e-5f)));
    print_rate("RMSNorm backward", 4 * td, BEST(pawl_rmsnorm_backward(pool, y, D, true, v, x, D, x, D, v, m, t, 1, D)));
    print_rate("SwiGLU forward", 3 * tf, BEST(pawl_swiglu_forward(pool, m, x, y, F, t, F)));
    print_rate("SwiGLU backward", 5 * tf, BEST(pawl_swiglu_backward(pool, m, v, student, x, y, F, t, F)));
    int32_t *targets = calloc((size_t)rows * 32, sizeof *targets);
    pawl_divergence_settings forward = {PAWL_FORWARD_KL, 0, 1}, mixed = {PAWL_JENSEN_SHANNON, 0.5f, 1};
    float *dx = floats((size_t)rows * V), *values = floats((size_t)rows * 32);
    print_rate("forward KL and gradient", 3 * logits, BEST(pawl_divergence(pool, loss, dx, student, teacher, NULL, rows, V, forward)));
    print_rate("Jensen-Shannon and gradient", 3 * logits, BEST(pawl_divergence(pool, loss, dx, student, teacher, NULL, rows, V, mixed)));
    print_rate("cross-entropy and gradient", 2 * logits, BEST(pawl_cross_entropy(pool, loss, dx, student, targets, NULL, rows, V)));
    print_rate("log-likelihood", logits, BEST(pawl_log_likelihood(pool, loss, student, targets, rows, V)));
    print_rate("argmax", logits, BEST(pawl_argmax(pool, targets, student, rows, V)));
    print_rate("top 20", logits, BEST(pawl_top_k(pool, targets, values, student, rows, V, 20)));
    void *all[] = {x, y, m, v, h, loss, student, teacher, targets, dx, values};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void nothing(void *context, intptr_t index) {
    (void)context;
    (void)index;
}

int main(int count, char **arguments) {
    int threads = 0;
    for (int i = 1; i + 1 < count; i += 2) {
        if (strcmp(arguments[i], "--threads") == 0) threads = atoi(arguments[i + 1]);
        if (strcmp(arguments[i], "--seconds") == 0) seconds_a_line = atof(arguments[i + 1]);
    }
    pool = pawl_pool_create(threads, PAWL_ISA_BEST);
    if (!pool) return 1;
    printf(
        "libdnnl %d, %d threads, instruction set %d, bf16 in hardware %d, faster than fp32 %d\n", onednn_version(),
        pawl_pool_threads(pool), pawl_pool_isa(pool), pawl_bf16_is_native(), pawl_bf16_is_fast());
    printf("an empty job for all threads: %.1f us\n", 1e6 * BEST(pawl_pool_run(pool, 64, nothing, NULL)));
    printf("GFLOP/s              as stored  packed    bf16  few rows fp32    bf16; or gradients of input and weight\n");
    const intptr_t shapes[][2] = {{D, D}, {K * E, D}, {F, D}, {D, F}, {V, D}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) products(shapes[i][0], shapes[i][1]);
    attention(128, 16);
    attention(400, 5);
    attention(2048, 1);
    memory_bound();
    pawl_pool_destroy(pool);
    return 0;
}
