// Products of few rows with weights as they are stored. Sums run along the rows of both operands, so that nothing needs
// rearranging; what limits them is memory for one row, and arithmetic from about eight.

enum {
    /// Rows of A and of W in a tile, whose sums all stay in registers.
    few_rows = REGISTERS >= 32 ? 8 : 4,
    few_outputs = REGISTERS >= 32 ? 3 : 2,
    /// Terms taken in one go: so much of a tile's rows of A stays in the nearest cache.
    few_terms = 768,
    /// Rows of W that go through all rows of A before the next: they stay in the second cache.
    few_block = 24,
    /// Vectors whose lanes are added up together.
    lane_group = WIDTH / 2,
};

INLINE vf load_element(const void *p, pawl_type type, intptr_t at, intptr_t left) {
    return type == PAWL_BF16 ? load_some_bf16((const uint16_t *)p + at, left)
                             : load_some((const float *)p + at, left, 0);
}

/// The sum of each vector's lanes, in the order of `sum_lanes`: halves, quarters, ... of several vectors are added at a
/// time, each vector taking half the room it had.
INLINE void sum_lanes_of_group(const vf x[lane_group], float out[lane_group]) {
#if WIDTH == 16
    vf halves[4], quarters[2];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++)
        halves[i] = __builtin_shufflevector(
                        x[2 * i], x[2 * i + 1], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
            + __builtin_shufflevector(
                        x[2 * i], x[2 * i + 1], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
#pragma clang loop unroll(full)
    for (int i = 0; i < 2; i++)
        quarters[i] = __builtin_shufflevector(
                          halves[2 * i], halves[2 * i + 1], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
            + __builtin_shufflevector(
                          halves[2 * i], halves[2 * i + 1], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    vf pairs = __builtin_shufflevector(
                   quarters[0], quarters[1], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
        + __builtin_shufflevector(
                   quarters[0], quarters[1], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    vf sums = pairs + __builtin_shufflevector(pairs, pairs, 1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15);
    for (int i = 0; i < 4; i++) {
        out[i] = sums[4 * i];
        out[4 + i] = sums[4 * i + 2];
    }
#elif WIDTH == 8
    vf halves[2];
#pragma clang loop unroll(full)
    for (int i = 0; i < 2; i++)
        halves[i] = __builtin_shufflevector(x[2 * i], x[2 * i + 1], 0, 1, 2, 3, 8, 9, 10, 11)
            + __builtin_shufflevector(x[2 * i], x[2 * i + 1], 4, 5, 6, 7, 12, 13, 14, 15);
    vf pairs = __builtin_shufflevector(halves[0], halves[1], 0, 1, 8, 9, 4, 5, 12, 13)
        + __builtin_shufflevector(halves[0], halves[1], 2, 3, 10, 11, 6, 7, 14, 15);
    vf sums = pairs + __builtin_shufflevector(pairs, pairs, 1, 1, 3, 3, 5, 5, 7, 7);
    for (int i = 0; i < 2; i++) {
        out[i] = sums[4 * i];
        out[2 + i] = sums[4 * i + 2];
    }
#else
    for (int i = 0; i < lane_group; i++) out[i] = sum_lanes(x[i]);
#endif
}

/// A tile's operands; rows of A, W and C are `lda`, `ldw` and `ldc` apart.
typedef struct {
    float *c;
    const float *a;
    const void *w;
    intptr_t ldc, lda, ldw, terms;
    /// What the next tiles will read, and how far this tile's share of it moves for each vector of terms, in bytes.
    const char *ahead;
    intptr_t ahead_step;
    bool add;
} few_tile;

/// One vector of terms of every sum.
INLINE void few_terms_step(
    const int rows, const int outputs, vf sums[few_rows][few_outputs], const few_tile *t, pawl_type type, intptr_t i,
    intptr_t left) {
    vf weight[few_outputs];
#pragma clang loop unroll(full)
    for (int o = 0; o < outputs; o++) weight[o] = load_element(t->w, type, o * t->ldw + i, left);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        vf x = load_some(t->a + r * t->lda + i, left, 0);
#pragma clang loop unroll(full)
        for (int o = 0; o < outputs; o++) sums[r][o] = multiply_add(x, weight[o], sums[r][o]);
    }
}

/// c[rows, outputs] (+)= a[rows, terms] · w[outputs, terms]ᵀ.
INLINE void multiply_few(const int rows, const int outputs, const few_tile *t, pawl_type type) {
    vf sums[few_rows][few_outputs] = {};
    intptr_t whole = t->terms / WIDTH * WIDTH;
    const char *ahead = t->ahead;
    intptr_t row = t->ldw * (intptr_t)(type == PAWL_BF16 ? sizeof(uint16_t) : sizeof(float));
    for (intptr_t i = 0; i < whole; i += WIDTH) {
#pragma clang loop unroll(full)
        for (int o = 0; o < outputs; o++) __builtin_prefetch(ahead + o * row, 0, 2);
        ahead += t->ahead_step;
        few_terms_step(rows, outputs, sums, t, type, i, WIDTH);
    }
    if (whole < t->terms) few_terms_step(rows, outputs, sums, t, type, whole, t->terms - whole);
#pragma clang loop unroll(full)
    for (int o = 0; o < outputs; o++)
#pragma clang loop unroll(full)
        for (int first = 0; first < rows; first += lane_group) {
            vf group[lane_group] = {};
            float totals[lane_group];
#pragma clang loop unroll(full)
            for (int r = 0; r < lane_group && first + r < rows; r++) group[r] = sums[first + r][o];
            sum_lanes_of_group(group, totals);
#pragma clang loop unroll(full)
            for (int r = 0; r < lane_group && first + r < rows; r++) {
                float *c = t->c + (first + r) * t->ldc + o;
                *c = t->add ? *c + totals[r] : totals[r];
            }
        }
}

INLINE void multiply_few_outputs(const int outputs, intptr_t rows, const few_tile *t, pawl_type type) {
    switch (rows) {
    case 1: return multiply_few(1, outputs, t, type);
    case 2: return multiply_few(2, outputs, t, type);
    case 3: return multiply_few(3, outputs, t, type);
#if REGISTERS < 32
    default: return multiply_few(4, outputs, t, type);
#else
    case 4: return multiply_few(4, outputs, t, type);
    case 5: return multiply_few(5, outputs, t, type);
    case 6: return multiply_few(6, outputs, t, type);
    case 7: return multiply_few(7, outputs, t, type);
    default: return multiply_few(8, outputs, t, type);
#endif
    }
}

/// A block of W's rows for one group of A's rows.
INLINE void multiply_few_group(few_tile t, intptr_t rows, intptr_t outputs, pawl_type type) {
    intptr_t size = type == PAWL_BF16 ? sizeof(uint16_t) : sizeof(float);
    for (; outputs >= few_outputs; outputs -= few_outputs) {
        multiply_few_outputs(few_outputs, rows, &t, type);
        t.c += few_outputs;
        t.w = (const char *)t.w + few_outputs * t.ldw * size;
        t.ahead += few_outputs * t.ldw * size;
    }
    for (; outputs > 0; outputs--) {
        multiply_few_outputs(1, rows, &t, type);
        t.c += 1;
        t.w = (const char *)t.w + t.ldw * size;
        t.ahead += t.ldw * size;
    }
}

INLINE void few(
    float *c, intptr_t ldc, const float *a, intptr_t lda, const void *w, pawl_type type, intptr_t rows,
    intptr_t n, intptr_t k, bool add, const void *next) {
    // Rows go in even groups, so that none is much smaller than the others.
    intptr_t groups = (rows + few_rows - 1) / few_rows, size = type == PAWL_BF16 ? sizeof(uint16_t) : sizeof(float);
    for (intptr_t j = 0; j < n; j += few_block)
        for (intptr_t i = 0; i < k; i += few_terms)
            for (intptr_t g = 0; g < groups; g++) {
                intptr_t first = g * rows / groups, end = (g + 1) * rows / groups;
                intptr_t terms = k - i < few_terms ? k - i : few_terms;
                few_tile t = {
                    .c = c + first * ldc + j, .a = a + first * lda + i, .w = (const char *)w + (j * k + i) * size,
                    .ldc = ldc, .lda = lda, .ldw = k, .terms = terms, .ahead_step = WIDTH * size / groups,
                    .add = add || i > 0};
                // Each group asks for its share of the next block: by the last one all of it is near.
                t.ahead = j + few_block < n ? (const char *)t.w + few_block * k * size : (const char *)next + i * size;
                t.ahead += g * terms / groups * size;
                multiply_few_group(t, end - first, n - j < few_block ? n - j : few_block, type);
            }
}

static void few_rows_product(
    float *c, intptr_t ldc, const float *a, intptr_t lda, const void *w, pawl_type type, intptr_t rows,
    intptr_t n, intptr_t k, bool add, const void *next) {
    if (type == PAWL_BF16)
        few(c, ldc, a, lda, w, PAWL_BF16, rows, n, k, add, next);
    else
        few(c, ldc, a, lda, w, PAWL_F32, rows, n, k, add, next);
}
