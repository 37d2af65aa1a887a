// A small matrix product whose operands are in the cache: what attention is made of.

enum {
    /// Rows and vectors of C that a step keeps in registers, with room for a row of B and one element of A.
    tile_rows = 6,
    tile_vectors = REGISTERS >= 32 ? 4 : 2,
};

INLINE intptr_t padded(intptr_t n) { return (n + WIDTH - 1) / WIDTH * WIDTH; }

/// C[rows, vectors · WIDTH] (+)= A · B over `inner`; element (r, i) of A is a[r · row + i · column].
INLINE void tile_step(
    const int rows, const int vectors, float *c, intptr_t ldc, const float *a, intptr_t row, intptr_t column,
    const float *b, intptr_t ldb, intptr_t inner, bool add) {
    vf sums[tile_rows][tile_vectors];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sums[r][v] = add ? load(c + r * ldc + v * WIDTH) : splat(0);
    for (intptr_t i = 0; i < inner; i++) {
        vf right[tile_vectors];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) right[v] = load(b + i * ldb + v * WIDTH);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            vf left = splat(a[r * row + i * column]);
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) sums[r][v] = multiply_add(left, right[v], sums[r][v]);
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) store(c + r * ldc + v * WIDTH, sums[r][v]);
}

INLINE void tile_column(
    const int vectors, float *c, intptr_t ldc, const float *a, intptr_t row, intptr_t column, const float *b,
    intptr_t ldb, intptr_t rows, intptr_t inner, bool add) {
    intptr_t r = 0;
    for (; r + tile_rows <= rows; r += tile_rows)
        tile_step(tile_rows, vectors, c + r * ldc, ldc, a + r * row, row, column, b, ldb, inner, add);
    for (; r + 2 <= rows; r += 2)
        tile_step(2, vectors, c + r * ldc, ldc, a + r * row, row, column, b, ldb, inner, add);
    for (; r < rows; r++)
        tile_step(1, vectors, c + r * ldc, ldc, a + r * row, row, column, b, ldb, inner, add);
}

/// C[rows, n] (+)= A · B[inner, n]; n is a multiple of WIDTH.
static void tile_product(
    float *c, intptr_t ldc, const float *a, intptr_t row, intptr_t column, const float *b, intptr_t ldb,
    intptr_t rows, intptr_t n, intptr_t inner, bool add) {
    intptr_t j = 0;
    for (; j + tile_vectors * WIDTH <= n; j += tile_vectors * WIDTH)
        tile_column(tile_vectors, c + j, ldc, a, row, column, b + j, ldb, rows, inner, add);
    for (; j < n; j += WIDTH) tile_column(1, c + j, ldc, a, row, column, b + j, ldb, rows, inner, add);
}
