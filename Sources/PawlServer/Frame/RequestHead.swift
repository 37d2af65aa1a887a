internal import PawlCore

/// The head of a request as it came: nothing of it was checked.
struct RequestHead: Sendable {
    var method: String
    /// Path and query, percent-encoded.
    var target: String
    /// Names in lower case, in their order.
    var headers: [(name: String, value: String)]

    init(_ method: String, _ target: String, headers: [(name: String, value: String)] = []) {
        self.method = method
        self.target = target
        self.headers = headers
    }

    /// The value of a header; equal names are joined by commas, as RFC 9110 5.3 has it.
    func header(_ name: String) -> String? {
        let values = headers.filter { $0.name == name }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ", ")
    }

    /// The request without its body.
    ///
    /// - Throws: a `Refusal` (400, 414) for a target that is too long, or whose parts would mean something to a file
    ///   system: no part of a path reaches one, and this holds even where somebody forgets it.
    func call(_ limits: ServerLimits) throws -> Call {
        guard target.utf8.count <= limits.targetBytes else {
            throw Refusal(414, "the path with its query is over \(limits.targetBytes) bytes")
        }
        let halves = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = halves.first, first.hasPrefix("/") else {
            throw Refusal(400, "the target of a request is a path that begins with /")
        }
        var path = try first.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
            .map { try Self.part($0) }
        if path.last == "" { path.removeLast() }
        guard !path.contains("") else { throw Refusal(400, "the path has an empty part (//)") }
        return Call(
            method, path, query: try halves.count == 2 ? Self.query(halves[1]) : [:],
            headers: Dictionary(headers.map { ($0.name, $0.value) }) { "\($0), \($1)" })
    }

    private static func part(_ text: Substring) throws -> String {
        guard let part = decoded(text) else {
            throw Refusal(400, "the path is not percent-encoded UTF-8")
        }
        let isPlain = !part.unicodeScalars.contains {
            $0.value < 0x20 || $0.value == 0x7F || "/\\".contains(Character($0))
        }
        guard isPlain, part != ".", part != ".." else {
            throw Refusal(400, "a part of the path is . or .., or has a slash or a control character in it")
        }
        return part
    }

    private static func query(_ text: Substring) throws -> [String: String] {
        var query: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decoded(sides[0], plus: true),
                let value = sides.count == 2 ? decoded(sides[1], plus: true) : ""
            else { throw Refusal(400, "the query is not percent-encoded UTF-8") }
            query[name] = value
        }
        return query
    }

    /// Percent-decoded text; nil when a `%` lacks its digits or the bytes are no UTF-8.
    ///
    /// - Parameter plus: whether `+` is a space, as forms write it.
    private static func decoded(_ text: Substring, plus: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(plus && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit)
            else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
