/// Text as its bytes, and text that stays on one line.
extension String {
    /// The text on one line: control characters as `\u{…}`.
    public var escaped: String {
        guard unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else { return self }
        return unicodeScalars.map {
            $0.value < 0x20 || $0.value == 0x7F ? $0.escaped(asASCII: true) : String($0)
        }
        .joined()
    }

    /// True when the text comes before another in the order of their UTF-8 bytes.
    public func precedesBytewise(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }

    /// True when the text has the same UTF-8 bytes (`==` also takes "é" for "e" with an accent after it).
    public func equalsBytewise(_ other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
