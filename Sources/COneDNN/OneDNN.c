#define _GNU_SOURCE
#include "COneDNN.h"

#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdlib.h>

// MARK: What differs between version 2 and version 3

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t layout_t;
typedef const_dnnl_memory_desc_t layout_ref;

static bool layout_strided(layout_t *out, const dnnl_dims_t dims, dnnl_data_type_t type, const dnnl_dims_t strides) {
    return dnnl_memory_desc_create_with_strides(out, 2, dims, type, strides) == dnnl_success;
}
static bool layout_any(layout_t *out, const dnnl_dims_t dims, dnnl_data_type_t type) {
    return dnnl_memory_desc_create_with_tag(out, 2, dims, type, dnnl_format_tag_any) == dnnl_success;
}
static void layout_free(layout_t layout) { dnnl_memory_desc_destroy(layout); }
static layout_ref layout_pointer(const layout_t *layout) { return *layout; }
static bool layout_copy(layout_t *out, layout_ref in) { return dnnl_memory_desc_clone(out, in) == dnnl_success; }
static size_t layout_bytes(const layout_t *layout) { return dnnl_memory_desc_get_size(*layout); }
static bool layout_equal(const layout_t *a, const layout_t *b) { return dnnl_memory_desc_equal(*a, *b); }
static bool append_sum(dnnl_post_ops_t operations) {
    return dnnl_post_ops_append_sum(operations, 1, 0, dnnl_data_type_undef) == dnnl_success;
}
static bool describe_product(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, const layout_t *a, const layout_t *b, const layout_t *c,
    dnnl_primitive_attr_t attributes) {
    return dnnl_matmul_primitive_desc_create(out, engine, *a, *b, NULL, *c, attributes) == dnnl_success;
}
#else
typedef dnnl_memory_desc_t layout_t;
typedef const dnnl_memory_desc_t *layout_ref;

static bool layout_strided(layout_t *out, const dnnl_dims_t dims, dnnl_data_type_t type, const dnnl_dims_t strides) {
    return dnnl_memory_desc_init_by_strides(out, 2, dims, type, strides) == dnnl_success;
}
static bool layout_any(layout_t *out, const dnnl_dims_t dims, dnnl_data_type_t type) {
    return dnnl_memory_desc_init_by_tag(out, 2, dims, type, dnnl_format_tag_any) == dnnl_success;
}
static void layout_free(layout_t layout) { (void)layout; }
static layout_ref layout_pointer(const layout_t *layout) { return layout; }
static bool layout_copy(layout_t *out, layout_ref in) {
    *out = *in;
    return true;
}
static size_t layout_bytes(const layout_t *layout) { return dnnl_memory_desc_get_size(layout); }
static bool layout_equal(const layout_t *a, const layout_t *b) { return dnnl_memory_desc_equal(a, b); }
static bool append_sum(dnnl_post_ops_t operations) {
    return dnnl_post_ops_append_sum(operations, 1) == dnnl_success;
}
static bool describe_product(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, const layout_t *a, const layout_t *b, const layout_t *c,
    dnnl_primitive_attr_t attributes) {
    dnnl_matmul_desc_t operation;
    return dnnl_matmul_desc_init(&operation, a, b, NULL, c) == dnnl_success
        && dnnl_primitive_desc_create(out, &operation, attributes, engine, NULL) == dnnl_success;
}
#endif

// MARK: The library's threads

/// OpenMP's settings of the calling thread. They are looked up and not linked, since the library may have been built
/// without OpenMP, and since its flavour (libgomp, libomp) is the distribution's choice.
static int (*openmp_threads)(void);
static void (*openmp_set_threads)(int);
static dnnl_engine_t engine;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void) {
    *(void **)&openmp_threads = dlsym(RTLD_DEFAULT, "omp_get_max_threads");
    *(void **)&openmp_set_threads = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) engine = NULL;
}

/// Makes the library work on the calling thread alone until `leave`; returns what to restore.
static int enter(void) {
    pthread_once(&once, start);
    if (!openmp_threads || !openmp_set_threads) return 1;
    int threads = openmp_threads();
    if (threads != 1) openmp_set_threads(1);
    return threads;
}

