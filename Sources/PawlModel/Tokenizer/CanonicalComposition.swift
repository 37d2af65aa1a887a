internal import CUtf8proc
internal import Foundation

/// Normalization form C, by utf8proc, as far as the reference's Unicode version knows the characters.
enum CanonicalComposition {
    /// The text in form C; nil when it is so already. The text must be valid UTF-8.
    ///
    /// Text is cut before characters that never combine with what stands before them, so that the library
    /// sees only the short stretches that may change. A character newer than the reference's tables counts
    /// there as one that never combines, and is cut out likewise; the stability of normalization makes the
    /// older ones agree in all versions.
    static func compose(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard text.contains(where: { $0 >= 0xCC }) else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var copied = 0
        var boundary = 0
        var position = 0
        while position < text.count {
            let (scalar, length) = UTF8Text.scalar(text, at: position)
            if isInert(scalar) {
                boundary = position
                position += length
            } else if !UnicodeAge.isNormalized(scalar) {
                position += length
                boundary = position
            } else {
                let end = endOfStretch(text, from: position + length)
                out.append(contentsOf: text[copied..<boundary])
                appendComposed(UnsafeBufferPointer(rebasing: text[boundary..<end]), to: &out)
                copied = end
                boundary = end
                position = end
            }
        }
        guard copied > 0 else { return nil }
        out.append(contentsOf: text[copied...])
        return out
    }

    private static func endOfStretch(_ text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var end = start
        while end < text.count {
            let (scalar, length) = UTF8Text.scalar(text, at: end)
            if isInert(scalar) || !UnicodeAge.isNormalized(scalar) { break }
            end += length
        }
        return end
    }

    private static func appendComposed(_ stretch: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
        var composed: UnsafeMutablePointer<UInt8>?
        let options = utf8proc_option_t(UTF8PROC_STABLE.rawValue | UTF8PROC_COMPOSE.rawValue)
        let count = utf8proc_map(stretch.baseAddress, stretch.count, &composed, options)
        defer { free(composed) }
        // Valid UTF-8 leaves it only "out of memory" to fail with.
        guard let composed, count >= 0 else { return out.append(contentsOf: stretch) }
        out.append(contentsOf: UnsafeBufferPointer(start: composed, count: count))
    }

    /// Characters in form C by themselves that do not combine with what stands before them: all below
    /// U+0300, Cyrillic letters, kana, ideographs and Hangul syllables. What is not here only costs time,
    /// but for U+11A7: utf8proc (2.8) drops that one, an old vowel, behind a syllable.
    @inline(__always)
    private static func isInert(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x300, 0x400..<0x483, 0x11A7, 0x3041..<0x3097, 0x30A1..<0x30FB, 0x4E00..<0x9FA6,
            0xAC00..<0xD7A4:
            true
        default: false
        }
    }
}
