/// The loops of the store's codec over every element (docs/format.md, "Codec fields 1"), in portable C, each
/// compiled for several instruction sets: the best that the processor has is taken, and all give the same bytes.
///
/// Sizes are counts of elements. Buffers do not overlap and have room for what a comment says; that is the caller's
/// promise. Bytes that come from a payload (symbols, tokens, packed values, bits) are never trusted: a function that
/// takes some returns false when no encoder can have written them, and reads and writes nothing outside its buffers
/// whatever they are.
#ifndef CCODEC_H
#define CCODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "payloads are little-endian, and these loops read words as the processor does"
#endif

// MARK: Fields of floats

/// A word of 16 bits is a sign (top bit), a joint value J (exponent and the mantissa bits that go with it) and
/// rest_bits - 1 low mantissa bits; rest_bits is 6 or 8. The rest is these low bits with the sign above them.
#define PAWL_JOINT_VALUES 1024

/// Counts the joint values of words.
void pawl_fields_count(uint32_t counts[PAWL_JOINT_VALUES], const uint16_t *words, size_t n, int rest_bits);

/// symbols[n] = top - J where that lies in 0 ..< window, else window: an escape. Returns the number of escapes.
size_t pawl_fields_symbols(
    uint8_t *symbols, const uint16_t *words, size_t n, int rest_bits, uint32_t top, uint32_t window);

/// The joint values of escapes in order: J >> (8 - rest_bits) & 255 in high, the low bits of J in low.
/// Both have room for every escape.
void pawl_fields_escapes(
    uint8_t *high, uint8_t *low, const uint8_t *symbols, const uint16_t *words, size_t n, int rest_bits,
    uint32_t window);

/// Bytes of the packed rests of n words.
size_t pawl_rest_size(size_t n, int rest_bits);
void pawl_rest_pack(uint8_t *rest, const uint16_t *words, size_t n, int rest_bits);

/// Restores words from all of it. False: a symbol beyond the window, or another number of escapes than `escapes`.
bool pawl_fields_join(
    uint16_t *words, const uint8_t *symbols, const uint8_t *rest, size_t n, int rest_bits, uint32_t top,
    uint32_t window, const uint8_t *high, const uint8_t *low, size_t escapes);

/// Words of 32 bits as their upper halves and the planes of their two lower bytes.
void pawl_halves_split(uint16_t *high, uint8_t *low1, uint8_t *low0, const uint32_t *words, size_t n);
void pawl_halves_join(
    uint32_t *words, const uint16_t *high, const uint8_t *low1, const uint8_t *low0, size_t n);

// MARK: Classes of segments

/// The classes of segments of `length` elements (the last one shorter): eight of about equally many, by the mean of
/// their symbols. `means` has room for every segment.
void pawl_classes_choose(
    uint8_t *classes, uint32_t *means, const uint8_t *symbols, size_t n, size_t length);
/// Moves segments to the class whose code, made of what is in it now, gives theirs the fewest bits, so many times.
void pawl_classes_refine(uint8_t *classes, const uint8_t *symbols, size_t n, size_t length, unsigned rounds);
/// About the bits of symbols that are coded class by class, and of the classes.
double pawl_classes_cost(const uint8_t *classes, const uint8_t *symbols, size_t n, size_t length);
/// Symbols of segments of class 0 first, then of class 1, and so on; only the low 3 bits of a class count.
void pawl_classes_gather(
    uint8_t *gathered, const uint8_t *symbols, const uint8_t *classes, size_t n, size_t length);
void pawl_classes_scatter(
    uint8_t *symbols, const uint8_t *gathered, const uint8_t *classes, size_t n, size_t length);

// MARK: Differences

/// How words become numbers and contexts. `width` is 1, 2 or 4 bytes.
typedef struct {
    int width;
    /// Words are sign and magnitude, as floats are; else whole numbers.
    bool is_float;
    /// A word's context is its bits `field_shift` and above, under `field_mask` (at most 255).
    int field_shift;
    uint32_t field_mask;
} pawl_words;

/// differences[n] = zigzag of the difference of block and base, in the order of their values.
void pawl_difference(void *differences, const void *block, const void *base, size_t n, pawl_words words);
/// Adds differences to the base that stands in `onto`.
void pawl_difference_apply(void *onto, const void *differences, size_t n, pawl_words words);

/// Contexts of the base's words.
void pawl_contexts(uint8_t *contexts, const void *base, size_t n, pawl_words words);

