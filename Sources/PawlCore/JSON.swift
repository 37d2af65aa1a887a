internal import Foundation

/// Reading and writing JSON documents: canonical bytes out, precise errors in.
public enum JSON {
    /// Canonical bytes of a value: sorted names, no white space, `/` not escaped. Equal values have equal bytes.
    public static func canonical(_ value: some Encodable) throws -> [UInt8] {
        try encode(value, [.sortedKeys, .withoutEscapingSlashes])
    }

    /// Bytes for people and files: sorted names, indented, ending in a line feed.
    public static func pretty(_ value: some Encodable) throws -> [UInt8] {
        try encode(value, [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]) + [0x0A]
    }

    private static func encode(_ value: some Encodable, _ format: JSONEncoder.OutputFormatting) throws
        -> [UInt8]
    {
        let encoder = JSONEncoder()
        encoder.outputFormatting = format
        do {
            return Array(try encoder.encode(value))
        } catch {
            throw PawlError(.internalError, "cannot write \(type(of: value)) as JSON", underlying: error)
        }
    }

    /// Decodes one JSON text strictly. Errors name `source`, the line and the field.
    ///
    /// - Parameters:
    ///   - source: what the bytes are, for the error (a path).
    ///   - line: the line at which the text starts in its file (JSONL), 1-based.
    public static func decode<T: Decodable>(
        _ type: T.Type, from bytes: some ContiguousBytesLike, source: String, line: Int = 1
    ) throws -> T {
        _ = try parse(bytes, source: source, line: line)
        do {
            return try JSONDecoder().decode(type, from: bytes.withBytes { Data($0) })
        } catch let error as DecodingError {
            throw fieldError(error, in: bytes.withBytes { Array($0) }, source: source, line: line)
        }
    }

    /// Parses one JSON text strictly. Errors name `source` and the line.
    public static func parse(_ bytes: some ContiguousBytesLike, source: String, line: Int = 1) throws
        -> JSONValue
    {
        do {
            return try JSONParser.parse(bytes)
        } catch let failure as JSONParser.Failure {
            let breaks = bytes.withBytes { text in text.prefix(failure.offset).count { $0 == 0x0A } }
            throw PawlError(
                .invalidArgument, "\(source), line \(line + breaks): not valid JSON: \(failure.reason)")
        }
    }

    /// One line of a JSONL file.
    public struct Line: Sendable {
        /// 1-based line number.
        public let number: Int
        /// The bytes of the line without its line feed.
        public let bytes: [UInt8]
    }

    /// Splits JSONL; blank lines are skipped but counted.
    public static func lines(_ bytes: [UInt8]) -> [Line] {
        bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated().compactMap {
            index, line in
            let isBlank = line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
            return isBlank ? nil : Line(number: index + 1, bytes: Array(line))
        }
    }

    /// Decodes a JSONL file, one value a line. Errors name `source`, the line and the field.
    public static func decodeLines<T: Decodable>(
        _ type: T.Type, from bytes: [UInt8], source: String
    ) throws -> [T] {
        try lines(bytes).map { try decode(type, from: $0.bytes, source: source, line: $0.number) }
    }

    /// Canonical JSONL bytes of a sequence of values.
    public static func canonicalLines(_ values: some Sequence<some Encodable>) throws -> [UInt8] {
        var out: [UInt8] = []
        for value in values { out += try canonical(value) + [0x0A] }
        return out
    }

    /// The error for a field whose value does not fit: file, the line of that very field, and its path.
    public static func error(
        at path: [any CodingKey], in bytes: [UInt8], source: String, line: Int = 1, _ reason: String,
        hint: String? = nil
    ) -> PawlError {
        let place = line + JSONLocator.lineBreaks(before: path, in: bytes)
        let text = path.map { key in key.intValue.map { "[\($0)]" } ?? ".\(key.stringValue)" }.joined()
        let field = text.isEmpty ? "" : ", field \(text.drop { $0 == "." })"
        return PawlError(.invalidArgument, "\(source), line \(place)\(field): \(reason)", hint: hint)
    }

    private static func fieldError(
        _ error: DecodingError, in bytes: [UInt8], source: String, line: Int
    ) -> PawlError {
        let (path, reason): ([any CodingKey], String) =
            switch error {
            case .keyNotFound(let key, let context): (context.codingPath + [key], "is missing")
            case .typeMismatch(let type, let context): (context.codingPath, "must be \(words(for: type))")
            case .valueNotFound(let type, let context):
                (context.codingPath, "must be \(words(for: type)), not null")
            case .dataCorrupted(let context): (context.codingPath, context.debugDescription)
            @unknown default: ([], "\(error)")
            }
        return Self.error(at: path, in: bytes, source: source, line: line, reason)
    }

    private static func words(for type: Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is Int.Type, is Int64.Type, is UInt64.Type: "an integer"
        case is Double.Type: "a number"
        default: "\(type)".hasPrefix("Array") ? "an array" : "an object"
        }
    }
}
