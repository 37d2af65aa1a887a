// Floats as symbols (exponent and top mantissa bits) and rests (sign and low mantissa bits).

enum { CHUNK = 64 };

static void fields_count(uint32_t counts[PAWL_JOINT_VALUES], const uint16_t *words, size_t n, int rest_bits) {
    // Neighbours are often equal: two tables spare the processor waiting for its own store.
    uint32_t other[PAWL_JOINT_VALUES] = {0};
    memset(counts, 0, sizeof other);
    const int shift = rest_bits - 1;
    size_t i = 0;
    for (; i + 2 <= n; i += 2) {
        counts[(words[i] & 0x7fff) >> shift & (PAWL_JOINT_VALUES - 1)]++;
        other[(words[i + 1] & 0x7fff) >> shift & (PAWL_JOINT_VALUES - 1)]++;
    }
    if (i < n) counts[(words[i] & 0x7fff) >> shift & (PAWL_JOINT_VALUES - 1)]++;
    for (size_t value = 0; value < PAWL_JOINT_VALUES; value++) counts[value] += other[value];
}

static size_t fields_symbols(
    uint8_t *restrict symbols, const uint16_t *restrict words, size_t n, int rest_bits, uint32_t top,
    uint32_t window) {
    const uint16_t first = (uint16_t)top, limit = (uint16_t)window;
    const int shift = rest_bits - 1;
    size_t escapes = 0;
    for (size_t start = 0; start < n; start += CHUNK) {
        const size_t end = start + CHUNK < n ? start + CHUNK : n;
        uint16_t count = 0;
        for (size_t i = start; i < end; i++) {
            const uint16_t distance = (uint16_t)(first - ((words[i] & 0x7fff) >> shift));
            const bool inside = distance < limit;
            symbols[i] = (uint8_t)(inside ? distance : limit);
            count = (uint16_t)(count + !inside);
        }
        escapes += count;
    }
    return escapes;
}

/// Whether any of at most CHUNK symbols lies outside the window.
static bool any_escape(const uint8_t *symbols, size_t n, uint8_t window) {
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) any |= (uint8_t)(symbols[i] >= window);
    return any;
}

static void fields_escapes(
    uint8_t *restrict high, uint8_t *restrict low, const uint8_t *restrict symbols,
    const uint16_t *restrict words, size_t n, int rest_bits, uint32_t window) {
    const int low_bits = 8 - rest_bits;
    size_t count = 0;
    for (size_t start = 0; start < n; start += CHUNK) {
        const size_t size = n - start < CHUNK ? n - start : CHUNK;
        if (!any_escape(symbols + start, size, (uint8_t)window)) continue;
        for (size_t i = start; i < start + size; i++) {
            if (symbols[i] < window) continue;
            const uint32_t joint = (words[i] & 0x7fffu) >> (rest_bits - 1);
            high[count] = (uint8_t)(joint >> low_bits);
            low[count++] = (uint8_t)(joint & ((1u << low_bits) - 1));
        }
    }
}

/// The six bits of a word that are no part of its symbol.
static inline uint8_t six_bits(uint16_t word) { return (uint8_t)((word & 31) | (word >> 15) << 5); }

/// The same as part of a word.
static inline uint16_t from_six_bits(uint8_t bits) {
    return (uint16_t)((bits & 31) | (uint16_t)(bits & 32) << 10);
}

/// Four runs of words: the bits of the last one lie in the top bits of the bytes of the first three, so that packing
/// moves whole bytes only.
static void pack_six_bits(uint8_t *restrict rest, const uint16_t *restrict words, size_t n) {
    const size_t run = (n + 3) / 4, whole = n - 3 * run < n ? n - 3 * run : 0;
    for (size_t i = 0; i < whole; i++) {
        const uint8_t last = six_bits(words[3 * run + i]);
        rest[i] = (uint8_t)(six_bits(words[i]) | last << 6);
        rest[run + i] = (uint8_t)(six_bits(words[run + i]) | (last >> 2) << 6);
        rest[2 * run + i] = (uint8_t)(six_bits(words[2 * run + i]) | (last >> 4) << 6);
    }
    for (size_t part = 0; part < 3; part++) {
        for (size_t i = whole; i < run; i++) {
            const size_t place = part * run + i;
            rest[place] = place < n ? six_bits(words[place]) : 0;
        }
    }
}

