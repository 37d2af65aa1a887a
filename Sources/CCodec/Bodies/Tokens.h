// Numbers as tokens and bits.

static inline void encode_tokens(
    uint8_t *tokens, pawl_bits *out, const void *values, size_t n, int width, pawl_token_form form) {
    pawl_bits bits = *out;
    size_t i = 0;
    // Sixteen small values are copied at once.
    for (; i + 16 <= n; i += 16) {
        uint32_t all = 0;
        for (size_t k = 0; k < 16; k++) all |= load_value(values, i + k, width);
        if (all >> form.direct == 0) {
            for (size_t k = 0; k < 16; k++) tokens[i + k] = (uint8_t)load_value(values, i + k, width);
        } else {
            for (size_t k = 0; k < 16; k++) tokens[i + k] = token_write(load_value(values, i + k, width), form, &bits);
        }
    }
    for (; i < n; i++) tokens[i] = token_write(load_value(values, i, width), form, &bits);
    *out = bits;
}

static void tokens_encode(
    uint8_t *tokens, pawl_bits *bits, const void *values, size_t n, int width, pawl_token_form form) {
    if (width == 1) encode_tokens(tokens, bits, values, n, 1, form);
    else if (width == 2) encode_tokens(tokens, bits, values, n, 2, form);
    else encode_tokens(tokens, bits, values, n, 4, form);
}

static inline bool decode_tokens(
    void *values, const uint8_t *tokens, size_t n, int width, pawl_token_form form, pawl_bits *in) {
    token_table table;
    token_table_make(&table, form, width);
    pawl_bits bits = *in;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        uint8_t all = 0;
        for (size_t k = 0; k < 16; k++) all |= tokens[i + k];
        if (all >> form.direct == 0) {
            for (size_t k = 0; k < 16; k++) store_value(values, i + k, width, tokens[i + k]);
        } else {
            for (size_t k = 0; k < 16; k++) {
                uint32_t value;
                if (!token_read(tokens[i + k], &table, &bits, &value)) return false;
                store_value(values, i + k, width, value);
            }
        }
    }
    for (; i < n; i++) {
        uint32_t value;
        if (!token_read(tokens[i], &table, &bits, &value)) return false;
        store_value(values, i, width, value);
    }
    *in = bits;
    return true;
}

static bool tokens_decode(
    void *values, const uint8_t *tokens, size_t n, int width, pawl_token_form form, pawl_bits *bits) {
    if (width == 1) return decode_tokens(values, tokens, n, 1, form, bits);
    if (width == 2) return decode_tokens(values, tokens, n, 2, form, bits);
    return decode_tokens(values, tokens, n, 4, form, bits);
}