static void leave(int threads) {
    if (threads != 1) openmp_set_threads(threads);
}

/// Handing out memory handles and streams is the library's way to say "these bytes"; both are cheap for a processor.
typedef struct {
    int index;
    const layout_t *layout;
    void *bytes;
} argument;

static bool execute(dnnl_primitive_t primitive, const argument *arguments, int count) {
    enum { most = 4 };
    dnnl_exec_arg_t bound[most];
    dnnl_stream_t stream = NULL;
    int made = 0;
    bool done = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) == dnnl_success;
    for (; done && made < count; made++) {
        bound[made].arg = arguments[made].index;
        if (dnnl_memory_create(
                &bound[made].memory, layout_pointer(arguments[made].layout), engine, arguments[made].bytes)
            != dnnl_success)
            break;
    }
    done = done && made == count && dnnl_primitive_execute(primitive, stream, count, bound) == dnnl_success
        && dnnl_stream_wait(stream) == dnnl_success;
    while (made-- > 0) dnnl_memory_destroy(bound[made].memory);
    if (stream) dnnl_stream_destroy(stream);
    return done;
}

// MARK: Products

struct onednn_packing {
    layout_t layout;
    int64_t k, n;
    bool is_bf16;
};

struct onednn_product {
    dnnl_primitive_t primitive;
    layout_t a, b, c, scratch;
};

static dnnl_data_type_t element(bool is_bf16) { return is_bf16 ? dnnl_bf16 : dnnl_f32; }

static bool plain(layout_t *out, int64_t rows, int64_t columns, int64_t ld, int layout, bool is_bf16) {
    dnnl_dims_t dims = {rows, columns};
    dnnl_dims_t strides = {ld, 1};
    if (layout == ONEDNN_TRANSPOSED) {
        strides[0] = 1;
        strides[1] = ld;
    }
    return layout_strided(out, dims, element(is_bf16), strides);
}

int onednn_version(void) {
    const dnnl_version_t *version = dnnl_version();
    return version->major * 10000 + version->minor * 100 + version->patch;
}

bool onednn_has_bf16(void) {
#if defined(__x86_64__)
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    return (isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
#else
    return false;
#endif
}

bool onednn_bf16_is_fast(void) {
#if defined(__x86_64__)
    if (!onednn_has_bf16()) return false;
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    return (isa & dnnl_cpu_isa_avx512_core_amx) == dnnl_cpu_isa_avx512_core_amx || __builtin_cpu_is("amd");
#else
    return false;
#endif
}

/// The library's description of a product over the given layouts.
static bool describe(
    dnnl_primitive_desc_t *out, const layout_t *a, const layout_t *b, const layout_t *c, bool add) {
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t operations = NULL;
    bool done = engine && dnnl_primitive_attr_create(&attributes) == dnnl_success
        && dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) == dnnl_success;
    if (done && add)
        done = dnnl_post_ops_create(&operations) == dnnl_success && append_sum(operations)
            && dnnl_primitive_attr_set_post_ops(attributes, operations) == dnnl_success;
    done = done && describe_product(out, engine, a, b, c, attributes);
    if (operations) dnnl_post_ops_destroy(operations);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    return done;
}

onednn_packing *onednn_packing_create(int64_t k, int64_t n, bool is_bf16, int64_t typical_m) {
    int threads = enter();
    onednn_packing *packing = calloc(1, sizeof *packing);
    layout_t a, b, c;
    bool has_a = plain(&a, typical_m, k, k, ONEDNN_ROWS, is_bf16);
    bool has_c = plain(&c, typical_m, n, n, ONEDNN_ROWS, false);
    dnnl_dims_t dims = {k, n};
    bool has_b = layout_any(&b, dims, element(is_bf16));
    dnnl_primitive_desc_t description = NULL;
    bool done = packing && has_a && has_b && has_c && describe(&description, &a, &b, &c, false)
        && layout_copy(&packing->layout, dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0));
    if (done) {
        packing->k = k;
        packing->n = n;
        packing->is_bf16 = is_bf16;
    } else {
        free(packing);
        packing = NULL;
    }
    if (description) dnnl_primitive_desc_destroy(description);
    if (has_a) layout_free(a);
    if (has_b) layout_free(b);
    if (has_c) layout_free(c);
    leave(threads);
    return packing;
}

