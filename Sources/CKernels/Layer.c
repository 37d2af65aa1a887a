// Embedding, RMSNorm and rotary embedding: what surrounds attention and products in a layer.
#include "Pool.h"

#include <math.h>
#include <string.h>

enum { grain = 16384, columns = 64 };

static bool all_within(const int32_t *tokens, intptr_t count, intptr_t v) {
    for (intptr_t i = 0; i < count; i++)
        if (tokens[i] < 0 || tokens[i] >= v) return false;
    return true;
}

// MARK: Embedding

typedef struct {
    const kernel_table *kernels;
    float *out;
    const void *in;
    pawl_type type;
    const int32_t *tokens;
    intptr_t t, d, rows_of_piece;
} embedding_job;

static void embedding_piece(void *context, intptr_t piece, int worker) {
    (void)worker;
    const embedding_job *j = context;
    intptr_t end = smaller((piece + 1) * j->rows_of_piece, j->t);
    for (intptr_t i = piece * j->rows_of_piece; i < end; i++) {
        intptr_t at = (intptr_t)j->tokens[i] * j->d;
        if (j->type == PAWL_BF16)
            j->kernels->f32_from_bf16(j->out + i * j->d, (const uint16_t *)j->in + at, j->d);
        else
            memcpy(j->out + i * j->d, (const float *)j->in + at, (size_t)j->d * sizeof(float));
    }
}

pawl_status pawl_embedding_forward(
    pawl_pool *pool, float *out, const void *table, pawl_type type, const int32_t *tokens, intptr_t t,
    intptr_t d, intptr_t v) {
    if (!all_within(tokens, t, v)) return PAWL_OUT_OF_RANGE;
    embedding_job job = {pool_kernels(pool), out, table, type, tokens, t, d, larger(1, grain / larger(1, d))};
    pool_run(pool, pool_parts(t, job.rows_of_piece), embedding_piece, &job);
    return PAWL_OK;
}

/// A piece owns some columns of the whole table, so that a token's row is added to in token order.
static void embedding_gradient_piece(void *context, intptr_t piece, int worker) {
    (void)worker;
    const embedding_job *j = context;
    intptr_t at = piece * columns, n = smaller(columns, j->d - at);
    for (intptr_t i = 0; i < j->t; i++)
        j->kernels->add(j->out + (intptr_t)j->tokens[i] * j->d + at, (const float *)j->in + i * j->d + at, n);
}

pawl_status pawl_embedding_backward(
    pawl_pool *pool, float *dtable, const float *dout, const int32_t *tokens, intptr_t t, intptr_t d,
    intptr_t v) {
    if (!all_within(tokens, t, v)) return PAWL_OUT_OF_RANGE;
    embedding_job job = {pool_kernels(pool), dtable, dout, PAWL_F32, tokens, t, d, 0};
    pool_run(pool, pool_parts(d, columns), embedding_gradient_piece, &job);
    return PAWL_OK;
}

// MARK: RMSNorm

typedef struct {
    const kernel_table *kernels;
    float *out, *inverse_out, *dweight;
    const float *x, *dout, *weight, *inverse;
    intptr_t ldo, ldx, lddo, rows, groups, n, rows_of_piece;
    float epsilon;
    bool add;
} norm_job;

static void norm_forward_piece(void *context, intptr_t piece, int worker) {
    (void)worker;
    const norm_job *j = context;
    intptr_t end = smaller((piece + 1) * j->rows_of_piece, j->rows);
    for (intptr_t r = piece * j->rows_of_piece; r < end; r++)
        for (intptr_t g = 0; g < j->groups; g++) {
            float inverse = j->kernels->rmsnorm_forward(
                j->out + r * j->ldo + g * j->n, j->x + r * j->ldx + g * j->n, j->weight, j->n, j->epsilon);
            if (j->inverse_out) j->inverse_out[r * j->groups + g] = inverse;
        }
}

static void norm_backward_piece(void *context, intptr_t piece, int worker) {
    (void)worker;
    const norm_job *j = context;
    intptr_t end = smaller((piece + 1) * j->rows_of_piece, j->rows);
    for (intptr_t r = piece * j->rows_of_piece; r < end; r++)
        for (intptr_t g = 0; g < j->groups; g++)
            j->kernels->rmsnorm_backward(
                j->out + r * j->ldo + g * j->n, j->add, j->dout + r * j->lddo + g * j->n,
                j->x + r * j->ldx + g * j->n, j->weight, j->inverse[r * j->groups + g], j->n);
}

