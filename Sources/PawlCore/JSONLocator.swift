/// Finds the place of a field in JSON text that is known to be valid.
struct JSONLocator {
    private let bytes: [UInt8]
    private var position = 0

    /// The number of line feeds before the field at `path`; of its nearest existing owner when it is missing.
    static func lineBreaks(before path: [any CodingKey], in bytes: [UInt8]) -> Int {
        var locator = JSONLocator(bytes: bytes)
        let offset = locator.offset(of: path[...])
        return bytes.prefix(offset).count { $0 == UInt8(ascii: "\n") }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let c = current, c == 0x20 || c == 0x0A || c == 0x0D || c == 0x09 { position += 1 }
    }

    private mutating func offset(of path: ArraySlice<any CodingKey>) -> Int {
        skipSpace()
        let start = position
        guard let step = path.first else { return start }
        let isObject = current == UInt8(ascii: "{")
        guard isObject || current == UInt8(ascii: "[") else { return start }
        position += 1
        var index = 0
        while let c = nextElement(), c != UInt8(ascii: "}"), c != UInt8(ascii: "]") {
            let place = position
            var isWanted = index == step.intValue
            if isObject {
                isWanted = key() == Array(step.stringValue.utf8)
                skipSpace()
                position += 1  // the colon
            }
            if isWanted { return path.count == 1 ? place : offset(of: path.dropFirst()) }
            skipValue()
            index += 1
        }
        return start
    }

    /// The first byte of the next element, after white space and a comma.
    private mutating func nextElement() -> UInt8? {
        skipSpace()
        if current == UInt8(ascii: ",") {
            position += 1
            skipSpace()
        }
        return current
    }

    /// The bytes of a string as they are written (a name with escapes is simply not found).
    private mutating func key() -> [UInt8] {
        let start = position
        skipString()
        return Array(bytes[start..<position].dropFirst().dropLast())
    }

    private mutating func skipString() {
        position += 1
        while let c = current, c != UInt8(ascii: "\"") { position += c == UInt8(ascii: "\\") ? 2 : 1 }
        position += 1
    }

    private mutating func skipValue() {
        var depth = 0
        skipSpace()
        while let c = current {
            switch c {
            case UInt8(ascii: "\""): skipString()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                position += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return }
                depth -= 1
                position += 1
            case UInt8(ascii: ","):
                if depth == 0 { return }
                position += 1
            default: position += 1
            }
        }
    }
}
