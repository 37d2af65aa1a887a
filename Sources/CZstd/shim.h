// ZSTD_c_literalCompressionMode lives behind this macro in libzstd 1.5.
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
