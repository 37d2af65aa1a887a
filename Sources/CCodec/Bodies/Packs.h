// Groups of small values: several to a byte, and runs of zeros as their lengths.

static inline void count_values(uint32_t counts[16], const void *values, size_t n, int width) {
    uint32_t parts[4][16] = {{0}};
    for (size_t i = 0; i < n; i++) {
        const uint32_t value = load_value(values, i, width);
        parts[i % 4][value < 15 ? value : 15]++;
    }
    for (size_t value = 0; value < 16; value++) {
        counts[value] = parts[0][value] + parts[1][value] + parts[2][value] + parts[3][value];
    }
}

static void values_count(uint32_t counts[16], const void *values, size_t n, int width) {
    if (width == 1) count_values(counts, values, n, 1);
    else if (width == 2) count_values(counts, values, n, 2);
    else count_values(counts, values, n, 4);
}

// MARK: Writing

/// What stands in the byte for a value; what is beyond goes to the large.
static inline uint32_t pack(pawl_packs *packs, uint32_t value, uint32_t largest) {
    if (value < largest) return value;
    packs->large[packs->large_count++] = token_write(value - largest, packs->form, &packs->large_bits);
    return largest;
}

static inline void encode_packs(pawl_packs *state, const void *values, size_t n, int width, int bits) {
    const size_t each = 8 / (size_t)bits;
    const uint32_t largest = (1u << bits) - 1;
    pawl_packs packs = *state;
    size_t i = 0;
    for (; i + each <= n; i += each) {
        uint32_t byte = 0;
        for (size_t k = 0; k < each; k++) {
            byte |= pack(&packs, load_value(values, i + k, width), largest) << (size_t)bits * k;
        }
        packs.packed[packs.packed_count++] = (uint8_t)byte;
    }
    if (i < n) {
        uint32_t byte = 0;
        for (size_t k = 0; i + k < n; k++) {
            byte |= pack(&packs, load_value(values, i + k, width), largest) << (size_t)bits * k;
        }
        packs.packed[packs.packed_count++] = (uint8_t)byte;
    }
    *state = packs;
}

static inline void encode_runs(pawl_packs *state, const void *values, size_t n, int width) {
    const size_t stride = 8 / (size_t)width;
    pawl_packs packs = *state;
    size_t next = 0;
    uint32_t byte = 0;
    int filled = 0;
    for (size_t i = 0; i < n;) {
        uint64_t some = 1;
        if (i + stride <= n) memcpy(&some, (const uint8_t *)values + i * (size_t)width, 8);
        const size_t end = i + stride <= n ? i + stride : n;
        for (; some != 0 && i < end; i++) {
            const uint32_t value = load_value(values, i, width);
            if (value == 0) continue;
            packs.gaps[packs.gap_count++] = token_write((uint32_t)(i - next), packs.form, &packs.gap_bits);
            byte |= pack(&packs, value - 1, 3) << filled;
            filled += 2;
            if (filled == 8) {
                packs.packed[packs.packed_count++] = (uint8_t)byte;
                byte = 0;
                filled = 0;
            }
            next = i + 1;
        }
        i = end;
    }
    if (next < n) packs.gaps[packs.gap_count++] = token_write((uint32_t)(n - next), packs.form, &packs.gap_bits);
    if (filled > 0) packs.packed[packs.packed_count++] = (uint8_t)byte;
    *state = packs;
}

static void packs_encode(pawl_packs *packs, const void *values, size_t n, int width, int bits) {
    if (width == 1) bits == 2 ? encode_packs(packs, values, n, 1, 2) : encode_packs(packs, values, n, 1, 4);
    else if (width == 2) bits == 2 ? encode_packs(packs, values, n, 2, 2) : encode_packs(packs, values, n, 2, 4);
    else bits == 2 ? encode_packs(packs, values, n, 4, 2) : encode_packs(packs, values, n, 4, 4);
}

