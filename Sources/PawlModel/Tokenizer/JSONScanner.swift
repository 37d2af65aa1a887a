/// Walks over JSON text without building values: for tables of a hundred thousand short strings.
struct JSONScanner {
    /// Text that is not JSON, or not of the shape asked for.
    struct Failure: Error {}

    private let bytes: UnsafeBufferPointer<UInt8>
    /// Offset of the next byte.
    private(set) var position = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    /// Byte ranges of the values of `names` inside the object `outer` of the top-level object.
    ///
    /// When a name stands twice the last wins; the strict parser refuses the file for it afterwards.
    mutating func ranges(of names: Set<String>, inside outer: String) throws(Failure) -> [String: Range<Int>]
    {
        var found: [String: Range<Int>] = [:]
        try members { scanner, name throws(Failure) in
            guard name == outer, scanner.next == UInt8(ascii: "{") else { return try scanner.skipValue() }
            try scanner.members { scanner, name throws(Failure) in
                scanner.skipSpace()
                let start = scanner.position
                try scanner.skipValue()
                if names.contains(name) { found[name] = start..<scanner.position }
            }
        }
        return found
    }

    /// Visits the members of an object; `visit` stands before the value and must pass over it.
    mutating func members(
        _ visit: (inout JSONScanner, _ name: String) throws(Failure) -> Void
    ) throws(Failure) {
        var name: [UInt8] = []
        try elements(from: UInt8(ascii: "{"), to: UInt8(ascii: "}")) { scanner throws(Failure) in
            name.removeAll(keepingCapacity: true)
            try scanner.string(into: &name)
            try scanner.expect(UInt8(ascii: ":"))
            try visit(&scanner, String(decoding: name, as: UTF8.self))
        }
    }

    /// Visits what stands between two brackets, separated by commas.
    mutating func elements(
        from open: UInt8, to close: UInt8, _ visit: (inout JSONScanner) throws(Failure) -> Void
    ) throws(Failure) {
        try expect(open)
        if next == close {
            position += 1
            return
        }
        while true {
            try visit(&self)
            let separator = next
            position += 1
            if separator == close { return }
            guard separator == UInt8(ascii: ",") else { throw Failure() }
        }
    }

    /// The next byte that is no white space; nil at the end.
    var next: UInt8? {
        mutating get {
            skipSpace()
            return position < bytes.count ? bytes[position] : nil
        }
    }

    mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    mutating func expect(_ byte: UInt8) throws(Failure) {
        guard next == byte else { throw Failure() }
        position += 1
    }

    /// A non-negative integer without fraction or exponent.
    mutating func natural() throws(Failure) -> Int {
        skipSpace()
        let start = position
        var number = 0
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
            number = number * 10 + Int(bytes[position] - 0x30)
            position += 1
            guard position - start <= 18 else { throw Failure() }
        }
        guard position > start, position - start == 1 || bytes[start] != 0x30 else { throw Failure() }
        if position < bytes.count, [0x2E, 0x45, 0x65].contains(bytes[position]) { throw Failure() }
        return number
    }

    /// Appends the UTF-8 bytes of a string, without quotes and escapes.
    mutating func string(into out: inout [UInt8]) throws(Failure) {
        try expect(UInt8(ascii: "\""))
        while true {
            guard position < bytes.count else { throw Failure() }
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return
            case UInt8(ascii: "\\"): try escape(into: &out)
            case 0..<0x20: throw Failure()
            default: out.append(byte)
            }
        }
    }

    private mutating func escape(into out: inout [UInt8]) throws(Failure) {
        guard position < bytes.count else { throw Failure() }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(byte)
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "u"):
            var value = try hexUnit()
            if (0xD800..<0xDC00).contains(value) {
                guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                    bytes[position + 1] == UInt8(ascii: "u")
                else { throw Failure() }
                position += 2
                let low = try hexUnit()
                guard (0xDC00..<0xE000).contains(low) else { throw Failure() }
                value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(value) else { throw Failure() }
            out.append(contentsOf: Array(String(scalar).utf8))
        default: throw Failure()
        }
    }

    private mutating func hexUnit() throws(Failure) -> UInt32 {
        guard position + 4 <= bytes.count else { throw Failure() }
        var value: UInt32 = 0
        for byte in bytes[position..<position + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw Failure() }
            value = value << 4 | UInt32(digit)
        }
        position += 4
        return value
    }

    /// Passes over any value. Brackets are counted and strings respected; what else stands inside is the
    /// business of whoever reads the range.
    mutating func skipValue() throws(Failure) {
        guard let first = next else { throw Failure() }
        var depth = 0
        repeat {
            guard position < bytes.count else { throw Failure() }
            switch bytes[position] {
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: "\""):
                try skipString()
                if depth == 0 { return }
                continue
            default: break
            }
            position += 1
        } while depth > 0
        guard first != UInt8(ascii: "{"), first != UInt8(ascii: "[") else { return }
        let ends: [UInt8] = [0x2C, 0x7D, 0x5D, 0x20, 0x0A, 0x0D, 0x09]
        while position < bytes.count, !ends.contains(bytes[position]) { position += 1 }
    }

    private mutating func skipString() throws(Failure) {
        position += 1
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard position < bytes.count else { throw Failure() }
        position += 1
    }
}
