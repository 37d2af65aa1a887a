#define _GNU_SOURCE
#include "Pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/// Looks at the next job for about this many pauses (a tenth of a millisecond) before a thread sleeps: longer than what
/// one thread does alone between two kernels of a layer, and than most waits for the last piece of one, since waking a
/// thread costs more than either; shorter than anything that a neighbour on the machine would notice.
enum { spins = 2500 };

typedef struct {
    void *memory;
    size_t bytes;
} scratch;

typedef struct {
    pawl_pool *pool;
    pthread_t thread;
    int index;
} worker;

/// One job at a time. A thread takes part by adding itself to `active` while the job is open, so that a thread that
/// wakes up late does not hold up a job which the others have finished.
struct pawl_pool {
    int threads;
    pawl_isa isa;
    const kernel_table *kernels;
    worker *workers;
    /// `scratch_slots` of each thread.
    scratch *scratches;
    product_cache *products;

    /// Held by the caller whose job runs.
    pthread_mutex_t callers;
    /// Guards what follows, but for what is atomic.
    pthread_mutex_t state;
    pthread_cond_t opened, idle;
    bool open, ending;
    int sleeping;
    atomic_uint jobs;
    atomic_int active;
    atomic_intptr_t next;
    intptr_t count;
    pool_work work;
    void *context;
};

/// Which pool the thread is working for, and as what: a nested call stays on the thread.
static _Thread_local pawl_pool *current_pool;
static _Thread_local int current_worker;

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void take_part(pawl_pool *pool, int index) {
    pawl_pool *outer_pool = current_pool;
    int outer_worker = current_worker;
    current_pool = pool;
    current_worker = index;
    for (;;) {
        intptr_t item = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (item >= pool->count) break;
        pool->work(pool->context, item, index);
    }
    current_pool = outer_pool;
    current_worker = outer_worker;
}

static void *serve(void *argument) {
    worker *self = argument;
    pawl_pool *pool = self->pool;
    unsigned seen = 0;
    for (;;) {
        for (int i = 0; i < spins && atomic_load_explicit(&pool->jobs, memory_order_acquire) == seen; i++)
            pause_briefly();
        pthread_mutex_lock(&pool->state);
        while (!pool->ending && atomic_load_explicit(&pool->jobs, memory_order_relaxed) == seen) {
            pool->sleeping++;
            pthread_cond_wait(&pool->opened, &pool->state);
            pool->sleeping--;
        }
        if (pool->ending) break;
        seen = atomic_load_explicit(&pool->jobs, memory_order_relaxed);
        if (!pool->open) {
            pthread_mutex_unlock(&pool->state);
            continue;
        }
        atomic_fetch_add_explicit(&pool->active, 1, memory_order_relaxed);
        pthread_mutex_unlock(&pool->state);
        take_part(pool, self->index);
        if (atomic_fetch_sub_explicit(&pool->active, 1, memory_order_release) == 1) {
            pthread_mutex_lock(&pool->state);
            pthread_cond_signal(&pool->idle);
            pthread_mutex_unlock(&pool->state);
        }
    }
    pthread_mutex_unlock(&pool->state);
    return NULL;
}

static int processors(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

pawl_pool *pawl_pool_create(int threads, pawl_isa isa) {
    if (threads < 1) threads = processors();
    pawl_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return NULL;
    if (isa > PAWL_ISA_AVX512) isa = PAWL_ISA_AVX512;
    while (!pawl_isa_available(isa)) isa--;
    pool->isa = isa;
    pool->kernels = kernels_for(isa);
    pool->threads = 1;
    pool->workers = calloc((size_t)threads, sizeof *pool->workers);
    pool->scratches = calloc((size_t)threads * scratch_slots, sizeof *pool->scratches);
    pthread_mutex_init(&pool->callers, NULL);
    pthread_mutex_init(&pool->state, NULL);
    pthread_cond_init(&pool->opened, NULL);
    pthread_cond_init(&pool->idle, NULL);
    pool->products = product_cache_create();
    bool done = pool->workers && pool->scratches && pool->products;
    for (; done && pool->threads < threads; pool->threads++) {
        worker *one = &pool->workers[pool->threads];
        one->pool = pool;
        one->index = pool->threads;
        if (pthread_create(&one->thread, NULL, serve, one) != 0) {
            done = false;
            break;
        }
    }
    if (!done) {
        pawl_pool_destroy(pool);
        return NULL;
    }
    return pool;
}

void pawl_pool_destroy(pawl_pool *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->state);
    pool->ending = true;
    pthread_cond_broadcast(&pool->opened);
    pthread_mutex_unlock(&pool->state);
    for (int i = 1; i < pool->threads; i++) pthread_join(pool->workers[i].thread, NULL);
    for (int i = 0; pool->scratches && i < pool->threads * scratch_slots; i++) free(pool->scratches[i].memory);
    product_cache_destroy(pool->products);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->opened);
    pthread_mutex_destroy(&pool->state);
    pthread_mutex_destroy(&pool->callers);
    free(pool->scratches);
    free(pool->workers);
    free(pool);
}

int pawl_pool_threads(const pawl_pool *pool) { return pool->threads; }
pawl_isa pawl_pool_isa(const pawl_pool *pool) { return pool->isa; }
const kernel_table *pool_kernels(const pawl_pool *pool) { return pool->kernels; }
product_cache *pool_products(pawl_pool *pool) { return pool->products; }

void pool_run(pawl_pool *pool, intptr_t count, pool_work work, void *context) {
    if (count <= 0) return;
    if (current_pool == pool) {
        for (intptr_t i = 0; i < count; i++) work(context, i, current_worker);
        return;
    }
    pthread_mutex_lock(&pool->callers);
    pool->work = work;
    pool->context = context;
    pool->count = count;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    bool shared = count > 1 && pool->threads > 1;
    if (shared) {
        pthread_mutex_lock(&pool->state);
        pool->open = true;
        atomic_fetch_add_explicit(&pool->jobs, 1, memory_order_release);
        bool wake = pool->sleeping > 0;
        pthread_mutex_unlock(&pool->state);
        if (wake) pthread_cond_broadcast(&pool->opened);
    }
    take_part(pool, 0);
    if (shared) {
        pthread_mutex_lock(&pool->state);
        pool->open = false;
        pthread_mutex_unlock(&pool->state);
        for (int i = 0; i < spins && atomic_load_explicit(&pool->active, memory_order_acquire) > 0; i++)
            pause_briefly();
        pthread_mutex_lock(&pool->state);
        while (atomic_load_explicit(&pool->active, memory_order_acquire) > 0)
            pthread_cond_wait(&pool->idle, &pool->state);
        pthread_mutex_unlock(&pool->state);
    }
    pthread_mutex_unlock(&pool->callers);
}

typedef struct {
    void (*work)(void *context, intptr_t index);
    void *context;
} public_work;

static void run_public(void *context, intptr_t index, int worker) {
    (void)worker;
    const public_work *job = context;
    job->work(job->context, index);
}

void pawl_pool_run(pawl_pool *pool, intptr_t count, void (*work)(void *context, intptr_t index), void *context) {
    public_work job = {work, context};
    pool_run(pool, count, run_public, &job);
}

void *pool_scratch(pawl_pool *pool, int worker, scratch_slot slot, size_t bytes) {
    scratch *own = &pool->scratches[worker * scratch_slots + (int)slot];
    if (own->bytes < bytes) {
        free(own->memory);
        size_t rounded = (bytes + 4095) / 4096 * 4096;
        own->memory = aligned_alloc(4096, rounded);
        own->bytes = own->memory ? rounded : 0;
    }
    return own->memory;
}
