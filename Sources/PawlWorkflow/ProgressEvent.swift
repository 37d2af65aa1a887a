public import PawlCore

/// A step of long work as programs get it (schemas/progress.json); numbers that are not finite are left out.
public struct ProgressEvent: Encodable, Sendable {
    /// `progress`.
    public let type = "progress"
    /// What is being done.
    public let activity: String
    /// Units done so far.
    public let completed: Int64
    /// Units in all; nil while unknown.
    public let total: Int64?
    /// What a unit is.
    public let unit: String
    /// Seconds since the activity began.
    public let elapsedSeconds: Double
    /// Seconds that the rest takes at the pace so far; nil while unknown.
    public let secondsLeft: Double?
    /// Figures of a step.
    public let metrics: [String: Double]

    /// - Parameter first: units that were done when the activity began, `elapsed` seconds ago.
    public init(_ progress: Progress, from first: Int64, elapsed: Double) {
        activity = progress.activity
        completed = progress.completed
        total = progress.total
        unit = progress.unit
        elapsedSeconds = elapsed
        secondsLeft = Self.secondsLeft(progress, from: first, elapsed: elapsed)
        metrics = progress.metrics.filter(\.value.isFinite)
    }

    /// Seconds that the rest takes at the pace so far; nil while that is unknown, and at the end.
    public static func secondsLeft(_ progress: Progress, from first: Int64, elapsed: Double) -> Double? {
        let advanced = Double(progress.completed - first)
        guard let total = progress.total, advanced > 0, progress.completed < total else { return nil }
        return elapsed * Double(total - progress.completed) / advanced
    }

    private enum CodingKeys: String, CodingKey {
        case type, activity, completed, total, unit, metrics
        case elapsedSeconds = "elapsed_seconds", secondsLeft = "seconds_left"
    }
}

/// What long work says between its steps (schemas/progress.json).
public struct NoteEvent: Encodable, Sendable {
    /// `note`.
    public let type = "note"
    /// What it says.
    public let text: String

    /// Makes a note.
    public init(text: String) { self.text = text }
}