static void unpack_six_bits(uint16_t *restrict words, const uint8_t *restrict rest, size_t n) {
    const size_t run = (n + 3) / 4, whole = n - 3 * run < n ? n - 3 * run : 0;
    uint16_t *a = words, *b = words + run, *c = words + 2 * run, *d = words + 3 * run;
    for (size_t i = 0; i < whole; i++) {
        const uint8_t x = rest[i], y = rest[run + i], z = rest[2 * run + i];
        a[i] |= from_six_bits(x);
        b[i] |= from_six_bits(y);
        c[i] |= from_six_bits(z);
        d[i] |= from_six_bits((uint8_t)(x >> 6 | (y >> 6) << 2 | (z >> 6) << 4));
    }
    for (size_t part = 0; part < 3; part++) {
        for (size_t i = whole; i < run; i++) {
            const size_t place = part * run + i;
            if (place < n) words[place] |= from_six_bits(rest[place]);
        }
    }
}

static void rest_pack(uint8_t *restrict rest, const uint16_t *restrict words, size_t n, int rest_bits) {
    if (rest_bits == 6) {
        pack_six_bits(rest, words, n);
        return;
    }
    for (size_t i = 0; i < n; i++) rest[i] = (uint8_t)((words[i] & 0x7f) | (words[i] >> 15) << 7);
}

static bool fields_join(
    uint16_t *restrict words, const uint8_t *restrict symbols, const uint8_t *restrict rest, size_t n,
    int rest_bits, uint32_t top, uint32_t window, const uint8_t *restrict high, const uint8_t *restrict low,
    size_t escapes) {
    const int shift = rest_bits - 1, low_bits = 8 - rest_bits;
    const uint32_t first = top;
    size_t taken = 0;
    for (size_t start = 0; start < n; start += CHUNK) {
        const size_t end = n - start < CHUNK ? n : start + CHUNK;
        for (size_t i = start; i < end; i++) words[i] = (uint16_t)((first - symbols[i]) << shift) & 0x7fff;
        if (!any_escape(symbols + start, end - start, (uint8_t)window)) continue;
        for (size_t i = start; i < end; i++) {
            if (symbols[i] < window) continue;
            if (symbols[i] > window || taken == escapes) return false;
            const uint32_t joint = (uint32_t)high[taken] << low_bits | (low[taken] & ((1u << low_bits) - 1));
            words[i] = (uint16_t)(joint << shift) & 0x7fff;
            taken++;
        }
    }
    if (rest_bits == 6) {
        unpack_six_bits(words, rest, n);
    } else {
        for (size_t i = 0; i < n; i++) words[i] |= (uint16_t)((rest[i] & 0x7f) | (uint16_t)(rest[i] & 0x80) << 8);
    }
    return taken == escapes;
}

static void halves_split(
    uint16_t *restrict high, uint8_t *restrict low1, uint8_t *restrict low0, const uint32_t *restrict words,
    size_t n) {
    for (size_t i = 0; i < n; i++) {
        high[i] = (uint16_t)(words[i] >> 16);
        low1[i] = (uint8_t)(words[i] >> 8);
        low0[i] = (uint8_t)words[i];
    }
}

static void halves_join(
    uint32_t *restrict words, const uint16_t *restrict high, const uint8_t *restrict low1,
    const uint8_t *restrict low0, size_t n) {
    for (size_t i = 0; i < n; i++) words[i] = (uint32_t)high[i] << 16 | (uint32_t)low1[i] << 8 | low0[i];
}
