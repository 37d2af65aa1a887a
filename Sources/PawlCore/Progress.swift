/// A step of long work, for a progress bar, a log line or a stream of events.
public struct Progress: Sendable, Hashable {
    /// What is being done, in a word or two ("train", "evaluate capitals").
    public var activity: String
    /// Units done so far.
    public var completed: Int64
    /// Units in all; nil while unknown.
    public var total: Int64?
    /// What a unit is ("bytes", "steps", "items").
    public var unit: String
    /// Figures worth showing beside the bar (loss, tokens per second).
    public var metrics: [String: Double]

    /// Makes a step.
    public init(
        _ activity: String, _ completed: Int64, of total: Int64?, unit: String,
        metrics: [String: Double] = [:]
    ) {
        self.activity = activity
        self.completed = completed
        self.total = total
        self.unit = unit
        self.metrics = metrics
    }
}

/// Takes progress; called from any thread.
public typealias ProgressHandler = @Sendable (Progress) -> Void
