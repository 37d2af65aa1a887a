/// A strict RFC 8259 parser that says where a mistake is and refuses a name that an object holds twice.
///
/// Foundation's decoder silently keeps one of two equal names and gives no line; a safetensors header
/// or a suite with a doubled name must be an error instead (docs/decisions/0002-strict-json.md).
public struct JSONParser {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private let maximumDepth = 128

    /// A mistake in the text: what, and the byte offset at which it stands.
    public struct Failure: Error, Sendable {
        /// What is wrong.
        public let reason: String
        /// Offset in bytes from the start of the text.
        public let offset: Int
    }

    /// Parses one JSON text; throws ``Failure``.
    public static func parse(_ bytes: some ContiguousBytesLike) throws -> JSONValue {
        try bytes.withBytes { buffer in
            guard String(validating: buffer, as: UTF8.self) != nil else {
                throw Failure(reason: "not valid UTF-8", offset: 0)
            }
            var parser = JSONParser(bytes: buffer)
            let value = try parser.value(depth: 0)
            parser.skipSpace()
            guard parser.position == buffer.count else {
                throw parser.failure("text after the end of the JSON value")
            }
            return value
        }
    }

    private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private func failure(_ reason: String) -> Failure { Failure(reason: reason, offset: position) }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let c = current, c == 0x20 || c == 0x0A || c == 0x0D || c == 0x09 { position += 1 }
    }

    private mutating func value(depth: Int) throws -> JSONValue {
        guard depth < maximumDepth else { throw failure("nested deeper than \(maximumDepth) levels") }
        skipSpace()
        guard let first = current else { throw failure("unexpected end of the text") }
        switch first {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw failure("expected a JSON value")
        }
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws -> JSONValue {
        let count = word.utf8CodeUnitCount
        guard position + count <= bytes.count,
            (0..<count).allSatisfy({ bytes[position + $0] == word.utf8Start[$0] })
        else { throw failure("expected \(word)") }
        position += count
        return value
    }

    private mutating func object(depth: Int) throws -> JSONValue {
        position += 1
        var members: [String: JSONValue] = [:]
        skipSpace()
        if current == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw failure("expected a name in quotes") }
            let start = position
            let name = try string()
            skipSpace()
            guard current == UInt8(ascii: ":") else { throw failure("expected ':' after \"\(name)\"") }
            position += 1
            let value = try value(depth: depth + 1)
            guard members.updateValue(value, forKey: name) == nil else {
                throw Failure(reason: "the name \"\(name)\" stands twice in one object", offset: start)
            }
            if try endsContainer(UInt8(ascii: "}")) { return .object(members) }
        }
    }

    private mutating func array(depth: Int) throws -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        skipSpace()
        if current == UInt8(ascii: "]") {
            position += 1
            return .array(elements)
        }
        while true {
            elements.append(try value(depth: depth + 1))
            if try endsContainer(UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    /// Consumes ',' (false) or the closing byte (true).
    private mutating func endsContainer(_ close: UInt8) throws -> Bool {
        skipSpace()
        guard let c = current else { throw failure("unexpected end of the text") }
        guard c == close || c == UInt8(ascii: ",") else {
            throw failure("expected ',' or '\(Character(UnicodeScalar(close)))'")
        }
        position += 1
        return c == close
    }

    private mutating func number() throws -> JSONValue {
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        let digits = try integerDigits()
        guard digits == 1 || bytes[position - digits] != UInt8(ascii: "0") else {
            throw failure("a number must not start with 0")
        }
        var isInteger = true
        if current == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            _ = try integerDigits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            isInteger = false
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            _ = try integerDigits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .int(value) }
        guard let value = Double(text), value.isFinite else {
            throw Failure(reason: "the number \(text) is out of range", offset: start)
        }
        // As RFC 8785 has it: zero has one form, and what is written is read as the value that was written.
        return .double(value == 0 ? 0 : value)
    }

    private mutating func integerDigits() throws -> Int {
        let start = position
        while let c = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(c) { position += 1 }
        guard position > start else { throw failure("expected a digit") }
        return position - start
    }

    private mutating func string() throws -> String {
        position += 1
        var out: [UInt8] = []
        while true {
            guard let c = current else { throw failure("a string without its closing quote") }
            position += 1
            switch c {
            case UInt8(ascii: "\""): return String(decoding: out, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &out)
            case 0..<0x20:
                position -= 1
                throw failure("a control character inside a string")
            default: out.append(c)
            }
        }
    }

    private mutating func escape(into out: inout [UInt8]) throws {
        guard let c = current else { throw failure("a string without its closing quote") }
        position += 1
        switch c {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(c)
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "u"):
            var scalar = UInt32(try hexUnit())
            if (0xD800..<0xDC00).contains(scalar) {
                guard current == UInt8(ascii: "\\") else { throw failure("half of a surrogate pair") }
                position += 1
                guard current == UInt8(ascii: "u") else { throw failure("half of a surrogate pair") }
                position += 1
                let low = UInt32(try hexUnit())
                guard (0xDC00..<0xE000).contains(low) else { throw failure("half of a surrogate pair") }
                scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let unicode = UnicodeScalar(scalar) else { throw failure("half of a surrogate pair") }
            out.append(contentsOf: Array(String(unicode).utf8))
        default:
            position -= 1
            throw failure("unknown escape in a string")
        }
    }

    private mutating func hexUnit() throws -> UInt16 {
        guard position + 4 <= bytes.count,
            let text = String(validating: bytes[position..<position + 4], as: UTF8.self),
            text.utf8.allSatisfy({ UInt8(ascii: "+") != $0 && UInt8(ascii: "-") != $0 }),
            let unit = UInt16(text, radix: 16)
        else { throw failure("expected four hexadecimal digits after \\u") }
        position += 4
        return unit
    }
}
