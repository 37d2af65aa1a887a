#include "Pool.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

/// Describes a sequence with what it follows to the kernels.
static attention_piece piece_of(const pawl_attention *a, intptr_t sequence, intptr_t kv_head) {
    attention_piece piece = {.attention = a, .sequence = sequence, .kv_head = kv_head};
    if (!a->first_is_shared) {
        piece.prefix_k = a->prefix_k;
        piece.prefix_v = a->prefix_v;
        piece.prefix_length = a->prefix_length;
        piece.ld_prefix_k = piece.ld_prefix_v = a->kv_heads * a->head_size;
    } else if (sequence > 0) {
        piece.prefix_k = a->k;
        piece.prefix_v = a->v;
        piece.prefix_length = a->starts[1];
        piece.ld_prefix_k = a->ldk;
        piece.ld_prefix_v = a->ldv;
    }
    return piece;
}

// MARK: Forward

enum {
    /// Query rows (tokens · H / K) of a piece, and tokens at most.
    piece_rows = 192,
    piece_tokens = 64,
    /// Keys that one piece of decoding looks at: fixed, so that the result does not depend on the threads.
    chunk_keys = 512,
};

typedef struct {
    pawl_pool *pool;
    const pawl_attention *attention;
    float *out, *lse;
    intptr_t ldo, tokens;
    /// Pieces of each sequence before this one, [B + 1]; heads not counted.
    const intptr_t *pieces;
    atomic_bool failed;
} forward_job;

static void forward_piece(void *context, intptr_t index, int worker) {
    forward_job *j = context;
    const pawl_attention *a = j->attention;
    // The last pieces of a sequence see the most keys: they go first.
    intptr_t block = j->pieces[a->sequences] - 1 - index / a->kv_heads, low = 0, high = a->sequences;
    while (high - low > 1) {
        intptr_t middle = (low + high) / 2;
        if (j->pieces[middle] <= block)
            low = middle;
        else
            high = middle;
    }
    intptr_t length = a->starts[low + 1] - a->starts[low];
    attention_piece piece = piece_of(a, low, index % a->kv_heads);
    piece.first = (block - j->pieces[low]) * j->tokens;
    piece.last = smaller(piece.first + j->tokens, length);
    const kernel_table *kernels = pool_kernels(j->pool);
    size_t floats = kernels->attention_forward_scratch(a, piece.last - piece.first);
    piece.scratch = pool_scratch(j->pool, worker, scratch_work, floats * sizeof(float));
    if (!piece.scratch) {
        atomic_store_explicit(&j->failed, true, memory_order_relaxed);
        return;
    }
    kernels->attention_forward(j->out, j->ldo, j->lse, &piece);
}

pawl_status pawl_attention_forward(
    pawl_pool *pool, float *out, intptr_t ldo, float *lse, const pawl_attention *attention) {
    forward_job job = {.pool = pool, .attention = attention, .out = out, .lse = lse, .ldo = ldo};
    job.tokens = larger(1, smaller(piece_tokens, piece_rows * attention->kv_heads / attention->heads));
    intptr_t *pieces = malloc((size_t)(attention->sequences + 1) * sizeof *pieces);
    if (!pieces) return PAWL_OUT_OF_MEMORY;
    pieces[0] = 0;
    for (intptr_t b = 0; b < attention->sequences; b++)
        pieces[b + 1] = pieces[b] + pool_parts(attention->starts[b + 1] - attention->starts[b], job.tokens);
    job.pieces = pieces;
    pool_run(pool, pieces[attention->sequences] * attention->kv_heads, forward_piece, &job);
    free(pieces);
    return atomic_load(&job.failed) ? PAWL_OUT_OF_MEMORY : PAWL_OK;
}

// MARK: Backward

typedef struct {
    pawl_pool *pool;
    const pawl_attention *attention;
    attention_gradients gradients;
    /// What each sequence but the first adds to the gradients of a shared first one, [B, 2, S0, K, E]; dk before dv.
    float *shares;
    atomic_bool failed;
} backward_job;

/// Numbers of a sequence's share in dk, or in dv.
static intptr_t share_size(const pawl_attention *a) { return a->starts[1] * a->kv_heads * a->head_size; }

