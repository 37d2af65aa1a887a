// Matrix products: cut into blocks of C here, each multiplied by libdnnl on the one thread that takes it. Which thread
// takes a block has no influence on it; how C is cut depends on the shape and on the number of threads.
#include "Pool.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    /// Rows of a block, and terms of a sum where it runs over tokens.
    block_rows = 256,
    block_terms = 512,
    /// Columns of a block at most, and what their number is a multiple of.
    block_columns = 1024,
    column_unit = 64,
    /// Sizes that change from call to call (the number of tokens) are cut to multiples of this and a rest, so that
    /// there are few shapes to prepare (half a millisecond each).
    size_unit = 32,
    /// Up to so many rows of A, our own kernel reads an unpacked weight faster than the library.
    few_rows = 64,
};

// MARK: Blocks

/// The parts of `size`: whole blocks, then a multiple of `size_unit`, then the rest.
static intptr_t cut_count(intptr_t size, intptr_t block) {
    intptr_t rest = size % block;
    return size / block + (rest >= size_unit) + (rest % size_unit > 0);
}

typedef struct {
    intptr_t begin, count;
} range;

static range cut_at(intptr_t size, intptr_t block, intptr_t index) {
    intptr_t whole = size / block, rest = size % block, units = rest / size_unit * size_unit;
    if (index < whole) return (range){index * block, block};
    if (index == whole && units > 0) return (range){whole * block, units};
    return (range){whole * block + units, rest - units};
}

/// Columns of a block of C so that every thread gets some.
static intptr_t columns_of_block(intptr_t n, int threads) {
    intptr_t share = (n + threads - 1) / threads;
    return smaller(block_columns, (share + column_unit - 1) / column_unit * column_unit);
}

typedef struct {
    pawl_pool *pool;
    float *c;
    const void *a, *b;
    const pawl_packed *packed;
    intptr_t ldc, lda, ldb, m, n, k, columns, row_parts;
    bool a_transposed, b_transposed, is_bf16, round_a, add;
    atomic_bool failed;
} product_job;

struct pawl_packed {
    intptr_t out, in, columns, parts;
    pawl_direction direction;
    bool is_bf16, round;
    /// For each block of columns of C: the layout (whole blocks share one, the last may have its own) and its place.
    onednn_packing *whole, *last;
    size_t stride, bytes;
    char *memory;
};

static const char *element_at(const void *p, bool is_bf16, intptr_t index) {
    return (const char *)p + index * (intptr_t)(is_bf16 ? sizeof(uint16_t) : sizeof(float));
}

/// The rows of A that a block reads without gaps, and rounded to bf16 where the weight is, in the worker's memory.
static const void *gathered_rows(const product_job *j, range rows, int worker) {
    size_t size = j->is_bf16 ? sizeof(uint16_t) : sizeof(float), width = (size_t)j->k * size;
    char *out = pool_scratch(j->pool, worker, scratch_input, (size_t)rows.count * width);
    for (intptr_t r = 0; out && r < rows.count; r++) {
        intptr_t at = (rows.begin + r) * j->lda;
        if (j->round_a)
            pool_kernels(j->pool)->bf16_from_f32(
                (uint16_t *)(void *)(out + (size_t)r * width), (const float *)j->a + at, j->k);
        else
            memcpy(out + (size_t)r * width, element_at(j->a, j->is_bf16, at), width);
    }
    return out;
}

/// Runs a prepared product of the shape.
static bool run_prepared(
    const product_job *j, const onednn_shape *shape, const onednn_packing *packing, float *c, const void *a,
    const void *b, int worker) {
    bool temporary;
    onednn_product *product = product_prepared(pool_products(j->pool), shape, packing, &temporary);
    if (!product) return false;
    void *scratch = pool_scratch(j->pool, worker, scratch_library, onednn_product_scratch(product) + 1);
    bool done = scratch && onednn_product_run(product, c, a, b, scratch);
    if (temporary) onednn_product_destroy(product);
    return done;
}

