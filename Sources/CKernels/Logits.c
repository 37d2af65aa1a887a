// Rows of logits: softmax, likelihood, cross-entropy, divergence. A row is a piece of work.
#include "Pool.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

typedef struct {
    pawl_pool *pool;
    const kernel_table *kernels;
    float *out, *loss;
    int32_t *indices;
    const float *x, *teacher, *weights;
    const int32_t *targets;
    intptr_t v, k;
    float inverse_temperature;
    bool renormalise;
    pawl_divergence_settings settings;
    atomic_bool failed;
} logits_job;

static float weight_of(const logits_job *j, intptr_t row) { return j->weights ? j->weights[row] : 1; }

// MARK: Softmax and its like

static void softmax_row(void *context, intptr_t r, int worker) {
    (void)worker;
    const logits_job *j = context;
    const float *x = j->x + r * j->v;
    row_statistics s = j->kernels->statistics(x, j->v, j->inverse_temperature);
    j->kernels->softmax(j->out + r * j->v, x, j->v, j->inverse_temperature, s);
}

static void log_softmax_row(void *context, intptr_t r, int worker) {
    (void)worker;
    const logits_job *j = context;
    const float *x = j->x + r * j->v;
    row_statistics s = j->kernels->statistics(x, j->v, j->inverse_temperature);
    j->kernels->log_softmax(j->out + r * j->v, x, j->v, j->inverse_temperature, s);
}

static void argmax_row(void *context, intptr_t r, int worker) {
    (void)worker;
    const logits_job *j = context;
    j->indices[r] = (int32_t)j->kernels->argmax(j->x + r * j->v, j->v);
}

static void likelihood_row(void *context, intptr_t r, int worker) {
    (void)worker;
    const logits_job *j = context;
    const float *x = j->x + r * j->v;
    row_statistics s = j->kernels->statistics(x, j->v, 1);
    j->out[r] = x[j->targets[r]] - s.largest - s.log_sum;
}

void pawl_softmax(
    pawl_pool *pool, float *out, const float *x, intptr_t rows, intptr_t v, float temperature) {
    logits_job job = {
        .kernels = pool_kernels(pool), .out = out, .x = x, .v = v, .inverse_temperature = 1 / temperature};
    pool_run(pool, rows, softmax_row, &job);
}

void pawl_log_softmax(
    pawl_pool *pool, float *out, const float *x, intptr_t rows, intptr_t v, float temperature) {
    logits_job job = {
        .kernels = pool_kernels(pool), .out = out, .x = x, .v = v, .inverse_temperature = 1 / temperature};
    pool_run(pool, rows, log_softmax_row, &job);
}

void pawl_argmax(pawl_pool *pool, int32_t *out, const float *x, intptr_t rows, intptr_t v) {
    logits_job job = {.kernels = pool_kernels(pool), .indices = out, .x = x, .v = v};
    pool_run(pool, rows, argmax_row, &job);
}

pawl_status pawl_log_likelihood(
    pawl_pool *pool, float *out, const float *x, const int32_t *targets, intptr_t rows, intptr_t v) {
    for (intptr_t r = 0; r < rows; r++)
        if (targets[r] < 0 || targets[r] >= v) return PAWL_OUT_OF_RANGE;
    logits_job job = {.kernels = pool_kernels(pool), .out = out, .x = x, .targets = targets, .v = v};
    pool_run(pool, rows, likelihood_row, &job);
    return PAWL_OK;
}

// MARK: The largest of a row

/// Whether x comes before y: larger; a NaN comes last.
static bool before(float x, float y) { return x > y || (y != y && x == x); }

static void top_k_row(void *context, intptr_t r, int worker) {
    (void)worker;
    const logits_job *j = context;
    const float *x = j->x + r * j->v;
    int32_t *indices = j->indices + r * j->k;
    float *values = j->out + r * j->k;
    intptr_t count = 0;
    for (intptr_t i = 0; i < j->v; i++) {
        if (count == j->k && !before(x[i], values[count - 1])) continue;
        intptr_t at = count < j->k ? count++ : count - 1;
        for (; at > 0 && before(x[i], values[at - 1]); at--) {
            values[at] = values[at - 1];
            indices[at] = indices[at - 1];
        }
        values[at] = x[i];
        indices[at] = (int32_t)i;
    }
}

pawl_status pawl_top_k(
    pawl_pool *pool, int32_t *indices, float *values, const float *x, intptr_t rows, intptr_t v, intptr_t k) {
    if (k < 1 || k > v) return PAWL_OUT_OF_RANGE;
    logits_job job = {
        .kernels = pool_kernels(pool), .out = values, .indices = indices, .x = x, .v = v, .k = k};
    pool_run(pool, rows, top_k_row, &job);
    return PAWL_OK;
}

