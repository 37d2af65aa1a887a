// Attention in tiles of keys: the softmax is corrected as larger scores appear (forward) or recomputed from the kept log
// of the sum (backward), so that no row of all scores exists. The G = H / K query heads that share a key/value head are
// rows of one product: row token · G + head.

enum {
    /// Keys of a tile.
    tile_keys = 64,
    /// Query rows of a tile, about.
    tile_queries = 96,
};

/// A tile of keys: `first` counts from the sequence's own first key, and is negative in the prefix.
typedef struct {
    const float *k, *v;
    intptr_t ldk, ldv, first, count;
    bool is_prefix;
} key_tile;

/// The tile at `first`; it ends at the prefix's end, or before `end`.
static key_tile key_tile_at(const attention_piece *piece, intptr_t first, intptr_t end) {
    const pawl_attention *a = piece->attention;
    key_tile tile = {.first = first, .is_prefix = first < 0};
    intptr_t stop = tile.is_prefix ? 0 : end;
    tile.count = stop - first < tile_keys ? stop - first : tile_keys;
    if (tile.is_prefix) {
        intptr_t row = piece->prefix_length + first;
        tile.ldk = piece->ld_prefix_k;
        tile.ldv = piece->ld_prefix_v;
        tile.k = piece->prefix_k + row * tile.ldk + piece->kv_head * a->head_size;
        tile.v = piece->prefix_v + row * tile.ldv + piece->kv_head * a->head_size;
    } else {
        intptr_t token = a->starts[piece->sequence] + first;
        tile.ldk = a->ldk;
        tile.ldv = a->ldv;
        tile.k = a->k + token * a->ldk + piece->kv_head * a->head_size;
        tile.v = a->v + token * a->ldv + piece->kv_head * a->head_size;
    }
    return tile;
}

/// The first key that the token sees.
INLINE intptr_t first_key(const attention_piece *piece, intptr_t token) {
    intptr_t first = -piece->prefix_length, window = piece->attention->window;
    return window > 0 && token - window + 1 > first ? token - window + 1 : first;
}

/// out[E, tile_keys] = the transpose of x[count, E], zeros after `count`.
static void transpose_tile(float *out, const float *x, intptr_t ld, intptr_t count, intptr_t e) {
    for (intptr_t i = 0; i < e; i++) {
        for (intptr_t key = 0; key < count; key++) out[i * tile_keys + key] = x[key * ld + i];
        for (intptr_t key = count; key < tile_keys; key++) out[i * tile_keys + key] = 0;
    }
}

/// out[count, padded E] = x[count, E].
static void copy_tile(float *out, const float *x, intptr_t ld, intptr_t count, intptr_t e) {
    intptr_t wide = padded(e);
    for (intptr_t key = 0; key < count; key++)
        for (intptr_t i = 0; i < wide; i += WIDTH)
            store(out + key * wide + i, i < e ? load_some(x + key * ld + i, e - i, 0) : splat(0));
}

/// Rows (token · G + head) of the tokens first ..< last of q or its like, times `factor`.
static void gather_rows(
    float *out, const float *x, intptr_t ldx, const attention_piece *piece, intptr_t first, intptr_t last,
    float factor) {
    const pawl_attention *a = piece->attention;
    intptr_t e = a->head_size, group = a->heads / a->kv_heads, wide = padded(e);
    for (intptr_t token = first; token < last; token++) {
        const float *row = x + (a->starts[piece->sequence] + token) * ldx + piece->kv_head * group * e;
        for (intptr_t g = 0; g < group; g++, out += wide)
            for (intptr_t i = 0; i < wide; i += WIDTH)
                store(out + i, i < e ? load_some(row + g * e + i, e - i, 0) * factor : splat(0));
    }
}