/// One block of C with a packed weight. The library takes a packed operand at speed only where A and C have no gaps
/// between rows (it falls back to a plain loop otherwise, a thousand times slower), so they are given none here.
static bool multiply_packed_block(const product_job *j, range rows, range columns, int worker) {
    onednn_shape shape = {.m = rows.count, .n = columns.count, .k = j->k, .lda = j->k, .ldc = columns.count,
        .a_layout = ONEDNN_ROWS, .b_layout = ONEDNN_PACKED, .is_bf16 = j->is_bf16};
    const pawl_packed *packed = j->packed;
    const onednn_packing *packing = columns.count == j->columns ? packed->whole : packed->last;
    const void *b = packed->memory + (size_t)(columns.begin / j->columns) * packed->stride;
    const void *a = j->round_a || (j->lda != j->k && rows.count > 1)
        ? gathered_rows(j, rows, worker)
        : element_at(j->a, j->is_bf16, rows.begin * j->lda);
    float *c = j->c + rows.begin * j->ldc + columns.begin, *tile = c;
    bool direct = j->ldc == columns.count || rows.count == 1;
    if (direct)
        shape.add = j->add;
    else
        tile = pool_scratch(j->pool, worker, scratch_output, (size_t)(rows.count * columns.count) * sizeof(float));
    if (!a || !tile || !run_prepared(j, &shape, packing, tile, a, b, worker)) return false;
    for (intptr_t r = 0; !direct && r < rows.count; r++) {
        const float *row = tile + r * columns.count;
        if (j->add)
            pool_kernels(j->pool)->add(c + r * j->ldc, row, columns.count);
        else
            memcpy(c + r * j->ldc, row, (size_t)columns.count * sizeof(float));
    }
    return true;
}

/// One block of C over the terms `terms` of its sums.
static bool multiply_block(const product_job *j, range rows, range columns, range terms, bool add, int worker) {
    onednn_shape shape = {.m = rows.count, .n = columns.count, .k = terms.count, .lda = j->lda, .ldb = j->ldb,
        .ldc = j->ldc, .is_bf16 = j->is_bf16, .add = add};
    shape.a_layout = j->a_transposed ? ONEDNN_TRANSPOSED : ONEDNN_ROWS;
    shape.b_layout = j->b_transposed ? ONEDNN_TRANSPOSED : ONEDNN_ROWS;
    intptr_t a = j->a_transposed ? terms.begin * j->lda + rows.begin : rows.begin * j->lda + terms.begin;
    intptr_t b = j->b_transposed ? columns.begin * j->ldb + terms.begin : terms.begin * j->ldb + columns.begin;
    return run_prepared(
        j, &shape, NULL, j->c + rows.begin * j->ldc + columns.begin, element_at(j->a, j->is_bf16, a),
        element_at(j->b, j->is_bf16, b), worker);
}

static void product_piece(void *context, intptr_t index, int worker) {
    product_job *j = context;
    // Neighbouring pieces share columns of B, which are the larger operand when there are few rows.
    range rows = cut_at(j->m, block_rows, index % j->row_parts);
    intptr_t begin = index / j->row_parts * j->columns;
    range columns = {begin, smaller(j->columns, j->n - begin)};
    // With A transposed the sum runs over tokens, whose number changes: it is cut as rows are.
    intptr_t block = j->a_transposed ? block_terms : j->k, parts = j->a_transposed ? cut_count(j->k, block) : 1;
    bool done = !j->packed || multiply_packed_block(j, rows, columns, worker);
    for (intptr_t i = 0; !j->packed && done && i < parts; i++) {
        range terms = j->a_transposed ? cut_at(j->k, block, i) : (range){0, j->k};
        done = multiply_block(j, rows, columns, terms, j->add || i > 0, worker);
    }
    if (!done) atomic_store_explicit(&j->failed, true, memory_order_relaxed);
}

static pawl_status run_product(product_job *job) {
    if (job->m <= 0 || job->n <= 0) return PAWL_OK;
    if (job->k <= 0) {
        for (intptr_t r = 0; !job->add && r < job->m; r++)
            memset(job->c + r * job->ldc, 0, (size_t)job->n * sizeof(float));
        return PAWL_OK;
    }
    job->row_parts = cut_count(job->m, block_rows);
    pool_run(job->pool, job->row_parts * pool_parts(job->n, job->columns), product_piece, job);
    return atomic_load(&job->failed) ? PAWL_LIBRARY_FAILED : PAWL_OK;
}

bool pawl_bf16_is_native(void) { return onednn_has_bf16(); }
bool pawl_bf16_is_fast(void) { return onednn_bf16_is_fast(); }

// MARK: Any two matrices

/// A bf16 matrix as fp32, rows without gaps. NULL without memory.
static float *widened(pawl_pool *pool, const uint16_t *x, intptr_t ld, intptr_t rows, intptr_t columns) {
    float *out = malloc((size_t)(rows * columns + 1) * sizeof(float));
    for (intptr_t r = 0; out && r < rows; r++)
        pool_kernels(pool)->f32_from_bf16(out + r * columns, x + r * ld, columns);
    return out;
}