void onednn_packing_destroy(onednn_packing *packing) {
    if (!packing) return;
    layout_free(packing->layout);
    free(packing);
}

size_t onednn_packing_bytes(const onednn_packing *packing) { return layout_bytes(&packing->layout); }

bool onednn_pack(const onednn_packing *packing, void *out, const void *b, int64_t ldb, onednn_layout layout) {
    int threads = enter();
    layout_t source;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    bool has_source = plain(&source, packing->k, packing->n, ldb, layout, packing->is_bf16);
    bool done = has_source && engine
        && dnnl_reorder_primitive_desc_create(
               &description, layout_pointer(&source), engine, layout_pointer(&packing->layout), engine, NULL)
            == dnnl_success
        && dnnl_primitive_create(&reorder, description) == dnnl_success;
    if (done) {
        const argument arguments[2] = {
            {DNNL_ARG_FROM, &source, (void *)b},
            {DNNL_ARG_TO, &packing->layout, out},
        };
        done = execute(reorder, arguments, 2);
    }
    if (reorder) dnnl_primitive_destroy(reorder);
    if (description) dnnl_primitive_desc_destroy(description);
    if (has_source) layout_free(source);
    leave(threads);
    return done;
}

onednn_product *onednn_product_create(const onednn_shape *shape, const onednn_packing *packing) {
    int threads = enter();
    onednn_product *product = calloc(1, sizeof *product);
    dnnl_primitive_desc_t description = NULL;
    bool packed = shape->b_layout == ONEDNN_PACKED;
    bool has_a = product && plain(&product->a, shape->m, shape->k, shape->lda, shape->a_layout, shape->is_bf16);
    bool has_b = has_a
        && (packed ? layout_copy(&product->b, layout_pointer(&packing->layout))
                   : plain(&product->b, shape->k, shape->n, shape->ldb, shape->b_layout, shape->is_bf16));
    bool has_c = has_b && plain(&product->c, shape->m, shape->n, shape->ldc, ONEDNN_ROWS, false);
    bool done = has_c && describe(&description, &product->a, &product->b, &product->c, shape->add)
        && layout_copy(&product->scratch, dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0));
    bool has_scratch = done;
    done = done && dnnl_primitive_create(&product->primitive, description) == dnnl_success;
    if (description) dnnl_primitive_desc_destroy(description);
    if (!done && product) {
        if (has_scratch) layout_free(product->scratch);
        if (has_a) layout_free(product->a);
        if (has_b) layout_free(product->b);
        if (has_c) layout_free(product->c);
        free(product);
        product = NULL;
    }
    leave(threads);
    return product;
}

void onednn_product_destroy(onednn_product *product) {
    if (!product) return;
    dnnl_primitive_destroy(product->primitive);
    layout_free(product->scratch);
    layout_free(product->a);
    layout_free(product->b);
    layout_free(product->c);
    free(product);
}

bool onednn_product_fits(const onednn_product *product, const onednn_packing *packing) {
    return layout_equal(&product->b, &packing->layout);
}

size_t onednn_product_scratch(const onednn_product *product) { return layout_bytes(&product->scratch); }

bool onednn_product_run(const onednn_product *product, float *c, const void *a, const void *b, void *scratch) {
    int threads = enter();
    const argument arguments[4] = {
        {DNNL_ARG_SRC, &product->a, (void *)a},
        {DNNL_ARG_WEIGHTS, &product->b, (void *)b},
        {DNNL_ARG_DST, &product->c, c},
        {DNNL_ARG_SCRATCHPAD, &product->scratch, scratch},
    };
    bool done = execute(product->primitive, arguments, 4);
    leave(threads);
    return done;
}
