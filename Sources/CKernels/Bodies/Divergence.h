// Divergence of a teacher p and a student q over one row of logits, and its gradient with respect to the student's
// logits z (divided by the temperature): for a divergence Σ f(p, q) the gradient is q (g − Σ q g), g = ∂f/∂q.

/// a where the probability is above 0: 0 · log 0 is 0.
INLINE vf where_positive(vf probability, vf a) { return choose(probability == 0.0f, splat(0), a); }

/// log m of the mixture m = beta p + (1 − beta) q, from log p and log q.
INLINE vf log_mixture(vf log_p, vf log_q, float log_beta, float log_rest) {
    vf a = log_p + log_beta, b = log_q + log_rest;
    vi above = a > b;
    vf top = choose(above, a, b), low = choose(above, b, a);
    vi both_gone = top == -INFINITY;
    vf mixed = top + logarithm(exponential(low - top) + 1.0f);
    return choose(both_gone, top, mixed);
}

/// One vector of the terms of a divergence: what the loss adds, and g (less what all elements share).
typedef struct {
    vf loss, g;
} divergence_terms;

INLINE divergence_terms terms(
    pawl_divergence_kind kind, vf log_p, vf log_q, vf p, vf q, float beta, float log_beta, float log_rest) {
    divergence_terms out;
    if (kind == PAWL_FORWARD_KL) {
        out.loss = where_positive(p, p * (log_p - log_q));
        out.g = splat(0);
    } else if (kind == PAWL_REVERSE_KL) {
        out.g = where_positive(q, log_q - log_p);
        out.loss = where_positive(q, q * out.g);
    } else {
        vf log_m = log_mixture(log_p, log_q, log_beta, log_rest);
        out.g = where_positive(q, (log_q - log_m) * (1 - beta));
        out.loss = where_positive(p, p * (log_p - log_m)) * beta + q * out.g;
    }
    return out;
}

INLINE float divergence_of(
    const pawl_divergence_kind kind, float *dx, const float *student, const float *teacher, float weight,
    intptr_t n, row_statistics s, row_statistics t, pawl_divergence_settings settings) {
    float inverse = 1 / settings.temperature, beta = settings.beta;
    float log_beta = logf(beta), log_rest = log1pf(-beta);
    double loss = 0, shared = 0;
    for (intptr_t from = 0; from < n; from += sum_block) {
        intptr_t to = n - from < sum_block ? n : from + sum_block;
        vf loss_sum = {}, shared_sum = {};
        for (intptr_t i = from; i < to; i += WIDTH) {
            vf log_p = log_probability(load_some(teacher + i, to - i, -INFINITY), t, inverse);
            vf log_q = log_probability(load_some(student + i, to - i, -INFINITY), s, inverse);
            vf p = exponential(log_p), q = exponential(log_q);
            divergence_terms x = terms(kind, log_p, log_q, p, q, beta, log_beta, log_rest);
            loss_sum += x.loss;
            if (kind == PAWL_JENSEN_SHANNON) shared_sum += q * x.g;
            // Forward KL needs no second look: its gradient is q − p.
            if (kind == PAWL_FORWARD_KL && dx) store_some(dx + i, (q - p) * (weight * inverse), to - i);
        }
        loss += (double)sum_lanes(loss_sum);
        shared += (double)sum_lanes(shared_sum);
    }
    if (kind == PAWL_FORWARD_KL || !dx) return (float)loss;
    float mean = kind == PAWL_REVERSE_KL ? (float)loss : (float)shared;
    for (intptr_t i = 0; i < n; i += WIDTH) {
        vf log_p = log_probability(load_some(teacher + i, n - i, -INFINITY), t, inverse);
        vf log_q = log_probability(load_some(student + i, n - i, -INFINITY), s, inverse);
        vf p = exponential(log_p), q = exponential(log_q);
        divergence_terms x = terms(kind, log_p, log_q, p, q, beta, log_beta, log_rest);
        store_some(dx + i, q * (x.g - mean) * (weight * inverse), n - i);
    }
    return (float)loss;
}

static float divergence(
    float *dx, const float *student, const float *teacher, float weight, intptr_t n, row_statistics s,
    row_statistics t, pawl_divergence_settings settings) {
    switch (settings.kind) {
    case PAWL_FORWARD_KL:
        return divergence_of(PAWL_FORWARD_KL, dx, student, teacher, weight, n, s, t, settings);
    case PAWL_REVERSE_KL:
        return divergence_of(PAWL_REVERSE_KL, dx, student, teacher, weight, n, s, t, settings);
    default:
        return divergence_of(PAWL_JENSEN_SHANNON, dx, student, teacher, weight, n, s, t, settings);
    }
}
