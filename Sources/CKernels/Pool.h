#ifndef PAWL_POOL_H
#define PAWL_POOL_H

#include "CKernels.h"
#include "ProductCache.h"
#include "Table.h"

typedef void (*pool_work)(void *context, intptr_t index, int worker);

/// The kernels of the pool's instruction set.
const kernel_table *pool_kernels(const pawl_pool *pool);

/// As `pawl_pool_run`, and tells the work which of the pool's threads runs it (0 ..< threads).
void pool_run(pawl_pool *pool, intptr_t count, pool_work work, void *context);

/// What a worker may need memory for at the same time.
typedef enum { scratch_work, scratch_input, scratch_output, scratch_library, scratch_slots } scratch_slot;

/// Memory of one worker, aligned to 4096 bytes, at least `bytes`; kept until the pool ends, its content undefined at
/// each call. NULL without memory. Only for work that runs on that worker.
void *pool_scratch(pawl_pool *pool, int worker, scratch_slot slot, size_t bytes);

/// The pool's prepared products.
product_cache *pool_products(pawl_pool *pool);

/// How many parts of at least `grain` items `count` items make; part i starts at i · grain.
/// It depends on `count` and `grain` alone: the same parts whatever the number of threads.
static inline intptr_t pool_parts(intptr_t count, intptr_t grain) {
    if (grain < 1) grain = 1;
    return (count + grain - 1) / grain;
}

static inline intptr_t smaller(intptr_t a, intptr_t b) { return a < b ? a : b; }
static inline intptr_t larger(intptr_t a, intptr_t b) { return a > b ? a : b; }

#endif