// MARK: Draws

typedef struct {
    const kernel_table *kernels;
    int32_t *out;
    double *totals;
    const float *x;
    const double *shares;
    intptr_t v;
} draw_job;

/// Sums are taken block by block, so that a draw adds one by one within a single block only.
static void draw_row(void *context, intptr_t r, int worker) {
    (void)worker;
    enum { block = 1024 };
    const draw_job *j = context;
    const float *x = j->x + r * j->v;
    double total = 0;
    for (intptr_t at = 0; at < j->v; at += block) total += j->kernels->sum(x + at, smaller(block, j->v - at));
    j->totals[r] = total;
    double rest = total * j->shares[r];
    for (intptr_t at = 0; at < j->v; at += block) {
        intptr_t count = smaller(block, j->v - at);
        double sum = j->kernels->sum(x + at, count);
        if (rest >= sum) {
            rest -= sum;
            continue;
        }
        for (intptr_t i = at; i < at + count; i++) {
            rest -= (double)x[i];
            if (rest < 0 && x[i] > 0) {
                j->out[r] = (int32_t)i;
                return;
            }
        }
    }
    // Rounding left a little after the last: then it is the last that can be drawn at all.
    intptr_t last = j->v - 1;
    while (last > 0 && !(x[last] > 0)) last--;
    j->out[r] = (int32_t)last;
}

void pawl_draw(
    pawl_pool *pool, int32_t *out, double *totals, const float *x, const double *shares, intptr_t rows,
    intptr_t v) {
    draw_job job = {pool_kernels(pool), out, totals, x, shares, v};
    pool_run(pool, rows, draw_row, &job);
}

// MARK: Cross-entropy

static void cross_entropy_row(void *context, intptr_t r, int worker) {
    (void)worker;
    const logits_job *j = context;
    const float *x = j->x + r * j->v;
    float *dx = j->out ? j->out + r * j->v : NULL, weight = weight_of(j, r);
    int32_t target = j->targets[r];
    if (target < 0) {
        j->loss[r] = 0;
        if (dx) memset(dx, 0, (size_t)j->v * sizeof(float));
        return;
    }
    row_statistics s = j->kernels->statistics(x, j->v, 1);
    j->loss[r] = s.log_sum - (x[target] - s.largest);
    if (!dx) return;
    j->kernels->softmax(dx, x, j->v, 1, s);
    dx[target] -= 1;
    j->kernels->scale(dx, weight, j->v);
}

pawl_status pawl_cross_entropy(
    pawl_pool *pool, float *loss, float *dx, const float *x, const int32_t *targets, const float *weights,
    intptr_t rows, intptr_t v) {
    for (intptr_t r = 0; r < rows; r++)
        if (targets[r] >= v) return PAWL_OUT_OF_RANGE;
    logits_job job = {
        .kernels = pool_kernels(pool), .out = dx, .loss = loss, .x = x, .targets = targets, .weights = weights,
        .v = v};
    pool_run(pool, rows, cross_entropy_row, &job);
    return PAWL_OK;
}

// MARK: Divergence

/// Rows without weight have neither loss nor gradient. Whether this is one.
static bool skip(const logits_job *j, intptr_t r, float *dx) {
    if (weight_of(j, r) != 0) return false;
    j->loss[r] = 0;
    if (dx) memset(dx, 0, (size_t)j->v * sizeof(float));
    return true;
}

static void divergence_row(void *context, intptr_t r, int worker) {
    (void)worker;
    const logits_job *j = context;
    const float *student = j->x + r * j->v, *teacher = j->teacher + r * j->v;
    float *dx = j->out ? j->out + r * j->v : NULL;
    if (skip(j, r, dx)) return;
    row_statistics s = j->kernels->statistics(student, j->v, j->inverse_temperature);
    row_statistics t = j->kernels->statistics(teacher, j->v, j->inverse_temperature);
    j->loss[r] = j->kernels->divergence(dx, student, teacher, weight_of(j, r), j->v, s, t, j->settings);
}

void pawl_divergence(
    pawl_pool *pool, float *loss, float *dstudent, const float *student, const float *teacher,
    const float *weights, intptr_t rows, intptr_t v, pawl_divergence_settings settings) {
    logits_job job = {
        .kernels = pool_kernels(pool), .out = dstudent, .loss = loss, .x = student, .teacher = teacher,
        .weights = weights, .v = v, .inverse_temperature = 1 / settings.temperature, .settings = settings};
    pool_run(pool, rows, divergence_row, &job);
}

