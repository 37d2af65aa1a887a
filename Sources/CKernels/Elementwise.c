#include "Pool.h"

#include <math.h>

/// Elements of one piece of work: some microseconds of it, and its operands fit a core's own cache.
enum { grain = 16384, columns = 64 };

// MARK: One element after the other

/// A kernel over `count` elements in pieces of `grain`.
typedef struct {
    const kernel_table *kernels;
    void *out;
    const void *in;
    float factor;
    intptr_t count;
} span;

static intptr_t span_length(const span *s, intptr_t piece) { return smaller(grain, s->count - piece * grain); }

#define SPAN(name, statement)                                              \
    static void name##_piece(void *context, intptr_t piece, int worker) {  \
        (void)worker;                                                      \
        const span *s = context;                                           \
        intptr_t at = piece * grain, n = span_length(s, piece);            \
        statement;                                                         \
    }

SPAN(bf16_from_f32, s->kernels->bf16_from_f32((uint16_t *)s->out + at, (const float *)s->in + at, n))
SPAN(f32_from_bf16, s->kernels->f32_from_bf16((float *)s->out + at, (const uint16_t *)s->in + at, n))
SPAN(f32_from_f16, s->kernels->f32_from_f16((float *)s->out + at, (const uint16_t *)s->in + at, n))
SPAN(add, s->kernels->add((float *)s->out + at, (const float *)s->in + at, n))
SPAN(scale, s->kernels->scale((float *)s->out + at, s->factor, n))
SPAN(ema, s->kernels->ema((float *)s->out + at, (const float *)s->in + at, s->factor, n))
SPAN(squared_norm, ((double *)s->out)[piece] = s->kernels->squared_norm((const float *)s->in + at, n))

static void run_span(pawl_pool *pool, span s, pool_work work) {
    s.kernels = pool_kernels(pool);
    pool_run(pool, pool_parts(s.count, grain), work, &s);
}

void pawl_bf16_from_f32(pawl_pool *pool, uint16_t *out, const float *in, intptr_t count) {
    run_span(pool, (span){.out = out, .in = in, .count = count}, bf16_from_f32_piece);
}

void pawl_f32_from_bf16(pawl_pool *pool, float *out, const uint16_t *in, intptr_t count) {
    run_span(pool, (span){.out = out, .in = in, .count = count}, f32_from_bf16_piece);
}

void pawl_f32_from_f16(pawl_pool *pool, float *out, const uint16_t *in, intptr_t count) {
    run_span(pool, (span){.out = out, .in = in, .count = count}, f32_from_f16_piece);
}

void pawl_add(pawl_pool *pool, float *x, const float *y, intptr_t count) {
    run_span(pool, (span){.out = x, .in = y, .count = count}, add_piece);
}

void pawl_scale(pawl_pool *pool, float *x, float factor, intptr_t count) {
    run_span(pool, (span){.out = x, .factor = factor, .count = count}, scale_piece);
}

void pawl_ema(pawl_pool *pool, float *average, const float *x, float rate, intptr_t count) {
    run_span(pool, (span){.out = average, .in = x, .factor = rate, .count = count}, ema_piece);
}

double pawl_squared_norm(pawl_pool *pool, const float *x, intptr_t count) {
    // Rounds of pieces, so that the partial sums need no allocation; the order is that of the pieces.
    enum { round = 256 };
    double partial[round], total = 0;
    for (intptr_t at = 0; at < count; at += round * grain) {
        intptr_t n = smaller(round * grain, count - at), pieces = pool_parts(n, grain);
        run_span(pool, (span){.out = partial, .in = x + at, .count = n}, squared_norm_piece);
        for (intptr_t i = 0; i < pieces; i++) total += partial[i];
    }
    return total;
}

// MARK: Optimizer

typedef struct {
    const kernel_table *kernels;
    float *w, *m, *v;
    const float *gradient;
    uint16_t *rounded;
    intptr_t count;
    adamw_constants constants;
} adamw_job;

static void adamw_piece(void *context, intptr_t piece, int worker) {
    (void)worker;
    const adamw_job *job = context;
    intptr_t at = piece * grain;
    job->kernels->adamw(
        job->w + at, job->m + at, job->v + at, job->gradient + at, job->rounded ? job->rounded + at : NULL,
        smaller(grain, job->count - at), &job->constants);
}