static void runs_encode(pawl_packs *packs, const void *values, size_t n, int width) {
    if (width == 1) encode_runs(packs, values, n, 1);
    else if (width == 2) encode_runs(packs, values, n, 2);
    else encode_runs(packs, values, n, 4);
}

// MARK: Reading

/// The value of a part of a byte that says "more". False: damaged.
static inline bool unpack_large(pawl_packs *packs, const token_table *table, uint32_t largest, uint32_t *value) {
    uint32_t more;
    if (packs->large_count == packs->large_room) return false;
    if (!token_read(packs->large[packs->large_count++], table, &packs->large_bits, &more)) return false;
    // Beyond the width, or beyond 32 bits.
    if (more > table->largest - largest) return false;
    *value = more + largest;
    return true;
}

static inline bool decode_packs(void *values, size_t n, int width, int bits, pawl_packs *state) {
    const size_t each = 8 / (size_t)bits;
    const uint32_t largest = (1u << bits) - 1;
    token_table table;
    token_table_make(&table, state->form, width);
    pawl_packs packs = *state;
    if ((n + each - 1) / each > packs.packed_room - packs.packed_count) return false;
    for (size_t i = 0; i < n; i += each) {
        const uint32_t byte = packs.packed[packs.packed_count++];
        // A bit for every part of the byte that is all ones.
        uint32_t full = byte & byte >> 1;
        full &= bits == 2 ? 0x55 : full >> 2 & 0x11;
        if (i + each <= n) {
            for (size_t k = 0; k < each; k++) store_value(values, i + k, width, byte >> (size_t)bits * k & largest);
        } else {
            for (size_t k = 0; i + k < n; k++) store_value(values, i + k, width, byte >> (size_t)bits * k & largest);
            full &= (1u << (n - i) * (size_t)bits) - 1;
        }
        for (; full; full &= full - 1) {
            uint32_t value;
            if (!unpack_large(&packs, &table, largest, &value)) return false;
            store_value(values, i + (size_t)(__builtin_ctz(full) / bits), width, value);
        }
    }
    *state = packs;
    return true;
}

static inline bool decode_runs(void *values, size_t n, int width, pawl_packs *state) {
    token_table gap_table, value_table;
    token_table_make(&gap_table, state->form, 4);
    token_table_make(&value_table, state->form, width);
    pawl_packs packs = *state;
    memset(values, 0, n * (size_t)width);
    uint32_t byte = 0;
    int left = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t gap;
        if (packs.gap_count == packs.gap_room) return false;
        if (!token_read(packs.gaps[packs.gap_count++], &gap_table, &packs.gap_bits, &gap)) return false;
        if (gap > n - i) return false;
        i += gap;
        if (i == n) break;
        if (left == 0) {
            if (packs.packed_count == packs.packed_room) return false;
            byte = packs.packed[packs.packed_count++];
            left = 4;
        }
        uint32_t value = byte & 3;
        byte >>= 2;
        left--;
        if (value == 3 && !unpack_large(&packs, &value_table, 3, &value)) return false;
        if (value >= value_table.largest) return false;
        store_value(values, i, width, value + 1);
    }
    *state = packs;
    return true;
}

static bool packs_decode(void *values, size_t n, int width, int bits, pawl_packs *packs) {
    if (width == 1) return bits == 2 ? decode_packs(values, n, 1, 2, packs) : decode_packs(values, n, 1, 4, packs);
    if (width == 2) return bits == 2 ? decode_packs(values, n, 2, 2, packs) : decode_packs(values, n, 2, 4, packs);
    return bits == 2 ? decode_packs(values, n, 4, 2, packs) : decode_packs(values, n, 4, 4, packs);
}

static bool runs_decode(void *values, size_t n, int width, pawl_packs *packs) {
    if (width == 1) return decode_runs(values, n, 1, packs);
    if (width == 2) return decode_runs(values, n, 2, packs);
    return decode_runs(values, n, 4, packs);
}
