internal import CPCRE2

/// Makes every library see the characters of the Unicode version that the reference knows.
///
/// Ids must not depend on how new the system's PCRE2 is. Characters that PCRE2 knows otherwise than the
/// reference does are replaced, before matching, by an older character of the same general category and
/// the same length in UTF-8, so that offsets stay. Versions: docs/decisions/0014-tokenizer-libraries.md.
enum UnicodeAge {
    /// The Unicode version of the reference's regular expressions (Oniguruma 6.9.10 in tokenizers 0.23).
    private static let expressions: Unicode.Version = (16, 0)
    /// The Unicode version of the reference's normalization (unicode-normalization-alignments 0.1).
    private static let normalization: Unicode.Version = (9, 0)
    /// The Unicode version of the installed PCRE2.
    private static let library: Unicode.Version = {
        var text = [UInt8](repeating: 0, count: 64)
        text.withUnsafeMutableBytes {
            _ = pcre2_config_8(UInt32(PCRE2_CONFIG_UNICODE_VERSION), $0.baseAddress)
        }
        let parts = String(decoding: text.prefix { $0 != 0 }, as: UTF8.self).split(separator: ".")
        return (parts.first.flatMap { Int($0) } ?? 0, parts.dropFirst().first.flatMap { Int($0) } ?? 0)
    }()

    /// True when normalization in the reference knows the character; it leaves others as they are.
    static func isNormalized(_ scalar: Unicode.Scalar) -> Bool {
        guard let age = scalar.properties.age else { return false }
        return age <= normalization
    }

    /// The text with stand-ins for characters that PCRE2 and the reference know differently; nil when there
    /// are none, which is nearly always.
    static func aligned(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        var copy: [UInt8]?
        var position = 0
        while position < text.count {
            // No character below U+0800 is new enough to matter: there only unassigned and punctuation
            // can differ, which no expression tells apart.
            guard text[position] >= 0xE0 else {
                position += 1
                continue
            }
            let (scalar, length) = UTF8Text.scalar(text, at: position)
            if !isOld(scalar), let standIn = standIn(for: scalar) {
                var bytes = copy ?? Array(text)
                for (offset, byte) in String(standIn).utf8.enumerated() { bytes[position + offset] = byte }
                copy = bytes
            }
            position += length
        }
        return copy
    }

    /// Ideographs and Hangul syllables of Unicode 3.0, without the slower look-up.
    @inline(__always)
    private static func isOld(_ scalar: Unicode.Scalar) -> Bool {
        (0x4E00...0x9FA5).contains(scalar.value) || (0xAC00...0xD7A3).contains(scalar.value)
    }

    private static func standIn(for scalar: Unicode.Scalar) -> Unicode.Scalar? {
        guard let age = scalar.properties.age else { return nil }
        let isKnownToReference = age <= expressions
        guard isKnownToReference != (age <= library) else { return nil }
        let isLong = scalar.value > 0xFFFF
        guard isKnownToReference else { return isLong ? "\u{1FFFF}" : "\u{FFFF}" }
        return standIns[Kind(category: scalar.properties.generalCategory, isLong: isLong)]
    }

    private struct Kind: Hashable {
        let category: Unicode.GeneralCategory
        let isLong: Bool
    }

    /// One character for each category and length (three bytes or four) that PCRE2 and the reference know.
    private static let standIns: [Kind: Unicode.Scalar] = {
        var found: [Kind: Unicode.Scalar] = [:]
        for value in UInt32(0x800)..<0x20100 {
            guard let scalar = Unicode.Scalar(value), let age = scalar.properties.age, age <= library,
                age <= expressions
            else {
                continue
            }
            let kind = Kind(category: scalar.properties.generalCategory, isLong: value > 0xFFFF)
            if found[kind] == nil { found[kind] = scalar }
        }
        return found
    }()
}