pawl_status pawl_product(
    pawl_pool *pool, float *c, intptr_t ldc, const void *a, intptr_t lda, bool a_transposed, const void *b,
    intptr_t ldb, bool b_transposed, pawl_type type, intptr_t m, intptr_t n, intptr_t k, bool add) {
    if (type == PAWL_F32 && !a_transposed && b_transposed && ldb == k && m <= few_rows) {
        pawl_small_product(pool, c, ldc, a, lda, b, type, m, n, k, add);
        return PAWL_OK;
    }
    product_job job = {.pool = pool, .c = c, .ldc = ldc, .a = a, .lda = lda, .a_transposed = a_transposed, .b = b,
        .ldb = ldb, .b_transposed = b_transposed, .is_bf16 = type == PAWL_BF16, .m = m, .n = n, .k = k, .add = add,
        .columns = columns_of_block(n, pawl_pool_threads(pool))};
    if (!job.is_bf16 || pawl_bf16_is_native()) return run_product(&job);
    intptr_t a_columns = a_transposed ? m : k, b_columns = b_transposed ? k : n;
    float *wide_a = widened(pool, a, lda, a_transposed ? k : m, a_columns);
    float *wide_b = widened(pool, b, ldb, b_transposed ? n : k, b_columns);
    job.a = wide_a;
    job.b = wide_b;
    job.lda = a_columns;
    job.ldb = b_columns;
    job.is_bf16 = false;
    pawl_status status = wide_a && wide_b ? run_product(&job) : PAWL_OUT_OF_MEMORY;
    free(wide_b);
    free(wide_a);
    return status;
}

// MARK: Packed weights

static intptr_t columns_of(const pawl_packed *p) { return p->direction == PAWL_FORWARD ? p->out : p->in; }
static intptr_t terms_of(const pawl_packed *p) { return p->direction == PAWL_FORWARD ? p->in : p->out; }

pawl_packed *pawl_packed_create(
    pawl_pool *pool, intptr_t out, intptr_t in, pawl_type type, pawl_direction direction) {
    enum { page = 4096, large_page = 2 << 20, typical_rows = 256 };
    pawl_packed *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->out = out;
    p->in = in;
    p->direction = direction;
    p->is_bf16 = type == PAWL_BF16 && pawl_bf16_is_native();
    p->round = type == PAWL_BF16 && !p->is_bf16;
    p->columns = smaller(columns_of_block(columns_of(p), pawl_pool_threads(pool)), columns_of(p));
    p->parts = pool_parts(columns_of(p), p->columns);
    intptr_t rest = columns_of(p) % p->columns;
    p->whole = onednn_packing_create(terms_of(p), p->columns, p->is_bf16, typical_rows);
    p->last = rest ? onednn_packing_create(terms_of(p), rest, p->is_bf16, typical_rows) : NULL;
    if (!p->whole || (rest && !p->last)) {
        pawl_packed_destroy(p);
        return NULL;
    }
    size_t largest = onednn_packing_bytes(p->whole), last = rest ? onednn_packing_bytes(p->last) : 0;
    p->stride = ((last > largest ? last : largest) + page - 1) / page * page;
    size_t alignment = p->stride * (size_t)p->parts >= large_page ? large_page : page;
    p->bytes = (p->stride * (size_t)p->parts + alignment - 1) / alignment * alignment;
    p->memory = aligned_alloc(alignment, p->bytes);
    if (!p->memory) {
        pawl_packed_destroy(p);
        return NULL;
    }
#if defined(MADV_HUGEPAGE)
    // Fewer address translations while a weight streams through; without effect where the system does not offer it.
    if (alignment == large_page) madvise(p->memory, p->bytes, MADV_HUGEPAGE);
#endif
    return p;
}

void pawl_packed_destroy(pawl_packed *packed) {
    if (!packed) return;
    onednn_packing_destroy(packed->whole);
    onednn_packing_destroy(packed->last);
    free(packed->memory);
    free(packed);
}

size_t pawl_packed_bytes(const pawl_packed *packed) { return packed->bytes; }

typedef struct {
    pawl_pool *pool;
    pawl_packed *packed;
    const void *w;
    pawl_type source;
    atomic_bool failed, exhausted;
} fill_job;

/// `count` elements of the source as the packed weight holds them.
static void convert(const fill_job *j, void *out, intptr_t at, intptr_t count) {
    const kernel_table *kernels = pool_kernels(j->pool);
    if (j->source == PAWL_BF16) {
        kernels->f32_from_bf16(out, (const uint16_t *)j->w + at, count);
        return;
    }
    const float *in = (const float *)j->w + at;
    if (j->packed->is_bf16) {
        kernels->bf16_from_f32(out, in, count);
        return;
    }
    // Held as fp32 for want of bf16 hardware: rounded all the same.
    enum { run = 256 };
    uint16_t rounded[run];
    for (intptr_t i = 0; i < count; i += run) {
        intptr_t n = smaller(run, count - i);
        kernels->bf16_from_f32(rounded, in + i, n);
        kernels->f32_from_bf16((float *)out + i, rounded, n);
    }
}

