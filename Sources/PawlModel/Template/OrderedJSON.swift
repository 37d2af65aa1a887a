public import PawlCore

/// A JSON value whose objects keep the order of their members.
///
/// A chat template prints tools and the arguments of calls with `tojson`, in the order in which the caller
/// wrote them. ``JSONValue`` does not know that order; a prompt made from it would differ from the one that
/// the model was trained on.
public enum OrderedJSON: Sendable, Hashable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([OrderedJSON])
    case object([Member])

    /// A named value of an object.
    public struct Member: Sendable, Hashable {
        public var name: String
        public var value: OrderedJSON

        public init(_ name: String, _ value: OrderedJSON) {
            self.name = name
            self.value = value
        }
    }

    /// The same value; the members of an object in the order of their names, so that it is always the same.
    public init(_ value: JSONValue) {
        switch value {
        case .null: self = .null
        case .bool(let flag): self = .bool(flag)
        case .int(let number): self = .int(number)
        case .double(let number): self = .double(number)
        case .string(let text): self = .string(text)
        case .array(let elements): self = .array(elements.map(Self.init))
        case .object(let members):
            let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            self = .object(sorted.map { Member($0.key, Self($0.value)) })
        }
    }

    /// Parses one JSON text strictly, keeping the order. Errors name `source` and the line.
    public init(parsing text: some ContiguousBytesLike, source: String, line: Int = 1) throws {
        // The strict parser refuses whatever is wrong; the reader below then only has to find the order.
        let value = try JSON.parse(text, source: source, line: line)
        self = text.withBytes { bytes in
            var reader = OrderReader(bytes)
            return reader.ordered(value)
        }
    }

    /// The member of an object; nil when absent or when this is no object.
    public subscript(name: String) -> OrderedJSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// The string, if it is one.
    public var string: String? { if case .string(let text) = self { text } else { nil } }
}

/// Walks a JSON text that is known to be valid beside its parsed value, and notes the order of names.
private struct OrderReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func ordered(_ value: JSONValue) -> OrderedJSON {
        skip { " \t\r\n,:".utf8.contains($0) }
        switch value {
        case .array(let elements):
            position += 1
            let ordered = elements.map { self.ordered($0) }
            close()
            return .array(ordered)
        case .object(let members):
            position += 1
            var found: [OrderedJSON.Member] = []
            for _ in members {
                skip { " \t\r\n,".utf8.contains($0) }
                let start = position
                skipString()
                // The slice is a JSON string of its own.
                let name = (try? JSONParser.parse(Array(bytes[start..<position])))?.string ?? ""
                found.append(.init(name, self.ordered(members[name] ?? .null)))
            }
            close()
            return .object(found)
        case .string: skipString()
        default: skip { !" \t\r\n,:]}".utf8.contains($0) }
        }
        return OrderedJSON(value)
    }

    private mutating func skip(_ isSkipped: (UInt8) -> Bool) {
        while position < bytes.count, isSkipped(bytes[position]) { position += 1 }
    }

    private mutating func skipString() {
        position += 1
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        position += 1
    }

    /// Moves past the bracket that ends an array or object.
    private mutating func close() {
        skip { " \t\r\n".utf8.contains($0) }
        position += 1
    }
}