void pawl_adamw(
    pawl_pool *pool, float *w, float *m, float *v, const float *gradient, uint16_t *rounded, intptr_t count,
    const pawl_adamw_settings *s) {
    double correction1 = 1 - pow(s->beta1, (double)s->step), correction2 = 1 - pow(s->beta2, (double)s->step);
    adamw_job job = {
        .kernels = pool_kernels(pool),
        .w = w,
        .m = m,
        .v = v,
        .gradient = gradient,
        .rounded = rounded,
        .count = count,
        .constants = {
            .decay = (float)(1 - s->learning_rate * s->weight_decay),
            .rest1 = (float)(1 - s->beta1),
            .beta2 = (float)s->beta2,
            .rest2 = (float)(1 - s->beta2),
            .step_size = (float)(s->learning_rate / correction1),
            .inverse_correction = (float)(1 / sqrt(correction2)),
            .epsilon = (float)s->epsilon,
            .gradient_scale = (float)s->gradient_scale,
        },
    };
    pool_run(pool, pool_parts(count, grain), adamw_piece, &job);
}

// MARK: Rows and columns

typedef struct {
    const kernel_table *kernels;
    float *out, *out2;
    const float *dout, *in, *in2;
    intptr_t ld, rows, n, rows_of_piece;
} rows_job;

static void run_rows(pawl_pool *pool, rows_job job, pool_work work) {
    job.kernels = pool_kernels(pool);
    job.rows_of_piece = larger(1, grain / larger(1, job.n));
    pool_run(pool, pool_parts(job.rows, job.rows_of_piece), work, &job);
}

#define ROWS(name, statement)                                                                        \
    static void name##_piece(void *context, intptr_t piece, int worker) {                            \
        (void)worker;                                                                                \
        const rows_job *j = context;                                                                 \
        intptr_t r = piece * j->rows_of_piece, end = smaller(r + j->rows_of_piece, j->rows);         \
        for (; r < end; r++) statement;                                                              \
    }

ROWS(bias_add, j->kernels->add(j->out + r * j->ld, j->in, j->n))
ROWS(swiglu_forward, j->kernels->swiglu_forward(j->out + r * j->n, j->in + r * j->ld, j->in2 + r * j->ld, j->n))
ROWS(
    swiglu_backward,
    j->kernels->swiglu_backward(
        j->out + r * j->ld, j->out2 + r * j->ld, j->dout + r * j->n, j->in + r * j->ld, j->in2 + r * j->ld, j->n))
ROWS(row_sums, ((double *)(void *)j->out)[r] = j->kernels->sum(j->in + r * j->ld, j->n))

void pawl_bias_add(pawl_pool *pool, float *x, intptr_t ldx, const float *bias, intptr_t rows, intptr_t n) {
    run_rows(pool, (rows_job){.out = x, .in = bias, .ld = ldx, .rows = rows, .n = n}, bias_add_piece);
}

void pawl_swiglu_forward(
    pawl_pool *pool, float *out, const float *gate, const float *up, intptr_t ld, intptr_t rows, intptr_t f) {
    run_rows(
        pool, (rows_job){.out = out, .in = gate, .in2 = up, .ld = ld, .rows = rows, .n = f}, swiglu_forward_piece);
}

void pawl_swiglu_backward(
    pawl_pool *pool, float *dgate, float *dup, const float *dout, const float *gate, const float *up,
    intptr_t ld, intptr_t rows, intptr_t f) {
    run_rows(
        pool,
        (rows_job){
            .out = dgate, .out2 = dup, .dout = dout, .in = gate, .in2 = up, .ld = ld, .rows = rows, .n = f},
        swiglu_backward_piece);
}

void pawl_row_sums(pawl_pool *pool, double *out, const float *x, intptr_t ldx, intptr_t rows, intptr_t n) {
    run_rows(
        pool, (rows_job){.out = (float *)(void *)out, .in = x, .ld = ldx, .rows = rows, .n = n}, row_sums_piece);
}

static void column_sums_piece(void *context, intptr_t piece, int worker) {
    (void)worker;
    const rows_job *j = context;
    intptr_t at = piece * columns;
    j->kernels->column_sums(j->out + at, j->in + at, j->ld, j->rows, smaller(columns, j->n - at));
}

void pawl_bias_backward(
    pawl_pool *pool, float *dbias, const float *dx, intptr_t lddx, intptr_t rows, intptr_t n) {
    rows_job job = {.kernels = pool_kernels(pool), .out = dbias, .in = dx, .ld = lddx, .rows = rows, .n = n};
    pool_run(pool, pool_parts(n, columns), column_sums_piece, &job);
}