static void fill_piece(void *context, intptr_t index, int worker) {
    fill_job *j = context;
    pawl_packed *p = j->packed;
    bool forward = p->direction == PAWL_FORWARD;
    intptr_t begin = index * p->columns, columns = smaller(p->columns, columns_of(p) - begin);
    // The block's part of W [out, in]: some whole rows (forward), or some columns of all rows.
    intptr_t first = forward ? begin * p->in : begin, ld = p->in;
    intptr_t rows = forward ? columns : p->out, width = forward ? p->in : columns;
    const void *source = element_at(j->w, j->source == PAWL_BF16, first);
    if ((j->source == PAWL_BF16) != p->is_bf16 || p->round) {
        size_t size = p->is_bf16 ? sizeof(uint16_t) : sizeof(float);
        char *copy = pool_scratch(j->pool, worker, scratch_input, (size_t)(rows * width) * size);
        if (!copy) {
            atomic_store_explicit(&j->exhausted, true, memory_order_relaxed);
            return;
        }
        for (intptr_t r = 0; r < rows; r++)
            convert(j, copy + (size_t)(r * width) * size, first + r * ld, width);
        source = copy;
        ld = width;
    }
    const onednn_packing *packing = columns == p->columns ? p->whole : p->last;
    if (!onednn_pack(
            packing, p->memory + (size_t)index * p->stride, source, ld, forward ? ONEDNN_TRANSPOSED : ONEDNN_ROWS))
        atomic_store_explicit(&j->failed, true, memory_order_relaxed);
}

pawl_status pawl_packed_fill(pawl_pool *pool, pawl_packed *packed, const void *w, pawl_type source_type) {
    fill_job job = {.pool = pool, .packed = packed, .w = w, .source = source_type};
    pool_run(pool, packed->parts, fill_piece, &job);
    if (atomic_load(&job.exhausted)) return PAWL_OUT_OF_MEMORY;
    return atomic_load(&job.failed) ? PAWL_LIBRARY_FAILED : PAWL_OK;
}

pawl_status pawl_packed_product(
    pawl_pool *pool, float *c, intptr_t ldc, const void *a, intptr_t lda, pawl_type a_type,
    const pawl_packed *packed, intptr_t rows, bool add) {
    product_job job = {.pool = pool, .c = c, .ldc = ldc, .a = a, .lda = lda, .packed = packed,
        .is_bf16 = packed->is_bf16, .round_a = packed->is_bf16 && a_type == PAWL_F32, .m = rows,
        .n = columns_of(packed), .k = terms_of(packed), .add = add, .columns = packed->columns};
    if (packed->is_bf16 || a_type == PAWL_F32) return run_product(&job);
    float *wide = widened(pool, a, lda, rows, job.k);
    job.a = wide;
    job.lda = job.k;
    pawl_status status = wide ? run_product(&job) : PAWL_OUT_OF_MEMORY;
    free(wide);
    return status;
}

// MARK: Few rows

typedef struct {
    pawl_pool *pool;
    float *c;
    const float *a;
    const void *w;
    pawl_type type;
    intptr_t ldc, lda, rows, n, k, outputs;
    bool add;
} small_job;

static void small_piece(void *context, intptr_t index, int worker) {
    (void)worker;
    const small_job *j = context;
    intptr_t begin = index * j->outputs, count = smaller(j->outputs, j->n - begin);
    // Threads take pieces in turn.
    intptr_t next = begin + pawl_pool_threads(j->pool) * j->outputs;
    pool_kernels(j->pool)->few_rows_product(
        j->c + begin, j->ldc, j->a, j->lda, element_at(j->w, j->type == PAWL_BF16, begin * j->k), j->type, j->rows,
        count, j->k, j->add, element_at(j->w, j->type == PAWL_BF16, (next < j->n ? next : begin) * j->k));
}

void pawl_small_product(
    pawl_pool *pool, float *c, intptr_t ldc, const float *a, intptr_t lda, const void *w, pawl_type type,
    intptr_t rows, intptr_t n, intptr_t k, bool add) {
    // Several pieces for each thread, of so many weights at most. How outputs are cut changes none of them.
    enum { piece_elements = 1 << 17, pieces_of_thread = 4, unit = 24 };
    intptr_t share = n / (pieces_of_thread * pawl_pool_threads(pool)), most = piece_elements / larger(1, k);
    intptr_t outputs = larger(1, smaller(share, most) / unit) * unit;
    small_job job = {pool, c, a, w, type, ldc, lda, rows, n, k, outputs, add};
    pool_run(pool, pool_parts(n, job.outputs), small_piece, &job);
}
