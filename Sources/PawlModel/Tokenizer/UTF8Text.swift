/// Walking over valid UTF-8 without making strings.
enum UTF8Text {
    /// Length in bytes of the scalar that begins with a byte.
    @inline(__always)
    static func length(ofScalarStartingWith byte: UInt8) -> Int {
        byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
    }

    /// The scalar that begins at a position, and its length in bytes. The text must be valid UTF-8.
    @inline(__always)
    static func scalar(_ text: UnsafeBufferPointer<UInt8>, at position: Int) -> (Unicode.Scalar, length: Int)
    {
        let first = text[position]
        if first < 0x80 { return (Unicode.Scalar(first), 1) }
        let length = length(ofScalarStartingWith: first)
        var value = UInt32(first) & (length == 2 ? 0x1F : length == 3 ? 0x0F : 0x07)
        for offset in 1..<length { value = value << 6 | UInt32(text[position + offset] & 0x3F) }
        return (Unicode.Scalar(value) ?? "\u{FFFD}", length)
    }

    /// The last scalar before a position.
    static func scalar(_ text: UnsafeBufferPointer<UInt8>, before position: Int) -> (
        Unicode.Scalar, length: Int
    ) {
        var start = position - 1
        while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
        return scalar(text, at: start)
    }
}
