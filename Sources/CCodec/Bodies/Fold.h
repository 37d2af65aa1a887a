// Low-rank updates of rows (docs/format.md, "Folded"): every operation is rounded on its own, in a fixed order.

#pragma STDC FP_CONTRACT OFF

/// Columns whose sums stay in registers.
#define FOLD_COLUMNS 64

static inline uint32_t float_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float half_value(uint16_t word) {
    const uint32_t sign = (uint32_t)(word & 0x8000) << 16, magnitude = word & 0x7FFF;
    if (magnitude >= 0x7C00) return float_of(sign | 0x7F800000 | (magnitude & 0x3FF) << 13);
    if (magnitude >= 0x400) return float_of(sign | ((magnitude << 13) + (112u << 23)));
    return float_of(sign | float_bits((float)magnitude * 0x1p-24f));
}

/// The nearest half, the even one of two; every NaN gives the same.
static inline uint16_t nearest_half(float value) {
    const uint32_t bits = float_bits(value), sign = bits >> 16 & 0x8000;
    uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) return 0x7E00;
    if (magnitude >= 0x477FF000) return (uint16_t)(sign | 0x7C00);
    // Beside 0.5, a float's last place is that of a subnormal half.
    if (magnitude < 0x38800000) {
        return (uint16_t)(sign | (float_bits(float_of(magnitude) + 0.5f) - float_bits(0.5f)));
    }
    magnitude += 0xFFF + (magnitude >> 13 & 1);
    return (uint16_t)(sign | (magnitude - (112u << 23)) >> 13);
}

static inline uint16_t nearest_brain(float value) {
    const uint32_t bits = float_bits(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return 0x7FC0;
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/// updates[j] = scale ((b0 a0j + b1 a1j) + b2 a2j + ...)
static inline void fold_updates(
    float *restrict updates, size_t n, const float *restrict a, size_t stride, const float *restrict b,
    size_t rank, float scale) {
    for (size_t j = 0; j < n; j++) updates[j] = b[0] * a[j];
    for (size_t k = 1; k < rank; k++) {
        const float *row = a + k * stride;
        for (size_t j = 0; j < n; j++) {
            const float product = b[k] * row[j];
            updates[j] = updates[j] + product;
        }
    }
    for (size_t j = 0; j < n; j++) updates[j] = scale * updates[j];
}

static inline void fold_add(void *words, const float *restrict updates, size_t n, pawl_float form) {
    if (form == PAWL_BF16) {
        uint16_t *brains = words;
        for (size_t j = 0; j < n; j++) {
            brains[j] = nearest_brain(float_of((uint32_t)brains[j] << 16) + updates[j]);
        }
    } else if (form == PAWL_F16) {
        uint16_t *halves = words;
        for (size_t j = 0; j < n; j++) halves[j] = nearest_half(half_value(halves[j]) + updates[j]);
    } else {
        uint32_t *floats = words;
        for (size_t j = 0; j < n; j++) {
            const float sum = float_of(floats[j]) + updates[j];
            floats[j] = sum != sum ? 0x7FC00000 : float_bits(sum);
        }
    }
}

static void fold(
    void *words, size_t n, pawl_float form, const float *a, size_t stride, const float *b, size_t rank,
    float scale) {
    float updates[FOLD_COLUMNS];
    const size_t width = form == PAWL_F32 ? 4 : 2;
    size_t j = 0;
    for (; j + FOLD_COLUMNS <= n; j += FOLD_COLUMNS) {
        fold_updates(updates, FOLD_COLUMNS, a + j, stride, b, rank, scale);
        fold_add((uint8_t *)words + j * width, updates, FOLD_COLUMNS, form);
    }
    if (j == n) return;
    fold_updates(updates, n - j, a + j, stride, b, rank, scale);
    fold_add((uint8_t *)words + j * width, updates, n - j, form);
}