/// Where the words of every context go when words are sorted by context, those of one context in their order.
typedef struct {
    /// Number of words of every context.
    uint32_t counts[256];
    /// Where each quarter of the words begins to write in each context: four loops that do not wait for one another.
    uint32_t starts[4][256];
} pawl_contexts_order;

void pawl_contexts_index(pawl_contexts_order *order, const uint8_t *contexts, size_t n);

/// Sorts values by context; and back.
void pawl_contexts_sort(
    void *sorted, const void *values, const uint8_t *contexts, size_t n, int width,
    const pawl_contexts_order *order);
void pawl_contexts_unsort(
    void *values, const void *sorted, const uint8_t *contexts, size_t n, int width,
    const pawl_contexts_order *order);

// MARK: Tokens

/// A number as a byte and some bits: below 2^direct the byte is the number; else it names the highest bit and the
/// `leading` bits after it, and the bits below those follow in a string of bits of their own. leading <= direct <= 7,
/// and 2^direct + (32 - direct) * 2^leading <= 256.
typedef struct {
    int direct;
    int leading;
} pawl_token_form;

bool pawl_token_form_is_valid(pawl_token_form form);

/// A string of bits, lowest bit of a byte first. To write: `bytes` has room for 8 bytes beyond what is written.
typedef struct {
    uint8_t *bytes;
    size_t size;
    uint64_t pending;
    int pending_bits;
} pawl_bits;

/// Writes what is pending; afterwards `size` is the number of bytes.
void pawl_bits_finish(pawl_bits *bits);

/// Values of `width` bytes as tokens, one each.
void pawl_tokens_encode(
    uint8_t *tokens, pawl_bits *bits, const void *values, size_t n, int width, pawl_token_form form);
/// False: a token that stands for no value of that width, or no more bits.
bool pawl_tokens_decode(
    void *values, const uint8_t *tokens, size_t n, int width, pawl_token_form form, pawl_bits *bits);

// MARK: Groups of small values

/// Counts of values 0 ... 14, and of larger ones at 15.
void pawl_values_count(uint32_t counts[16], const void *values, size_t n, int width);

/// What small values are written to and read from. To write, every buffer has room; `packed` and `gaps` for as many
/// bytes as there are values, and one more in each group.
typedef struct {
    /// Two or four values to a byte, the first one lowest.
    uint8_t *packed;
    size_t packed_count, packed_room;
    /// Tokens of what values have beyond the largest that a part of a byte holds.
    uint8_t *large;
    size_t large_count, large_room;
    pawl_bits large_bits;
    /// Tokens of the number of zeros before each other value and, unless the group ends with one, at its end.
    uint8_t *gaps;
    size_t gap_count, gap_room;
    pawl_bits gap_bits;
    pawl_token_form form;
} pawl_packs;

/// Appends a group of values, `bits` to each (2 or 4): min(value, 2^bits - 1), with the rest among the large.
void pawl_packs_encode(pawl_packs *packs, const void *values, size_t n, int width, int bits);
/// Restores the next group of n values. False: damaged.
bool pawl_packs_decode(void *values, size_t n, int width, int bits, pawl_packs *packs);

/// Appends a group of values that are mostly zero: the gaps, and the others less one, with 2 bits to each.
void pawl_runs_encode(pawl_packs *packs, const void *values, size_t n, int width);
bool pawl_runs_decode(void *values, size_t n, int width, pawl_packs *packs);

// MARK: Low-rank updates

/// Types of numbers that a low-rank update can be folded into.
typedef enum { PAWL_BF16, PAWL_F16, PAWL_F32 } pawl_float;

/// Folds a low-rank update into n neighbouring words of a row of a matrix, in place (docs/format.md, "Folded").
///
/// `a` begins at the first word's column of A [rank, columns] with `stride` numbers between its rows; `b` is the row
/// of B [rows, rank] with `rank` numbers, at least one.
void pawl_fold(
    void *words, size_t n, pawl_float form, const float *a, size_t stride, const float *b, size_t rank,
    float scale);

// MARK: Costs

/// About how many bits an entropy coder with one table needs for bytes with these counts, its table included.
double pawl_cost(const uint32_t counts[256]);
/// Counts of bytes are added to `counts`.
void pawl_bytes_count(uint32_t counts[256], const uint8_t *bytes, size_t n);

#ifdef __cplusplus
}
#endif
#endif
