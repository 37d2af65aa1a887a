// One query token over cached keys.

/// Scores of up to `lane_group` keys from `first` on; less only at the end.
INLINE void score_keys(float *scores, const float *q, const decoding_piece *piece, pawl_type type, intptr_t first) {
    intptr_t e = piece->head_size, count = piece->keys - first;
    vf totals[lane_group] = {};
    for (intptr_t i = 0; i < e; i += WIDTH) {
        vf x = load_some(q + i, e - i, 0);
#pragma clang loop unroll(full)
        for (int key = 0; key < lane_group; key++) {
            // Beyond the end the last key stands in; its score is not used.
            intptr_t at = first + (key < count ? key : count - 1);
            totals[key] = multiply_add(x, load_element(piece->k, type, at * piece->stride + i, e - i), totals[key]);
        }
    }
    sum_lanes_of_group(totals, scores);
    for (int key = 0; key < lane_group; key++) scores[key] *= piece->scale;
}

/// Adds the values of `count` keys, weighted, to some vectors of a query's sums from component `i` on: several at a time,
/// since each addition to one waits for the last.
INLINE void add_values(
    const int vectors, float *sums, const float *weights, const decoding_piece *piece, pawl_type type, intptr_t first,
    intptr_t count, intptr_t i) {
    intptr_t left = vectors > 1 ? vectors * WIDTH : piece->head_size - i;
    vf totals[4];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) totals[v] = load_some(sums + i + v * WIDTH, left - v * WIDTH, 0);
    for (intptr_t key = 0; key < count; key++) {
        vf weight = splat(weights[key]);
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            intptr_t at = (first + key) * piece->stride + i + v * WIDTH;
            totals[v] = multiply_add(load_element(piece->v, type, at, left - v * WIDTH), weight, totals[v]);
        }
    }
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) store_some(sums + i + v * WIDTH, totals[v], left - v * WIDTH);
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
            for (intptr_t key = 0; key < count; key += lane_group)
                score_keys(scores + key, q, piece, type, first + key);
            for (intptr_t key = 0; key < count; key++)
                if (!(scores[key] <= top)) top = scores[key];
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
            intptr_t i = 0;
            for (; i + 4 * WIDTH <= e; i += 4 * WIDTH) add_values(4, sums, scores, piece, type, first, count, i);
            for (; i < e; i += WIDTH) add_values(1, sums, scores, piece, type, first, count, i);
        }
    }
}

static void attention_decode(const decoding_piece *piece) {
    if (piece->type == PAWL_BF16)
        decode(piece, PAWL_BF16);
    else
        decode(piece, PAWL_F32);
}