/// f(p, q) and g = ∂f/∂q of one element, where q is not renormalised.
static double open_term(double log_p, double log_q, const pawl_divergence_settings *s, double *g) {
    double p = exp(log_p), q = exp(log_q);
    if (s->kind == PAWL_FORWARD_KL) {
        *g = q > 0 ? -p / q : 0;
        return p > 0 ? p * (log_p - log_q) : 0;
    }
    if (s->kind == PAWL_REVERSE_KL) {
        *g = q > 0 ? log_q - log_p + 1 : 0;
        return q > 0 ? q * (log_q - log_p) : 0;
    }
    double beta = s->beta, log_m = log(beta * p + (1 - beta) * q);
    *g = q > 0 ? (1 - beta) * (log_q - log_m) : 0;
    return (p > 0 ? beta * p * (log_p - log_m) : 0) + q * *g;
}

/// The student is its softmax over all V; the divergence sums over the support alone. `picked` are its logits there.
static float open_support(
    const logits_job *j, intptr_t r, float *dx, const float *student, const float *picked, float *gradient) {
    const int32_t *support = j->targets + r * j->k;
    const float *teacher = j->teacher + r * j->k;
    float inverse = j->inverse_temperature, weight = weight_of(j, r) * inverse;
    row_statistics t = j->kernels->statistics(teacher, j->k, inverse);
    row_statistics s = j->kernels->statistics(student, j->v, inverse);
    double loss = 0, shared = 0;
    for (intptr_t i = 0; i < j->k; i++) {
        double log_p = (double)(teacher[i] - t.largest) * inverse - t.log_sum;
        double log_q = (double)(picked[i] - s.largest) * inverse - s.log_sum, g;
        loss += open_term(log_p, log_q, &j->settings, &g);
        double along = j->settings.kind == PAWL_FORWARD_KL ? -exp(log_p) : exp(log_q) * g;
        shared += along;
        gradient[i] = (float)along;
    }
    if (dx) {
        j->kernels->softmax(dx, student, j->v, inverse, s);
        j->kernels->scale(dx, (float)-shared * weight, j->v);
        for (intptr_t i = 0; i < j->k; i++) dx[support[i]] += gradient[i] * weight;
    }
    return (float)loss;
}

static void top_k_divergence_row(void *context, intptr_t r, int worker) {
    logits_job *j = context;
    const float *student = j->x + r * j->v, *teacher = j->teacher + r * j->k;
    const int32_t *support = j->targets + r * j->k;
    float *dx = j->out ? j->out + r * j->v : NULL;
    if (skip(j, r, dx)) return;
    float *picked = pool_scratch(j->pool, worker, scratch_work, (size_t)j->k * 2 * sizeof(float));
    if (!picked) {
        atomic_store_explicit(&j->failed, true, memory_order_relaxed);
        return;
    }
    float *gradient = picked + j->k;
    for (intptr_t i = 0; i < j->k; i++) picked[i] = student[support[i]];
    if (!j->renormalise) {
        j->loss[r] = open_support(j, r, dx, student, picked, gradient);
        return;
    }
    row_statistics s = j->kernels->statistics(picked, j->k, j->inverse_temperature);
    row_statistics t = j->kernels->statistics(teacher, j->k, j->inverse_temperature);
    j->loss[r] = j->kernels->divergence(
        dx ? gradient : NULL, picked, teacher, weight_of(j, r), j->k, s, t, j->settings);
    if (!dx) return;
    memset(dx, 0, (size_t)j->v * sizeof(float));
    for (intptr_t i = 0; i < j->k; i++) dx[support[i]] = gradient[i];
}

pawl_status pawl_divergence_top_k(
    pawl_pool *pool, float *loss, float *dstudent, const float *student, const int32_t *support,
    const float *teacher, const float *weights, intptr_t rows, intptr_t v, intptr_t k,
    bool renormalise_student, pawl_divergence_settings settings) {
    for (intptr_t i = 0; i < rows * k; i++)
        if (support[i] < 0 || support[i] >= v) return PAWL_OUT_OF_RANGE;
    logits_job job = {
        .pool = pool, .kernels = pool_kernels(pool), .out = dstudent, .loss = loss, .x = student,
        .teacher = teacher, .weights = weights, .targets = support, .v = v, .k = k,
        .inverse_temperature = 1 / settings.temperature, .renormalise = renormalise_student, .settings = settings};
    pool_run(pool, rows, top_k_divergence_row, &job);
    return atomic_load(&job.failed) ? PAWL_OUT_OF_MEMORY : PAWL_OK;
}
