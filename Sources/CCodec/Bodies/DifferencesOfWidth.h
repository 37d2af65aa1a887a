// The loops of Differences.h for one width: WORD, SIGNED and NAME are set.

/// A number that grows with the word's value; its own inverse.
static inline WORD NAME(ordered)(WORD word) {
    return (WORD)(word ^ ((WORD)((SIGNED)word >> (8 * sizeof(WORD) - 1)) >> 1));
}

static inline WORD NAME(zigzag)(WORD difference) {
    return (WORD)((WORD)(difference << 1) ^ (WORD)((SIGNED)difference >> (8 * sizeof(WORD) - 1)));
}

static inline WORD NAME(unzigzag)(WORD value) { return (WORD)((value >> 1) ^ (WORD)(0u - (value & 1u))); }

static void NAME(difference)(
    void *restrict out, const void *restrict block, const void *restrict base, size_t n, bool is_float) {
    WORD *differences = out;
    const WORD *new = block, *old = base;
    if (is_float) {
        for (size_t i = 0; i < n; i++) {
            differences[i] = NAME(zigzag)((WORD)(NAME(ordered)(new[i]) - NAME(ordered)(old[i])));
        }
    } else {
        for (size_t i = 0; i < n; i++) differences[i] = NAME(zigzag)((WORD)(new[i] - old[i]));
    }
}

static void NAME(apply)(void *restrict onto, const void *restrict in, size_t n, bool is_float) {
    WORD *words = onto;
    const WORD *differences = in;
    if (is_float) {
        for (size_t i = 0; i < n; i++) {
            words[i] = NAME(ordered)((WORD)(NAME(ordered)(words[i]) + NAME(unzigzag)(differences[i])));
        }
    } else {
        for (size_t i = 0; i < n; i++) words[i] = (WORD)(words[i] + NAME(unzigzag)(differences[i]));
    }
}

static void NAME(fields)(
    uint8_t *restrict contexts, const void *restrict base, size_t n, int shift, uint32_t mask) {
    const WORD *words = base;
    for (size_t i = 0; i < n; i++) contexts[i] = (uint8_t)((WORD)(words[i] >> shift) & (WORD)mask);
}

static void NAME(sort)(
    void *restrict out, const void *restrict in, const uint8_t *restrict contexts, size_t n,
    const pawl_contexts_order *order) {
    WORD *sorted = out;
    const WORD *values = in;
    const size_t quarter = n / 4;
    uint32_t next[4][256];
    memcpy(next, order->starts, sizeof next);
    for (size_t i = 0; i < quarter; i++) {
        sorted[next[0][contexts[i]]++] = values[i];
        sorted[next[1][contexts[quarter + i]]++] = values[quarter + i];
        sorted[next[2][contexts[2 * quarter + i]]++] = values[2 * quarter + i];
        sorted[next[3][contexts[3 * quarter + i]]++] = values[3 * quarter + i];
    }
    for (size_t i = 4 * quarter; i < n; i++) sorted[next[3][contexts[i]]++] = values[i];
}

static void NAME(unsort)(
    void *restrict out, const void *restrict in, const uint8_t *restrict contexts, size_t n,
    const pawl_contexts_order *order) {
    WORD *values = out;
    const WORD *sorted = in;
    const size_t quarter = n / 4;
    uint32_t next[4][256];
    memcpy(next, order->starts, sizeof next);
    for (size_t i = 0; i < quarter; i++) {
        values[i] = sorted[next[0][contexts[i]]++];
        values[quarter + i] = sorted[next[1][contexts[quarter + i]]++];
        values[2 * quarter + i] = sorted[next[2][contexts[2 * quarter + i]]++];
        values[3 * quarter + i] = sorted[next[3][contexts[3 * quarter + i]]++];
    }
    for (size_t i = 4 * quarter; i < n; i++) values[i] = sorted[next[3][contexts[i]]++];
}