static void norm_weight_piece(void *context, intptr_t piece, int worker) {
    (void)worker;
    const norm_job *j = context;
    intptr_t at = piece * columns;
    j->kernels->rmsnorm_weight(
        j->dweight, j->dout, j->lddo, j->x, j->ldx, j->inverse, j->rows, j->groups, j->n, at,
        smaller(columns, j->n - at));
}

void pawl_rmsnorm_forward(
    pawl_pool *pool, float *out, intptr_t ldo, float *inverse, const float *x, intptr_t ldx,
    const float *weight, intptr_t rows, intptr_t groups, intptr_t n, float epsilon) {
    norm_job job = {
        .kernels = pool_kernels(pool), .out = out, .ldo = ldo, .inverse_out = inverse, .x = x, .ldx = ldx,
        .weight = weight, .rows = rows, .groups = groups, .n = n, .epsilon = epsilon,
        .rows_of_piece = larger(1, grain / larger(1, groups * n))};
    pool_run(pool, pool_parts(rows, job.rows_of_piece), norm_forward_piece, &job);
}

void pawl_rmsnorm_backward(
    pawl_pool *pool, float *dx, intptr_t lddx, bool add, float *dweight, const float *dout, intptr_t lddo,
    const float *x, intptr_t ldx, const float *weight, const float *inverse, intptr_t rows, intptr_t groups,
    intptr_t n) {
    norm_job job = {
        .kernels = pool_kernels(pool), .out = dx, .ldo = lddx, .add = add, .dweight = dweight, .dout = dout,
        .lddo = lddo, .x = x, .ldx = ldx, .weight = weight, .inverse = inverse, .rows = rows, .groups = groups,
        .n = n, .rows_of_piece = larger(1, grain / larger(1, groups * n))};
    // The weight's gradient first: dx may overwrite dout.
    if (dweight) pool_run(pool, pool_parts(n, columns), norm_weight_piece, &job);
    pool_run(pool, pool_parts(rows, job.rows_of_piece), norm_backward_piece, &job);
}

// MARK: Rotary embedding

void pawl_rope_table(
    float *cosine, float *sine, const double *inverse_frequencies, intptr_t half, intptr_t first,
    intptr_t positions, double attention_factor) {
    for (intptr_t p = 0; p < positions; p++)
        for (intptr_t i = 0; i < half; i++) {
            // The references multiply in fp32, and at 8,192 that moves an angle by up to 5e-4: a model means what
            // its reference computes.
            double angle = (float)(first + p) * (float)inverse_frequencies[i];
            cosine[p * half + i] = (float)(cos(angle) * attention_factor);
            sine[p * half + i] = (float)(sin(angle) * attention_factor);
        }
}

typedef struct {
    const kernel_table *kernels;
    float *x;
    intptr_t ldx;
    const int32_t *positions;
    const float *cosine, *sine;
    intptr_t t, heads, half, rows_of_piece;
    float sign;
} rope_job;

static void rope_piece(void *context, intptr_t piece, int worker) {
    (void)worker;
    const rope_job *j = context;
    intptr_t end = smaller((piece + 1) * j->rows_of_piece, j->t);
    for (intptr_t i = piece * j->rows_of_piece; i < end; i++) {
        intptr_t at = (intptr_t)j->positions[i] * j->half;
        j->kernels->rope(j->x + i * j->ldx, j->cosine + at, j->sine + at, j->sign, j->heads, j->half);
    }
}

static void rotate(
    pawl_pool *pool, float *x, intptr_t ldx, const int32_t *positions, const float *cosine, const float *sine,
    intptr_t t, intptr_t heads, intptr_t e, float sign) {
    rope_job job = {
        pool_kernels(pool), x, ldx, positions, cosine, sine, t, heads, e / 2, larger(1, grain / larger(1, heads * e)),
        sign};
    pool_run(pool, pool_parts(t, job.rows_of_piece), rope_piece, &job);
}

void pawl_rope_forward(
    pawl_pool *pool, float *x, intptr_t ldx, const int32_t *positions, const float *cosine,
    const float *sine, intptr_t t, intptr_t heads, intptr_t e) {
    rotate(pool, x, ldx, positions, cosine, sine, t, heads, e, 1);
}

void pawl_rope_backward(
    pawl_pool *pool, float *dx, intptr_t lddx, const int32_t *positions, const float *cosine,
    const float *sine, intptr_t t, intptr_t heads, intptr_t e) {
    rotate(pool, dx, lddx, positions, cosine, sine, t, heads, e, -1);
}
