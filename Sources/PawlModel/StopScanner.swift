/// Looks for texts that end an answer while it comes in parts, and keeps back what may still become one.
public struct StopScanner: Sendable {
    private let stops: [[UInt8]]
    /// The end of what came: the beginning of a stop text, perhaps.
    private var held: [UInt8] = []
    /// Whether a stop text was found. Nothing is given out after it.
    public private(set) var isStopped = false

    /// - Parameter stops: texts that end an answer and are no part of it; empty ones are never found.
    public init(_ stops: [String]) { self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty } }

    /// The text that is certain with one more part; ends before the first stop text.
    public mutating func append(_ part: String) -> String {
        guard !isStopped else { return "" }
        held += Array(part.utf8)
        if let start = held.indices.first(where: { index in stops.contains { held[index...].starts(with: $0) }
        }) {
            isStopped = true
            defer { held = [] }
            return String(decoding: held[..<start], as: UTF8.self)
        }
        // A stop text begins with a whole character, so what is given out ends with one.
        let rest =
            held.indices.first { index in
                stops.contains { $0.starts(with: held[index...]) }
            } ?? held.endIndex
        defer { held.removeFirst(rest) }
        return String(decoding: held[..<rest], as: UTF8.self)
    }

    /// What was kept back, when nothing more comes.
    public mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }
}
