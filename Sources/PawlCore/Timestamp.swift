public import Foundation

/// A moment in UTC with millisecond precision; as text and in JSON ISO 8601 (`2026-11-22T18:05:12.345Z`).
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    public let milliseconds: Int64

    /// Makes a moment from milliseconds since 1970.
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// The present moment.
    public static var now: Timestamp {
        Timestamp(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded()))
    }

    private static var style: Date.ISO8601FormatStyle {
        .iso8601(timeZone: .gmt, includingFractionalSeconds: true)
    }

    /// Parses ISO 8601 text; nil when it is none.
    public init?(_ text: String) {
        guard let date = try? Date(text, strategy: Self.style) else { return nil }
        milliseconds = Int64((date.timeIntervalSince1970 * 1000).rounded())
    }

    /// The moment as Foundation's date.
    public var date: Date { Date(timeIntervalSince1970: Double(milliseconds) / 1000) }

    /// Foundation cuts fractions of a second off where a binary fraction falls short, so whole seconds are
    /// formatted by it and the milliseconds are put in.
    public var description: String {
        let (seconds, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        let whole = rest < 0 ? seconds - 1 : seconds
        let fraction = String(rest < 0 ? rest + 1000 : rest)
        let text = Date(timeIntervalSince1970: Double(whole)).formatted(.iso8601)
        return text.dropLast() + "." + String(repeating: "0", count: 3 - fraction.count) + fraction + "Z"
    }

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }
}

extension Timestamp: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Timestamp(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is not an ISO 8601 time")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
