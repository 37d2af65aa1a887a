// One row of logits: softmax, its logarithm, the largest element.

/// Sums are taken in float over this many elements at most, then in double.
enum { sum_block = 64 * WIDTH };

static row_statistics statistics(const float *x, intptr_t n, float inverse_temperature) {
    vf best = splat(-INFINITY);
    for (intptr_t i = 0; i < n; i += WIDTH) best = largest_of(best, load_some(x + i, n - i, -INFINITY));
    // A NaN may hide behind a later comparison: the sum of exponentials shows it.
    float largest = largest_lane(best);
    double total = 0;
    for (intptr_t from = 0; from < n; from += sum_block) {
        intptr_t to = n - from < sum_block ? n : from + sum_block;
        vf sum = {};
        for (intptr_t i = from; i < to; i += WIDTH)
            sum += exponential((load_some(x + i, to - i, -INFINITY) - largest) * inverse_temperature);
        total += (double)sum_lanes(sum);
    }
    return (row_statistics){largest, (float)log(total)};
}

/// log softmax of a vector of logits.
INLINE vf log_probability(vf x, row_statistics s, float inverse_temperature) {
    return (x - s.largest) * inverse_temperature - s.log_sum;
}

static void softmax(float *out, const float *x, intptr_t n, float inverse_temperature, row_statistics s) {
    for (intptr_t i = 0; i < n; i += WIDTH)
        store_some(out + i, exponential(log_probability(load_some(x + i, n - i, 0), s, inverse_temperature)), n - i);
}

static void log_softmax(float *out, const float *x, intptr_t n, float inverse_temperature, row_statistics s) {
    for (intptr_t i = 0; i < n; i += WIDTH)
        store_some(out + i, log_probability(load_some(x + i, n - i, 0), s, inverse_temperature), n - i);
}

/// The first NaN if there is one, else the first of the largest.
static intptr_t argmax(const float *x, intptr_t n) {
    vf best = splat(-INFINITY);
    vi unordered = {};
    for (intptr_t i = 0; i < n; i += WIDTH) {
        vf value = load_some(x + i, n - i, -INFINITY);
        best = largest_of(best, value);
        unordered |= value != value;
    }
    bool has_nan = false;
    for (int lane = 0; lane < WIDTH; lane++) has_nan |= unordered[lane] != 0;
    float largest = has_nan ? NAN : largest_lane(best);
    for (intptr_t i = 0; i < n; i++)
        if (has_nan ? x[i] != x[i] : x[i] == largest) return i;
    return 0;
}
