/// Matrix products of libdnnl (oneDNN) on the calling thread alone. Its versions 2 and 3 differ in their C interface;
/// this header hides that, and that the library would otherwise start threads of its own (decision 0013).
#ifndef CONEDNN_H
#define CONEDNN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// How a matrix lies in memory.
typedef enum {
    /// Rows `ld` elements apart.
    ONEDNN_ROWS = 0,
    /// The transpose of rows `ld` elements apart.
    ONEDNN_TRANSPOSED = 1,
    /// As the library asks for; B alone.
    ONEDNN_PACKED = 2,
} onednn_layout;

/// C[m, n] = A[m, k] · B[k, n], or adds it to C. C is fp32 in rows, A and B are both fp32 or both bf16.
typedef struct {
    int64_t m, n, k;
    int64_t lda, ldb, ldc;
    int32_t a_layout, b_layout;
    int32_t is_bf16, add;
} onednn_shape;

/// A product prepared for one shape. Any number of threads may run it at the same time.
typedef struct onednn_product onednn_product;

/// The layout that the library asks for a B of one size; the same for every m.
typedef struct onednn_packing onednn_packing;

/// The library's version, 10000 · major + 100 · minor + patch.
int onednn_version(void);

/// Whether this processor multiplies bf16 in hardware and the library uses it.
bool onednn_has_bf16(void);

/// Whether bf16 products are faster than fp32 ones: with AMX, and on AMD's AVX-512. A rule and no measurement, so that a
/// machine always decides alike.
bool onednn_bf16_is_fast(void);

/// The packing of B [k, n] for products of about `typical_m` rows. NULL when the library refuses.
onednn_packing *onednn_packing_create(int64_t k, int64_t n, bool is_bf16, int64_t typical_m);
void onednn_packing_destroy(onednn_packing *packing);
size_t onednn_packing_bytes(const onednn_packing *packing);

/// Packs B into `out`, aligned to 64 bytes. The source has B's type and is in rows or transposed.
bool onednn_pack(
    const onednn_packing *packing, void *out, const void *b, int64_t ldb, onednn_layout layout);

/// Prepares a product; `packing` describes B when its layout is packed. NULL when the library refuses.
onednn_product *onednn_product_create(const onednn_shape *shape, const onednn_packing *packing);
void onednn_product_destroy(onednn_product *product);

/// Whether its B lies as `packing` says.
bool onednn_product_fits(const onednn_product *product, const onednn_packing *packing);

/// Bytes of scratch memory that one run needs.
size_t onednn_product_scratch(const onednn_product *product);

/// Runs it on the calling thread. `scratch` is aligned to 64 bytes and used by this run alone.
bool onednn_product_run(const onednn_product *product, float *c, const void *a, const void *b, void *scratch);

#ifdef __cplusplus
}
#endif
#endif
