// What an entropy coder would make of bytes, without coding them.

#include <math.h>

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
