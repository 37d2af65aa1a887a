/// Word characters and white space beside an added token, as the reference's `\w` and `\s` have them.
enum WordCharacters {
    /// True when a word character stands directly before or after a range.
    static func touch(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
        (range.lowerBound > 0 && isWord(UTF8Text.scalar(text, before: range.lowerBound).0))
            || (range.upperBound < text.count && isWord(UTF8Text.scalar(text, at: range.upperBound).0))
    }

    /// Where the white space begins that ends at a position.
    static func startOfSpace(_ text: UnsafeBufferPointer<UInt8>, before end: Int) -> Int {
        var start = end
        while start > 0 {
            let (scalar, length) = UTF8Text.scalar(text, before: start)
            guard scalar.properties.isWhitespace else { break }
            start -= length
        }
        return start
    }

    /// Where the white space ends that begins at a position.
    static func endOfSpace(_ text: UnsafeBufferPointer<UInt8>, after start: Int) -> Int {
        var end = start
        while end < text.count {
            let (scalar, length) = UTF8Text.scalar(text, at: end)
            guard scalar.properties.isWhitespace else { break }
            end += length
        }
        return end
    }

    /// Unicode's definition of a word character (UTS 18, annex C).
    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        let properties = scalar.properties
        if properties.isAlphabetic || properties.isJoinControl { return true }
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
        default: return false
        }
    }
}