/// Scores of keys that the token does not see become -inf: before its window, after itself, past the tile's end.
INLINE void hide_unseen(float *scores, const attention_piece *piece, const key_tile *tile, intptr_t token) {
    intptr_t from = first_key(piece, token) - tile->first, to = token + 1 - tile->first;
    if (to > tile->count) to = tile->count;
    for (intptr_t key = 0; key < from && key < tile_keys; key++) scores[key] = -INFINITY;
    for (intptr_t key = to > 0 ? to : 0; key < tile_keys; key++) scores[key] = -INFINITY;
}

// MARK: Forward

static size_t attention_forward_scratch(const pawl_attention *a, intptr_t tokens) {
    size_t wide = (size_t)padded(a->head_size), rows = (size_t)(tokens * (a->heads / a->kv_heads));
    return rows * (2 * wide + tile_keys + 2) + tile_keys * ((size_t)a->head_size + wide);
}

/// One row's tile of scores becomes exp(score − largest so far); corrects what the row has summed.
INLINE void soften_row(float *scores, float *sums, float *largest, float *total, intptr_t wide) {
    vf best = load(scores);
    for (intptr_t key = WIDTH; key < tile_keys; key += WIDTH) best = largest_of(best, load(scores + key));
    float top = largest_lane(best);
    if (top == -INFINITY) {
        memset(scores, 0, tile_keys * sizeof *scores);
        return;
    }
    if (!(top <= *largest)) {
        float factor = *largest == -INFINITY ? 0 : expf(*largest - top);
        for (intptr_t i = 0; i < wide; i += WIDTH) store(sums + i, load(sums + i) * factor);
        *total *= factor;
        *largest = top;
    }
    vf sum = splat(0);
    for (intptr_t key = 0; key < tile_keys; key += WIDTH) {
        vf p = exponential(load(scores + key) - *largest);
        store(scores + key, p);
        sum += p;
    }
    *total += sum_lanes(sum);
}

static void attention_forward(float *out, intptr_t ldo, float *lse, const attention_piece *piece) {
    const pawl_attention *a = piece->attention;
    intptr_t e = a->head_size, wide = padded(e), group = a->heads / a->kv_heads;
    intptr_t rows = (piece->last - piece->first) * group;
    float *q = piece->scratch, *sums = q + rows * wide, *values = sums + rows * wide;
    float *keys = values + tile_keys * wide, *scores = keys + tile_keys * e, *largest = scores + rows * tile_keys;
    float *totals = largest + rows;
    gather_rows(q, a->q, a->ldq, piece, piece->first, piece->last, a->scale);
    memset(sums, 0, (size_t)(rows * wide) * sizeof *sums);
    for (intptr_t r = 0; r < rows; r++) {
        largest[r] = -INFINITY;
        totals[r] = 0;
    }
    key_tile tile;
    for (intptr_t at = first_key(piece, piece->first); at < piece->last; at += tile.count) {
        tile = key_tile_at(piece, at, piece->last);
        transpose_tile(keys, tile.k, tile.ldk, tile.count, e);
        copy_tile(values, tile.v, tile.ldv, tile.count, e);
        // Rows before the tile's first key see none of it.
        intptr_t begin = at > piece->first ? (at - piece->first) * group : 0;
        tile_product(
            scores + begin * tile_keys, tile_keys, q + begin * wide, wide, 1, keys, tile_keys, rows - begin,
            tile_keys, e, false);
        for (intptr_t r = begin; r < rows; r++) {
            hide_unseen(scores + r * tile_keys, piece, &tile, piece->first + r / group);
            soften_row(scores + r * tile_keys, sums + r * wide, largest + r, totals + r, wide);
        }
        tile_product(
            sums + begin * wide, wide, scores + begin * tile_keys, tile_keys, 1, values, wide, rows - begin, wide,
            tile.count, true);
    }
    for (intptr_t r = 0; r < rows; r++) {
        intptr_t token = a->starts[piece->sequence] + piece->first + r / group;
        intptr_t head = piece->kv_head * group + r % group;
        for (intptr_t i = 0; i < e; i += WIDTH)
            store_some(out + token * ldo + head * e + i, load(sums + r * wide + i) / totals[r], e - i);
        if (lse) lse[token * a->heads + head] = largest[r] + logf(totals[r]);
    }
}

