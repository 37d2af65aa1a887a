#ifndef PAWL_CODEC_TABLE_H
#define PAWL_CODEC_TABLE_H

#include <string.h>

#include "CCodec.h"

/// Every loop that is compiled for several instruction sets: name, result, parameters and arguments of the function
/// of CCodec.h that calls it.
#define CODEC_LOOPS(LOOP)                                                                                          \
    LOOP(fields_count, void, (uint32_t * counts, const uint16_t *words, size_t n, int rest_bits),                   \
        (counts, words, n, rest_bits))                                                                             \
    LOOP(fields_symbols, size_t,                                                                                   \
        (uint8_t * symbols, const uint16_t *words, size_t n, int rest_bits, uint32_t top, uint32_t window),        \
        (symbols, words, n, rest_bits, top, window))                                                               \
    LOOP(fields_escapes, void,                                                                                     \
        (uint8_t * high, uint8_t *low, const uint8_t *symbols, const uint16_t *words, size_t n, int rest_bits,     \
            uint32_t window),                                                                                      \
        (high, low, symbols, words, n, rest_bits, window))                                                         \
    LOOP(rest_pack, void, (uint8_t * rest, const uint16_t *words, size_t n, int rest_bits),                         \
        (rest, words, n, rest_bits))                                                                               \
    LOOP(fields_join, bool,                                                                                        \
        (uint16_t * words, const uint8_t *symbols, const uint8_t *rest, size_t n, int rest_bits, uint32_t top,     \
            uint32_t window, const uint8_t *high, const uint8_t *low, size_t escapes),                             \
        (words, symbols, rest, n, rest_bits, top, window, high, low, escapes))                                     \
    LOOP(halves_split, void,                                                                                       \
        (uint16_t * high, uint8_t *low1, uint8_t *low0, const uint32_t *words, size_t n),                          \
        (high, low1, low0, words, n))                                                                              \
    LOOP(halves_join, void,                                                                                        \
        (uint32_t * words, const uint16_t *high, const uint8_t *low1, const uint8_t *low0, size_t n),              \
        (words, high, low1, low0, n))                                                                              \
    LOOP(classes_choose, void,                                                                                     \
        (uint8_t * classes, uint32_t *means, const uint8_t *symbols, size_t n, size_t length),                     \
        (classes, means, symbols, n, length))                                                                      \
    LOOP(classes_gather, void,                                                                                     \
        (uint8_t * gathered, const uint8_t *symbols, const uint8_t *classes, size_t n, size_t length),             \
        (gathered, symbols, classes, n, length))                                                                   \
    LOOP(classes_scatter, void,                                                                                    \
        (uint8_t * symbols, const uint8_t *gathered, const uint8_t *classes, size_t n, size_t length),             \
        (symbols, gathered, classes, n, length))                                                                   \
    LOOP(difference, void,                                                                                         \
        (void *differences, const void *block, const void *base, size_t n, pawl_words words),                      \
        (differences, block, base, n, words))                                                                      \
    LOOP(difference_apply, void, (void *onto, const void *differences, size_t n, pawl_words words),                \
        (onto, differences, n, words))                                                                             \
    LOOP(contexts, void, (uint8_t * contexts, const void *base, size_t n, pawl_words words),                        \
        (contexts, base, n, words))                                                                                \
    LOOP(contexts_index, void, (pawl_contexts_order * order, const uint8_t *contexts, size_t n),                    \
        (order, contexts, n))                                                                                      \
    LOOP(contexts_sort, void,                                                                                      \
        (void *sorted, const void *values, const uint8_t *contexts, size_t n, int width,                           \
            const pawl_contexts_order *order),                                                                     \
        (sorted, values, contexts, n, width, order))                                                               \
    LOOP(contexts_unsort, void,                                                                                    \
        (void *values, const void *sorted, const uint8_t *contexts, size_t n, int width,                           \
            const pawl_contexts_order *order),                                                                     \
        (values, sorted, contexts, n, width, order))                                                               \
    LOOP(tokens_encode, void,                                                                                      \
        (uint8_t * tokens, pawl_bits *bits, const void *values, size_t n, int width, pawl_token_form form),        \
        (tokens, bits, values, n, width, form))                                                                    \
    LOOP(tokens_decode, bool,                                                                                      \
        (void *values, const uint8_t *tokens, size_t n, int width, pawl_token_form form, pawl_bits *bits),         \
        (values, tokens, n, width, form, bits))                                                                    \
    LOOP(values_count, void, (uint32_t * counts, const void *values, size_t n, int width),                          \
        (counts, values, n, width))                                                                                \
    LOOP(packs_encode, void, (pawl_packs * packs, const void *values, size_t n, int width, int bits),               \
        (packs, values, n, width, bits))                                                                           \
    LOOP(packs_decode, bool, (void *values, size_t n, int width, int bits, pawl_packs *packs),                     \
        (values, n, width, bits, packs))                                                                           \
    LOOP(runs_encode, void, (pawl_packs * packs, const void *values, size_t n, int width),                          \
        (packs, values, n, width))                                                                                 \
    LOOP(runs_decode, bool, (void *values, size_t n, int width, pawl_packs *packs), (values, n, width, packs))       \
    LOOP(fold, void,                                                                                               \
        (void *words, size_t n, pawl_float form, const float *a, size_t stride, const float *b, size_t rank,       \
            float scale),                                                                                          \
        (words, n, form, a, stride, b, rank, scale))

#define MEMBER(name, result, parameters, arguments) result(*name) parameters;
/// The loops of one instruction set.
typedef struct {
    CODEC_LOOPS(MEMBER)
} codec_table;
#undef MEMBER

#endif
