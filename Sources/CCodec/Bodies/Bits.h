// Tokens and strings of bits, inline in the loops that use them.

/// What a token stands for: first value, and number of bits that are added to it.
typedef struct {
    uint32_t first[256];
    uint8_t bits[256];
    /// Values are at most this.
    uint32_t largest;
} token_table;

static void token_table_make(token_table *table, pawl_token_form form, int width) {
    const uint32_t direct = 1u << form.direct;
    table->largest = width == 1 ? UINT8_MAX : width == 2 ? UINT16_MAX : UINT32_MAX;
    for (uint32_t token = 0; token < 256; token++) {
        table->first[token] = token;
        table->bits[token] = 0;
        if (token < direct) continue;
        const uint32_t highest = (token - direct) >> form.leading;
        const uint32_t leading = (token - direct) & ((1u << form.leading) - 1);
        const int rest = (int)highest + form.direct - form.leading;
        if (rest + form.leading > 31) {
            // Stands for nothing: larger than anything, unless the largest value is the largest there is, where
            // it is harmless.
            table->first[token] = UINT32_MAX;
            continue;
        }
        table->first[token] = (1u << (rest + form.leading)) | leading << rest;
        table->bits[token] = (uint8_t)rest;
    }
}

static inline uint32_t load_value(const void *values, size_t i, int width) {
    return width == 1 ? ((const uint8_t *)values)[i]
        : width == 2  ? ((const uint16_t *)values)[i]
                      : ((const uint32_t *)values)[i];
}

static inline void store_value(void *values, size_t i, int width, uint32_t value) {
    if (width == 1) ((uint8_t *)values)[i] = (uint8_t)value;
    else if (width == 2) ((uint16_t *)values)[i] = (uint16_t)value;
    else ((uint32_t *)values)[i] = value;
}

static inline void bits_write(pawl_bits *bits, uint32_t value, int count) {
    bits->pending |= (uint64_t)value << bits->pending_bits;
    bits->pending_bits += count;
    // At most 7 bits were pending, so at most 38 are now.
    memcpy(bits->bytes + bits->size, &bits->pending, 8);
    const int whole = bits->pending_bits & ~7;
    bits->size += (size_t)whole / 8;
    bits->pending >>= whole;
    bits->pending_bits -= whole;
}

/// Reads at most 31 bits. False: there are not as many.
static inline bool bits_read(pawl_bits *bits, int count, uint32_t *value) {
    if (bits->pending_bits < count) {
        if (bits->size >= 8) {
            uint64_t more;
            memcpy(&more, bits->bytes, 8);
            bits->pending |= more << bits->pending_bits;
            const int taken = (63 - bits->pending_bits) / 8;
            bits->bytes += taken;
            bits->size -= (size_t)taken;
            bits->pending_bits += 8 * taken;
            // What was loaded beyond whole bytes comes again with the next load.
            bits->pending &= ((uint64_t)1 << bits->pending_bits) - 1;
        } else {
            while (bits->size > 0 && bits->pending_bits <= 55) {
                bits->pending |= (uint64_t)*bits->bytes++ << bits->pending_bits;
                bits->size--;
                bits->pending_bits += 8;
            }
        }
        if (bits->pending_bits < count) return false;
    }
    *value = (uint32_t)(bits->pending & (((uint64_t)1 << count) - 1));
    bits->pending >>= count;
    bits->pending_bits -= count;
    return true;
}

/// The token of a value; its bits are written.
static inline uint8_t token_write(uint32_t value, pawl_token_form form, pawl_bits *bits) {
    if (value >> form.direct == 0) return (uint8_t)value;
    const int highest = 31 - __builtin_clz(value), rest = highest - form.leading;
    bits_write(bits, value & ((1u << rest) - 1), rest);
    return (uint8_t)((1u << form.direct) + ((uint32_t)(highest - form.direct) << form.leading)
        + (value >> rest & ((1u << form.leading) - 1)));
}

/// The value of a token. False: there is none.
static inline bool token_read(uint8_t token, const token_table *table, pawl_bits *bits, uint32_t *value) {
    const int count = table->bits[token];
    uint32_t rest = 0;
    if (count && !bits_read(bits, count, &rest)) return false;
    *value = table->first[token] + rest;
    return *value <= table->largest;
}