// MARK: Backward

/// What the backward pass of one key/value head of one sequence holds; rows are all its tokens · G.
typedef struct {
    float *q, *dout, *dq, *delta, *lse;
    float *keys, *values, *rows_of_keys, *p, *dp, *dk, *dv;
} backward_memory;

static size_t attention_backward_scratch(const pawl_attention *a, intptr_t tokens) {
    size_t e = (size_t)a->head_size, wide = (size_t)padded(a->head_size);
    size_t rows = (size_t)(tokens * (a->heads / a->kv_heads));
    return rows * (3 * wide + 2) + tile_keys * (2 * e + 3 * wide + 2 * tile_queries);
}

static backward_memory lay_out(const attention_piece *piece, intptr_t rows) {
    intptr_t e = piece->attention->head_size, wide = padded(e);
    backward_memory m;
    m.q = piece->scratch;
    m.dout = m.q + rows * wide;
    m.dq = m.dout + rows * wide;
    m.delta = m.dq + rows * wide;
    m.lse = m.delta + rows;
    m.keys = m.lse + rows;
    m.values = m.keys + tile_keys * e;
    m.rows_of_keys = m.values + tile_keys * e;
    m.p = m.rows_of_keys + tile_keys * wide;
    m.dp = m.p + tile_keys * tile_queries;
    m.dk = m.dp + tile_keys * tile_queries;
    m.dv = m.dk + tile_keys * wide;
    return m;
}

/// delta = Σ dout · out of a row, and its log-sum.
static void row_constants(const backward_memory *m, const attention_gradients *g, const attention_piece *piece,
    intptr_t rows) {
    const pawl_attention *a = piece->attention;
    intptr_t e = a->head_size, group = a->heads / a->kv_heads;
    for (intptr_t r = 0; r < rows; r++) {
        intptr_t token = a->starts[piece->sequence] + r / group, head = piece->kv_head * group + r % group;
        m->lse[r] = g->lse[token * a->heads + head];
        m->delta[r] = (float)product_sum(
            g->dout + token * g->lddo + head * e, g->out + token * g->ldo + head * e, NULL, e);
    }
}

/// p = exp(score − lse) and dscore = p · (dp − delta) of `count` rows from `row`.
static void probabilities(
    const backward_memory *m, const attention_piece *piece, const key_tile *tile, intptr_t row, intptr_t count) {
    intptr_t group = piece->attention->heads / piece->attention->kv_heads;
    for (intptr_t r = 0; r < count; r++) {
        float *p = m->p + r * tile_keys, *dp = m->dp + r * tile_keys;
        hide_unseen(p, piece, tile, (row + r) / group);
        for (intptr_t key = 0; key < tile_keys; key += WIDTH) {
            vf probability = exponential(load(p + key) - m->lse[row + r]);
            store(p + key, probability);
            store(dp + key, probability * (load(dp + key) - m->delta[row + r]));
        }
    }
}

