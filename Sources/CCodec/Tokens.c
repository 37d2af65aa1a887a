// Numbers as tokens and bits.

#include "Tokens.h"

bool pawl_token_form_is_valid(pawl_token_form form) {
    return form.leading >= 0 && form.leading <= form.direct && form.direct <= 7
        && (1 << form.direct) + ((32 - form.direct) << form.leading) <= 256;
}

void token_table_make(token_table *table, pawl_token_form form, int width) {
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

void pawl_bits_finish(pawl_bits *bits) {
    memcpy(bits->bytes + bits->size, &bits->pending, 8);
    bits->size += (size_t)(bits->pending_bits + 7) / 8;
    bits->pending = 0;
    bits->pending_bits = 0;
}

static inline void encode(
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

void pawl_tokens_encode(
    uint8_t *tokens, pawl_bits *bits, const void *values, size_t n, int width, pawl_token_form form) {
    if (width == 1) encode(tokens, bits, values, n, 1, form);
    else if (width == 2) encode(tokens, bits, values, n, 2, form);
    else encode(tokens, bits, values, n, 4, form);
}

static inline bool decode(
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

bool pawl_tokens_decode(
    void *values, const uint8_t *tokens, size_t n, int width, pawl_token_form form, pawl_bits *bits) {
    if (width == 1) return decode(values, tokens, n, 1, form, bits);
    if (width == 2) return decode(values, tokens, n, 2, form, bits);
    return decode(values, tokens, n, 4, form, bits);
}