/// A piece is all of one sequence for one key/value head: it alone writes those heads' gradients.
static void backward_piece(void *context, intptr_t index, int worker) {
    backward_job *j = context;
    const pawl_attention *a = j->attention;
    attention_piece piece = piece_of(a, index / a->kv_heads, index % a->kv_heads);
    if (j->shares && piece.sequence > 0) {
        piece.prefix_dk = j->shares + 2 * piece.sequence * share_size(a);
        piece.prefix_dv = piece.prefix_dk + share_size(a);
    }
    piece.last = a->starts[piece.sequence + 1] - a->starts[piece.sequence];
    const kernel_table *kernels = pool_kernels(j->pool);
    size_t floats = kernels->attention_backward_scratch(a, piece.last);
    piece.scratch = pool_scratch(j->pool, worker, scratch_work, floats * sizeof(float));
    if (!piece.scratch) {
        atomic_store_explicit(&j->failed, true, memory_order_relaxed);
        return;
    }
    kernels->attention_backward(&j->gradients, &piece);
}

/// Adds the sequences' shares, in their order, to one row of the first one's gradients.
static void gather_shares(void *context, intptr_t row, int worker) {
    (void)worker;
    const backward_job *j = context;
    const pawl_attention *a = j->attention;
    const attention_gradients *g = &j->gradients;
    intptr_t narrow = a->kv_heads * a->head_size, size = share_size(a);
    for (intptr_t b = 1; b < a->sequences; b++) {
        const float *share = j->shares + 2 * b * size + row * narrow;
        pool_kernels(j->pool)->add(g->dk + row * g->lddk, share, narrow);
        pool_kernels(j->pool)->add(g->dv + row * g->lddv, share + size, narrow);
    }
}

pawl_status pawl_attention_backward(
    pawl_pool *pool, float *dq, intptr_t lddq, float *dk, intptr_t lddk, float *dv, intptr_t lddv,
    const float *dout, intptr_t lddo, const float *out, intptr_t ldo, const float *lse,
    const pawl_attention *attention) {
    backward_job job = {
        .pool = pool,
        .attention = attention,
        .gradients = {dq, dk, dv, lddq, lddk, lddv, dout, out, lse, lddo, ldo},
    };
    bool shared = attention->first_is_shared && attention->sequences > 1;
    if (shared) {
        // Keys out of every window are not visited: their shares stay 0.
        job.shares = calloc((size_t)(2 * attention->sequences * share_size(attention)) + 1, sizeof(float));
        if (!job.shares) return PAWL_OUT_OF_MEMORY;
    }
    pool_run(pool, attention->sequences * attention->kv_heads, backward_piece, &job);
    if (shared) pool_run(pool, attention->starts[1], gather_shares, &job);
    free(job.shares);
    return atomic_load(&job.failed) ? PAWL_OUT_OF_MEMORY : PAWL_OK;
}

// MARK: Decoding

/// One chunk of keys of one sequence: of the prefix, or of its own.
typedef struct {
    int32_t sequence;
    bool is_prefix;
    intptr_t first, count;
} chunk;

typedef struct {
    pawl_pool *pool;
    const pawl_decoding *decoding;
    float *out;
    intptr_t ldo;
    const chunk *chunks;
    /// Chunks before each sequence, [B + 1].
    const intptr_t *begins;
    /// For each chunk and key/value head: [G, E] sums, [G] largest scores, [G] totals.
    float *partial;
    intptr_t group, partial_size;
} decode_job;

static void decode_piece(void *context, intptr_t index, int worker) {
    (void)worker;
    const decode_job *j = context;
    const pawl_decoding *d = j->decoding;
    const chunk *c = &j->chunks[index / d->kv_heads];
    intptr_t head = index % d->kv_heads, stride = d->kv_heads * d->head_size;
    size_t offset = (size_t)(c->first * stride + head * d->head_size)
        * (d->type == PAWL_BF16 ? sizeof(uint16_t) : sizeof(float));
    float *partial = j->partial + index * j->partial_size;
    decoding_piece piece = {
        .q = d->q + c->sequence * d->ldq + head * j->group * d->head_size,
        .k = (const char *)(c->is_prefix ? d->prefix_k : d->k[c->sequence]) + offset,
        .v = (const char *)(c->is_prefix ? d->prefix_v : d->v[c->sequence]) + offset,
        .type = d->type,
        .stride = stride,
        .keys = c->count,
        .group = j->group,
        .head_size = d->head_size,
        .scale = d->scale,
        .sums = partial,
        .largest = partial + j->group * d->head_size,
        .totals = partial + j->group * (d->head_size + 1),
    };
    pool_kernels(j->pool)->attention_decode(&piece);
}

