// Calls every loop of the codec with memory of exactly the documented size; see tools/check-codec.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CCodec.h"

/// Blocks of one round, freed together.
enum { most_blocks = 64 };
static void *blocks[most_blocks];
static int used;
static uint64_t state;

static uint32_t chance(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static void *block(size_t bytes) {
    if (used == most_blocks) abort();
    return blocks[used++] = calloc(bytes ? bytes : 1, 1);
}

static void release(void) {
    while (used > 0) free(blocks[--used]);
}

/// Bytes by chance, of which so many in a hundred are not zero, below `limit`.
static uint8_t *bytes(size_t count, uint32_t percent, uint32_t limit) {
    uint8_t *out = block(count);
    for (size_t i = 0; i < count; i++) out[i] = chance() % 100 < percent ? (uint8_t)(chance() % limit) : 0;
    return out;
}

static void require(bool holds, const char *what, int line) {
    if (holds) return;
    fprintf(stderr, "check-codec.c:%d: %s\n", line, what);
    exit(1);
}
#define REQUIRE(condition) require(condition, #condition, __LINE__)

static void fields(size_t n, int rest_bits) {
    const uint32_t top = chance() % 1024, window = 1 + chance() % 255;
    uint16_t *words = (uint16_t *)bytes(2 * n, 90, 256), *back = block(2 * n);
    uint32_t counts[PAWL_JOINT_VALUES];
    pawl_fields_count(counts, words, n, rest_bits);
    uint8_t *symbols = block(n), *rest = block(pawl_rest_size(n, rest_bits));
    const size_t escapes = pawl_fields_symbols(symbols, words, n, rest_bits, top, window);
    uint8_t *high = block(escapes), *low = block(escapes);
    pawl_fields_escapes(high, low, symbols, words, n, rest_bits, window);
    pawl_rest_pack(rest, words, n, rest_bits);
    REQUIRE(pawl_fields_join(back, symbols, rest, n, rest_bits, top, window, high, low, escapes));
    REQUIRE(memcmp(back, words, 2 * n) == 0);
    // Symbols that no encoder wrote, and a list of escapes that is too short for them.
    const uint8_t *noise = bytes(n, 80, 256);
    (void)pawl_fields_join(back, noise, rest, n, rest_bits, top, window, high, low, escapes);
}

static void halves(size_t n) {
    uint32_t *words = (uint32_t *)bytes(4 * n, 90, 256), *back = block(4 * n);
    uint16_t *high = block(2 * n);
    uint8_t *low1 = block(n), *low0 = block(n);
    pawl_halves_split(high, low1, low0, words, n);
    pawl_halves_join(back, high, low1, low0, n);
    REQUIRE(memcmp(back, words, 4 * n) == 0);
}

static void classes(size_t n) {
    const size_t length = 16 + chance() % 300, segments = (n + length - 1) / length;
    const uint8_t *symbols = bytes(n, 70, 256);
    uint8_t *chosen = block(segments), *gathered = block(n), *back = block(n);
    pawl_classes_choose(chosen, block(4 * segments), symbols, n, length);
    for (size_t s = 0; s < segments; s++) REQUIRE(chosen[s] < 8);
    if (chance() % 2) chosen = bytes(segments, 90, 256);
    pawl_classes_gather(gathered, symbols, chosen, n, length);
    pawl_classes_scatter(back, gathered, chosen, n, length);
    REQUIRE(memcmp(back, symbols, n) == 0);
}

static void differences(size_t n, int width) {
    const bool is_float = chance() % 2;
    const pawl_words words = {width, is_float, (int)(chance() % (8 * (uint32_t)width)), chance() % 256};
    const size_t size = n * (size_t)width;
    uint8_t *new = bytes(size, 90, 256), *old = bytes(size, 90, 256);
    void *values = block(size), *sorted = block(size), *back = block(size);
    uint8_t *contexts = block(n);
    pawl_contexts_order order;
    pawl_difference(values, new, old, n, words);
    pawl_contexts(contexts, old, n, words);
    pawl_contexts_index(&order, contexts, n);
    pawl_contexts_sort(sorted, values, contexts, n, width, &order);
    pawl_contexts_unsort(back, sorted, contexts, n, width, &order);
    REQUIRE(memcmp(back, values, size) == 0);
    pawl_difference_apply(old, back, n, words);
    REQUIRE(memcmp(old, new, size) == 0);
}

static pawl_bits writer(size_t bytes) { return (pawl_bits){block(bytes + 8), 0, 0, 0}; }

/// What a writer wrote, in memory of exactly its size.
static pawl_bits reader(const pawl_bits *written) {
    uint8_t *copy = block(written->size);
    memcpy(copy, written->bytes, written->size);
    return (pawl_bits){copy, written->size, 0, 0};
}

static pawl_bits noise(void) {
    const size_t size = chance() % 40;
    return (pawl_bits){bytes(size, 90, 256), size, 0, 0};
}

static pawl_token_form token_form(void) {
    pawl_token_form form;
    do form = (pawl_token_form){(int)(chance() % 9), (int)(chance() % 5)};
    while (!pawl_token_form_is_valid(form));
    return form;
}

/// Values most of which are small.
static void *values(size_t n, int width) {
    const uint32_t percent = chance() % 101, limit = 1 + chance() % 20;
    uint8_t *out = block(n * (size_t)width);
    for (size_t i = 0; i < n; i++) {
        if (chance() % 100 >= percent) continue;
        uint32_t value = chance() % 50 ? chance() % limit : chance() << 1 | chance();
        memcpy(out + i * (size_t)width, &value, (size_t)width);
    }
    return out;
}

static void tokens(size_t n, int width) {
    const pawl_token_form form = token_form();
    const size_t size = n * (size_t)width;
    void *in = values(n, width), *back = block(size);
    uint8_t *written = block(n);
    pawl_bits bits = writer(size);
    pawl_tokens_encode(written, &bits, in, n, width, form);
    pawl_bits_finish(&bits);
    pawl_bits read = reader(&bits);
    REQUIRE(pawl_tokens_decode(back, written, n, width, form, &read));
    REQUIRE(memcmp(back, in, size) == 0 && read.size == 0);
    pawl_bits wrong = noise();
    (void)pawl_tokens_decode(back, bytes(n, 50, 256), n, width, form, &wrong);
}

static uint8_t *exactly(const uint8_t *from, size_t count) {
    uint8_t *copy = block(count);
    memcpy(copy, from, count);
    return copy;
}

/// `bits` 0: runs.
static void packs(size_t n, int width, int bits) {
    const size_t size = n * (size_t)width;
    void *in = values(n, width), *back = block(size);
    pawl_packs out = {
        .packed = block(n + 1), .large = block(n), .large_bits = writer(size), .gaps = block(n + 1),
        .gap_bits = writer(4 * (n + 1)), .form = token_form()};
    bits ? pawl_packs_encode(&out, in, n, width, bits) : pawl_runs_encode(&out, in, n, width);
    pawl_bits_finish(&out.large_bits);
    pawl_bits_finish(&out.gap_bits);
    pawl_packs from = {
        .packed = exactly(out.packed, out.packed_count), .packed_room = out.packed_count,
        .large = exactly(out.large, out.large_count), .large_room = out.large_count,
        .large_bits = reader(&out.large_bits), .gaps = exactly(out.gaps, out.gap_count),
        .gap_room = out.gap_count, .gap_bits = reader(&out.gap_bits), .form = out.form};
    pawl_packs wrong = from;
    REQUIRE(bits ? pawl_packs_decode(back, n, width, bits, &from) : pawl_runs_decode(back, n, width, &from));
    REQUIRE(memcmp(back, in, size) == 0);
    REQUIRE(from.packed_count == from.packed_room && from.gap_count == from.gap_room);
    // One part of it that no encoder wrote.
    switch (chance() % 5) {
    case 0: wrong.packed = bytes(wrong.packed_room, 90, 256); break;
    case 1: wrong.large = bytes(wrong.large_room, 90, 256); break;
    case 2: wrong.gaps = bytes(wrong.gap_room, 50, 256); break;
    case 3: wrong.gap_bits = noise(); break;
    default: wrong.large_bits = noise();
    }
    (void)(bits ? pawl_packs_decode(back, n, width, bits, &wrong) : pawl_runs_decode(back, n, width, &wrong));
}

static void costs(size_t n) {
    uint32_t counts[256] = {0}, small[16], total = 0;
    pawl_bytes_count(counts, bytes(n, 60, 256), n);
    for (int byte = 0; byte < 256; byte++) total += counts[byte];
    REQUIRE(total == n && pawl_cost(counts) > 0);
    pawl_values_count(small, values(n, 2), n, 2);
    total = 0;
    for (int value = 0; value < 16; value++) total += small[value];
    REQUIRE(total == n);
}

int main(int count, char **arguments) {
    const long rounds = count > 1 ? atol(arguments[1]) : 2000;
    state = count > 2 ? strtoull(arguments[2], NULL, 10) : 20261123;
    printf("seed %llu, %ld rounds\n", (unsigned long long)state, rounds);
    for (long round = 0; round < rounds; round++) {
        const size_t n = round < 200 ? (size_t)round : chance() % 3000;
        for (int width = 1; width <= 4; width *= 2) {
            differences(n, width);
            release();
            tokens(n, width);
            release();
            for (int bits = 0; bits <= 4; bits += 2) packs(n, width, bits);
            release();
        }
        fields(n, 6);
        fields(n, 8);
        halves(n);
        classes(n);
        costs(n);
        release();
    }
    puts("all loops keep to their memory");
    return 0;
}
