internal import Foundation
internal import PawlCore

/// JSON values that models write.
enum JSONAnswer {
    /// The one JSON value that a text is, apart from white space and one ``` fence around it; else nil.
    static func value(of text: String) -> JSONValue? {
        let bare = unfenced(text.trimmingCharacters(in: .whitespacesAndNewlines))
        return try? JSONParser.parse(Array(bare.utf8))
    }

    /// Whether a value is an object of exactly a name and an object of arguments.
    static func isFunctionCall(_ value: JSONValue) -> Bool {
        value["name"]?.string != nil && value["arguments"]?.object != nil && value.object?.count == 2
    }

    /// Takes off one fence; the opening may be followed by the name of a language.
    private static func unfenced(_ text: String) -> String {
        let fence = "```"
        guard text.hasPrefix(fence), text.hasSuffix(fence), text.count >= 2 * fence.count else { return text }
        let inside = text.dropFirst(fence.count).dropLast(fence.count)
        let language = inside.prefix { $0.isLetter || $0.isNumber }
        let body = inside.dropFirst(language.count)
        // "```json {…}```" on one line is allowed too, but "```true```" is the value and no language.
        let isLanguage =
            !language.isEmpty && body.first.map { $0.isWhitespace || $0 == "{" || $0 == "[" } ?? false
        return String(isLanguage ? body : inside)
    }
}

extension JSONValue {
    /// Equality as people mean it: the order of names does not count, and numbers are numbers (5 is 5.0).
    func isSame(as other: JSONValue) -> Bool {
        switch (self, other) {
        case (.object(let a), .object(let b)):
            a.count == b.count && a.allSatisfy { key, value in b[key].map(value.isSame) ?? false }
        case (.array(let a), .array(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.isSame(as: $1) }
        case (.int(let a), .double(let b)), (.double(let b), .int(let a)): Int64(exactly: b) == a
        default: self == other
        }
    }
}
