// What an entropy coder would make of bytes, without coding them.

#include <math.h>
#include <string.h>

#include "CCodec.h"

double pawl_cost(const uint32_t counts[256]) {
    double total = 0, sum = 0;
    unsigned present = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        if (counts[byte] == 0) continue;
        const double count = counts[byte];
        total += count;
        sum += count * log2(count);
        present++;
    }
    if (present < 2) return 16 * 8;
    const double entropy = total * log2(total) - sum;
    // A Huffman code gives no byte less than a bit; a frame is some 16 bytes, a table half a byte for each value.
    return (entropy > total ? entropy : total) + 16 * 8 + 4 * present;
}

enum { CLASSES = 8, UNIT = 256 };

/// What a code made for a class would give each symbol, in parts of a bit: at most 11 bits, as libzstd's do.
static void code_lengths(uint32_t lengths[256][CLASSES], uint32_t counts[CLASSES][256]) {
    for (unsigned class = 0; class < CLASSES; class ++) {
        double total = 0;
        for (unsigned symbol = 0; symbol < 256; symbol++) total += counts[class][symbol];
        for (unsigned symbol = 0; symbol < 256; symbol++) {
            const double count = counts[class][symbol];
            const double bits = count == 0 ? 11 : log2(total / count);
            lengths[symbol][class] = (uint32_t)(UNIT * (bits < 11 ? bits : 11));
        }
    }
}

/// How often each symbol occurs in each class, and how many segments a class has.
static void class_counts(
    uint32_t counts[CLASSES][256], uint32_t segments[256], const uint8_t *classes, const uint8_t *symbols, size_t n,
    size_t length) {
    memset(counts, 0, CLASSES * sizeof(counts[0]));
    memset(segments, 0, 256 * sizeof(segments[0]));
    for (size_t s = 0; s * length < n; s++) {
        const size_t end = (s + 1) * length < n ? (s + 1) * length : n;
        const unsigned class = classes[s] & (CLASSES - 1);
        for (size_t i = s * length; i < end; i++) counts[class][symbols[i]]++;
        segments[class]++;
    }
}

double pawl_classes_cost(const uint8_t *classes, const uint8_t *symbols, size_t n, size_t length) {
    uint32_t counts[CLASSES][256], segments[256];
    class_counts(counts, segments, classes, symbols, n, length);
    double cost = pawl_cost(segments);
    for (unsigned class = 0; class < CLASSES; class ++) cost += pawl_cost(counts[class]);
    return cost;
}

void pawl_classes_refine(uint8_t *classes, const uint8_t *symbols, size_t n, size_t length, unsigned rounds) {
    const size_t number = (n + length - 1) / length;
    uint32_t lengths[256][CLASSES], counts[CLASSES][256], segments[256];
    for (unsigned round = 0; round < rounds; round++) {
        class_counts(counts, segments, classes, symbols, n, length);
        code_lengths(lengths, counts);
        for (size_t s = 0; s < number; s++) {
            const size_t end = (s + 1) * length < n ? (s + 1) * length : n;
            uint32_t cost[CLASSES] = {0};
            for (size_t i = s * length; i < end; i++) {
                for (unsigned class = 0; class < CLASSES; class ++) cost[class] += lengths[symbols[i]][class];
            }
            unsigned best = 0;
            for (unsigned class = 1; class < CLASSES; class ++) {
                if (segments[class] > 0 && (segments[best] == 0 || cost[class] < cost[best])) best = class;
            }
            classes[s] = (uint8_t)best;
        }
    }
}

void pawl_bytes_count(uint32_t counts[256], const uint8_t *bytes, size_t n) {
    uint32_t other[256] = {0};
    size_t i = 0;
    for (; i + 2 <= n; i += 2) {
        counts[bytes[i]]++;
        other[bytes[i + 1]]++;
    }
    if (i < n) counts[bytes[i]]++;
    for (unsigned byte = 0; byte < 256; byte++) counts[byte] += other[byte];
}
