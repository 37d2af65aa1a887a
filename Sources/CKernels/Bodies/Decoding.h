// One query token over cached keys.

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