/// Weighs the chunks of a query by their share of its exponentials, in chunk order.
static void merge_piece(void *context, intptr_t index, int worker) {
    (void)worker;
    const decode_job *j = context;
    const pawl_decoding *d = j->decoding;
    intptr_t sequence = index / d->heads, h = index % d->heads, e = d->head_size, g = h % j->group;
    float *out = j->out + sequence * j->ldo + h * e, largest = -INFINITY, total = 0;
    intptr_t begin = j->begins[sequence], end = j->begins[sequence + 1];
    for (intptr_t c = begin; c < end; c++) {
        const float *partial = j->partial + (c * d->kv_heads + h / j->group) * j->partial_size;
        float value = partial[j->group * e + g];
        if (!(value <= largest)) largest = value;
    }
    for (intptr_t i = 0; i < e; i++) out[i] = 0;
    for (intptr_t c = begin; c < end; c++) {
        const float *partial = j->partial + (c * d->kv_heads + h / j->group) * j->partial_size;
        float share = expf(partial[j->group * e + g] - largest);
        total += share * partial[j->group * (e + 1) + g];
        for (intptr_t i = 0; i < e; i++) out[i] += share * partial[g * e + i];
    }
    for (intptr_t i = 0; i < e; i++) out[i] /= total;
}

/// Adds the chunks of keys first ..< end; with no room, counts them.
static intptr_t cut(chunk *chunks, intptr_t at, int32_t sequence, bool is_prefix, intptr_t first, intptr_t end) {
    for (; first < end; first += chunk_keys, at++)
        if (chunks) chunks[at] = (chunk){sequence, is_prefix, first, smaller(chunk_keys, end - first)};
    return at;
}

static intptr_t cut_all(const pawl_decoding *d, chunk *chunks, intptr_t *begins) {
    intptr_t at = 0;
    for (intptr_t b = 0; b < d->sequences; b++) {
        if (begins) begins[b] = at;
        intptr_t all = d->prefix_length + d->lengths[b];
        intptr_t first = d->window > 0 ? larger(0, all - d->window) : 0;
        at = cut(chunks, at, (int32_t)b, true, first, d->prefix_length);
        at = cut(chunks, at, (int32_t)b, false, larger(0, first - d->prefix_length), d->lengths[b]);
    }
    if (begins) begins[d->sequences] = at;
    return at;
}

pawl_status pawl_attention_decode(
    pawl_pool *pool, float *out, intptr_t ldo, const pawl_decoding *decoding) {
    decode_job job = {.pool = pool, .decoding = decoding, .out = out, .ldo = ldo};
    job.group = decoding->heads / decoding->kv_heads;
    job.partial_size = job.group * (decoding->head_size + 2);
    intptr_t count = cut_all(decoding, NULL, NULL);
    chunk *chunks = malloc((size_t)(count + 1) * sizeof *chunks);
    intptr_t *begins = malloc((size_t)(decoding->sequences + 1) * sizeof *begins);
    size_t floats = (size_t)(count * decoding->kv_heads * job.partial_size);
    job.partial = malloc((floats + 1) * sizeof(float));
    bool done = chunks && begins && job.partial;
    if (done) {
        cut_all(decoding, chunks, begins);
        job.chunks = chunks;
        job.begins = begins;
        pool_run(pool, count * decoding->kv_heads, decode_piece, &job);
        pool_run(pool, decoding->sequences * decoding->heads, merge_piece, &job);
    }
    free(job.partial);
    free(begins);
    free(chunks);
    return done ? PAWL_OK : PAWL_OUT_OF_MEMORY;
}
