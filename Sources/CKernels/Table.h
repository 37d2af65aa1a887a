#ifndef PAWL_TABLE_H
#define PAWL_TABLE_H

#include "CKernels.h"

/// Statistics of one row of logits over a temperature: largest element and log of the sum of exponentials of
/// (x - largest) / temperature.
typedef struct {
    float largest;
    float log_sum;
} row_statistics;

/// One piece of work of an attention kernel, and memory for it.
typedef struct {
    const pawl_attention *attention;
    intptr_t sequence, kv_head;
    /// Forward: tokens of the sequence, first ..< last.
    intptr_t first, last;
    /// What the sequence follows: S0 keys and values of all heads, rows `ld_prefix_k` and `ld_prefix_v` apart.
    const float *prefix_k, *prefix_v;
    intptr_t prefix_length, ld_prefix_k, ld_prefix_v;
    /// Backward: what the sequence adds to their gradients, [S0, K, E] each; NULL: not wanted.
    float *prefix_dk, *prefix_dv;
    float *scratch;
} attention_piece;

typedef struct {
    float *dq, *dk, *dv;
    intptr_t lddq, lddk, lddv;
    const float *dout, *out, *lse;
    intptr_t lddo, ldo;
} attention_gradients;

/// One chunk of keys that the G queries of one key/value head of one sequence look at.
typedef struct {
    const float *q;
    const void *k, *v;
    pawl_type type;
    /// Elements between keys.
    intptr_t stride;
    intptr_t keys, group, head_size;
    float scale;
    /// Out: per query, the weighted values [G, E] before division, the largest score and the sum of exponentials.
    float *sums, *largest, *totals;
} decoding_piece;

typedef struct {
    float decay, rest1, beta2, rest2, step_size, inverse_correction, epsilon, gradient_scale;
} adamw_constants;

/// The kernels of one instruction set, each on one thread. Names and arguments follow CKernels.h.
typedef struct {
    void (*bf16_from_f32)(uint16_t *out, const float *in, intptr_t n);
    void (*f32_from_bf16)(float *out, const uint16_t *in, intptr_t n);
    void (*f32_from_f16)(float *out, const uint16_t *in, intptr_t n);
    void (*add)(float *x, const float *y, intptr_t n);
    void (*scale)(float *x, float factor, intptr_t n);
    void (*ema)(float *average, const float *x, float rate, intptr_t n);
    void (*adamw)(
        float *w, float *m, float *v, const float *g, uint16_t *rounded, intptr_t n, const adamw_constants *c);
    double (*squared_norm)(const float *x, intptr_t n);
    double (*sum)(const float *x, intptr_t n);
    void (*swiglu_forward)(float *out, const float *gate, const float *up, intptr_t n);
    void (*swiglu_backward)(
        float *dgate, float *dup, const float *dout, const float *gate, const float *up, intptr_t n);
    /// out[n] adds the sums of n columns over rows.
    void (*column_sums)(float *out, const float *x, intptr_t ldx, intptr_t rows, intptr_t n);

    float (*rmsnorm_forward)(float *out, const float *x, const float *weight, intptr_t n, float epsilon);
    void (*rmsnorm_backward)(
        float *dx, bool add, const float *dout, const float *x, const float *weight, float inverse, intptr_t n);
    /// dweight[n] adds the sums over rows and groups; the columns of the weight start at `column`, a group is `stride`.
    void (*rmsnorm_weight)(
        float *dweight, const float *dout, intptr_t lddo, const float *x, intptr_t ldx, const float *inverse,
        intptr_t rows, intptr_t groups, intptr_t stride, intptr_t column, intptr_t n);
    /// `sign` -1 rotates back.
    void (*rope)(float *x, const float *cosine, const float *sine, float sign, intptr_t heads, intptr_t half);

    /// Floats of scratch that a piece needs.
    size_t (*attention_forward_scratch)(const pawl_attention *attention, intptr_t tokens);
    void (*attention_forward)(float *out, intptr_t ldo, float *lse, const attention_piece *piece);
    size_t (*attention_backward_scratch)(const pawl_attention *attention, intptr_t tokens);
    void (*attention_backward)(const attention_gradients *gradients, const attention_piece *piece);
    void (*attention_decode)(const decoding_piece *piece);

    /// C[R, n] (+)= A[R, k] · W[n, k]ᵀ. `next` is what the thread is likely to read afterwards.
    void (*few_rows_product)(
        float *c, intptr_t ldc, const float *a, intptr_t lda, const void *w, pawl_type type, intptr_t rows,
        intptr_t n, intptr_t k, bool add, const void *next);

    row_statistics (*statistics)(const float *x, intptr_t n, float inverse_temperature);
    void (*softmax)(float *out, const float *x, intptr_t n, float inverse_temperature, row_statistics s);
    void (*log_softmax)(float *out, const float *x, intptr_t n, float inverse_temperature, row_statistics s);
    intptr_t (*argmax)(const float *x, intptr_t n);
    /// Loss, and dx = weight · gradient unless NULL.
    float (*divergence)(
        float *dx, const float *student, const float *teacher, float weight, intptr_t n, row_statistics s,
        row_statistics t, pawl_divergence_settings settings);
} kernel_table;

const kernel_table *kernels_for(pawl_isa isa);

#endif
