#include "ProductCache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { cache_buckets = 1024, cache_most = 8192 };

typedef struct cache_entry {
    struct cache_entry *next;
    onednn_shape shape;
    onednn_product *product;
} cache_entry;

/// Kept until the pool ends, so that a product in use needs no lock. A shape beyond `cache_most` is prepared for its
/// one call.
struct product_cache {
    pthread_mutex_t lock;
    cache_entry *buckets[cache_buckets];
    int count;
};

product_cache *product_cache_create(void) {
    product_cache *cache = calloc(1, sizeof *cache);
    if (cache) pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void product_cache_destroy(product_cache *cache) {
    if (!cache) return;
    for (int i = 0; i < cache_buckets; i++) {
        cache_entry *next;
        for (cache_entry *entry = cache->buckets[i]; entry; entry = next) {
            next = entry->next;
            onednn_product_destroy(entry->product);
            free(entry);
        }
    }
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static size_t bucket_of(const onednn_shape *shape) {
    const int64_t fields[] = {shape->m, shape->n, shape->k, shape->lda, shape->ldb, shape->ldc,
        shape->a_layout * 8 + shape->b_layout, shape->is_bf16 * 2 + shape->add};
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        hash = (hash ^ (uint64_t)fields[i]) * 0x9e3779b97f4a7c15u;
    return (size_t)(hash >> 32) % cache_buckets;
}

onednn_product *product_prepared(
    product_cache *cache, const onednn_shape *shape, const onednn_packing *packing, bool *temporary) {
    *temporary = false;
    size_t bucket = bucket_of(shape);
    pthread_mutex_lock(&cache->lock);
    for (cache_entry *entry = cache->buckets[bucket]; entry; entry = entry->next)
        if (memcmp(&entry->shape, shape, sizeof *shape) == 0
            && (!packing || onednn_product_fits(entry->product, packing))) {
            pthread_mutex_unlock(&cache->lock);
            return entry->product;
        }
    onednn_product *product = onednn_product_create(shape, packing);
    cache_entry *entry = product && cache->count < cache_most ? malloc(sizeof *entry) : NULL;
    if (entry) {
        *entry = (cache_entry){cache->buckets[bucket], *shape, product};
        cache->buckets[bucket] = entry;
        cache->count++;
    }
    pthread_mutex_unlock(&cache->lock);
    *temporary = product && !entry;
    return product;
}
