// Segments of a block by the size of what they hold: each class gets entropy tables of its own.

enum { CLASSES = 8, LEVELS = 1024 };

static size_t segment_count(size_t n, size_t length) { return (n + length - 1) / length; }

static void classes_choose(
    uint8_t *restrict classes, uint32_t *restrict means, const uint8_t *restrict symbols, size_t n,
    size_t length) {
    const size_t segments = segment_count(n, length);
    size_t below[LEVELS + 1] = {0};
    for (size_t s = 0; s < segments; s++) {
        const size_t end = (s + 1) * length < n ? (s + 1) * length : n;
        uint32_t sum = 0;
        for (size_t i = s * length; i < end; i++) sum += symbols[i];
        means[s] = (uint32_t)((uint64_t)sum * (LEVELS / 256) / (end - s * length));
        below[means[s] + 1]++;
    }
    for (size_t level = 0; level < LEVELS; level++) below[level + 1] += below[level];
    for (size_t s = 0; s < segments; s++) {
        classes[s] = (uint8_t)((below[means[s]] + below[means[s] + 1]) / 2 * CLASSES / (segments + 1));
    }
}

/// Calls for every segment in the order of classes; `place` is where it lies among the gathered.
#define FOR_SEGMENTS(BODY)                                                              \
    do {                                                                                \
        const size_t segments = segment_count(n, length);                               \
        size_t place = 0;                                                               \
        for (unsigned class = 0; class < CLASSES; class ++) {                           \
            for (size_t s = 0; s < segments; s++) {                                     \
                if ((classes[s] & (CLASSES - 1)) != class) continue;                    \
                const size_t start = s * length;                                        \
                const size_t size = n - start < length ? n - start : length;            \
                BODY;                                                                   \
                place += size;                                                          \
            }                                                                           \
        }                                                                               \
    } while (0)

static void classes_gather(
    uint8_t *restrict gathered, const uint8_t *restrict symbols, const uint8_t *restrict classes, size_t n,
    size_t length) {
    FOR_SEGMENTS(memcpy(gathered + place, symbols + start, size));
}

static void classes_scatter(
    uint8_t *restrict symbols, const uint8_t *restrict gathered, const uint8_t *restrict classes, size_t n,
    size_t length) {
    FOR_SEGMENTS(memcpy(symbols + start, gathered + place, size));
}
