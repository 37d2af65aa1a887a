#ifndef PAWL_PRODUCT_CACHE_H
#define PAWL_PRODUCT_CACHE_H

#include "COneDNN.h"

/// Products that libdnnl has prepared, by shape: preparing one takes 0.2 to 1 ms, and the same shapes come again.
typedef struct product_cache product_cache;

product_cache *product_cache_create(void);
void product_cache_destroy(product_cache *cache);

/// The product of the shape; `temporary` says that the caller destroys it. NULL when the library refuses.
onednn_product *product_prepared(
    product_cache *cache, const onednn_shape *shape, const onednn_packing *packing, bool *temporary);

#endif