/// The gradients of one tile of keys, from every row that sees one of them.
static void backward_tile(
    const backward_memory *m, const attention_piece *piece, const key_tile *tile, intptr_t rows) {
    const pawl_attention *a = piece->attention;
    intptr_t e = a->head_size, wide = padded(e), group = a->heads / a->kv_heads;
    transpose_tile(m->keys, tile->k, tile->ldk, tile->count, e);
    transpose_tile(m->values, tile->v, tile->ldv, tile->count, e);
    copy_tile(m->rows_of_keys, tile->k, tile->ldk, tile->count, e);
    memset(m->dk, 0, (size_t)(tile_keys * wide) * sizeof(float));
    memset(m->dv, 0, (size_t)(tile_keys * wide) * sizeof(float));
    intptr_t begin = tile->is_prefix ? 0 : tile->first * group, end = rows;
    if (a->window > 0) {
        intptr_t last = (tile->first + tile->count - 1 + a->window) * group;
        if (last < end) end = last;
    }
    for (intptr_t row = begin; row < end; row += tile_queries) {
        intptr_t count = end - row < tile_queries ? end - row : tile_queries;
        const float *q = m->q + row * wide, *dout = m->dout + row * wide;
        tile_product(m->p, tile_keys, q, wide, 1, m->keys, tile_keys, count, tile_keys, e, false);
        tile_product(m->dp, tile_keys, dout, wide, 1, m->values, tile_keys, count, tile_keys, e, false);
        probabilities(m, piece, tile, row, count);
        tile_product(
            m->dq + row * wide, wide, m->dp, tile_keys, 1, m->rows_of_keys, wide, count, wide, tile->count, true);
        if (tile->is_prefix && !piece->prefix_dk) continue;
        tile_product(m->dv, wide, m->p, 1, tile_keys, dout, wide, tile->count, wide, count, true);
        tile_product(m->dk, wide, m->dp, 1, tile_keys, q, wide, tile->count, wide, count, true);
    }
}

/// A tile's dk and dv go to the batch's rows, or to what the sequence adds to the prefix's.
static void store_key_gradients(
    const backward_memory *m, const attention_gradients *g, const attention_piece *piece, const key_tile *tile) {
    const pawl_attention *a = piece->attention;
    intptr_t e = a->head_size, wide = padded(e), narrow = a->kv_heads * e;
    intptr_t row = tile->first + (tile->is_prefix ? piece->prefix_length : a->starts[piece->sequence]);
    float *dk = tile->is_prefix ? piece->prefix_dk : g->dk, *dv = tile->is_prefix ? piece->prefix_dv : g->dv;
    intptr_t lddk = tile->is_prefix ? narrow : g->lddk, lddv = tile->is_prefix ? narrow : g->lddv;
    for (intptr_t key = 0; key < tile->count; key++) {
        for (intptr_t i = 0; i < e; i += WIDTH) {
            intptr_t column = piece->kv_head * e + i;
            store_some(dk + (row + key) * lddk + column, load(m->dk + key * wide + i), e - i);
            store_some(dv + (row + key) * lddv + column, load(m->dv + key * wide + i), e - i);
        }
    }
}

static void attention_backward(const attention_gradients *g, const attention_piece *piece) {
    const pawl_attention *a = piece->attention;
    intptr_t e = a->head_size, wide = padded(e), group = a->heads / a->kv_heads;
    intptr_t start = a->starts[piece->sequence], tokens = a->starts[piece->sequence + 1] - start;
    intptr_t rows = tokens * group;
    backward_memory m = lay_out(piece, rows);
    // q carries the scale, so dk has it too; dq gets it at the end.
    gather_rows(m.q, a->q, a->ldq, piece, 0, tokens, a->scale);
    gather_rows(m.dout, g->dout, g->lddo, piece, 0, tokens, 1);
    memset(m.dq, 0, (size_t)(rows * wide) * sizeof(float));
    row_constants(&m, g, piece, rows);
    key_tile tile;
    for (intptr_t at = tokens > 0 ? first_key(piece, 0) : 0; at < tokens; at += tile.count) {
        tile = key_tile_at(piece, at, tokens);
        backward_tile(&m, piece, &tile, rows);
        if (!tile.is_prefix || piece->prefix_dk) store_key_gradients(&m, g, piece, &tile);
    }
    for (intptr_t r = 0; r < rows; r++) {
        float *dq = g->dq + (start + r / group) * g->lddq + (piece->kv_head * group + r % group) * e;
        for (intptr_t i = 0; i < e; i += WIDTH) store_some(dq + i, load(m.dq + r * wide + i) * a->scale, e - i);
    }
}
