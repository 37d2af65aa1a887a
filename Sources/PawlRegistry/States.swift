public import PawlCore

/// Whether a checkpoint holds what a suite measures.
public enum HoldState: String, Codable, Sendable, CaseIterable {
    /// Shown by the checkpoint's own verdict or a later gate run.
    case held
    /// Shown to be worse than its anchor by more than the margin.
    case regressed
    /// Measured, and neither was shown.
    case undecided
    /// It serves by a waiver that covers this suite, which was not shown to hold.
    case waived
    /// This checkpoint was never judged on the suite.
    case unmeasured
}

/// How well a checkpoint holds a skill or what a general suite guards.
public struct SkillState: Codable, Sendable, Hashable {
    /// Name of the skill; nil for a general suite.
    public var skill: String?
    /// Version of the skill (of the suite, for a general suite).
    public var version: String
    /// Name of the suite that measures it.
    public var suiteName: String
    /// Digest of that suite.
    public var suite: Digest
    /// The state.
    public var state: HoldState
    /// The checkpoint's score; nil when never measured.
    public var score: Double?
    /// Lower end of the score's interval.
    public var scoreLower: Double?
    /// Upper end of the score's interval.
    public var scoreUpper: Double?
    /// Score minus anchor's score, in the verdict that decided the state.
    public var difference: Double?
    /// Lower bound of that difference.
    public var lower: Double?
    /// Upper bound of that difference.
    public var upper: Double?
    /// The margin of that verdict.
    public var margin: Double?
    /// The checkpoint that it was judged against; while unmeasured, the one that it would be judged against.
    public var anchor: Digest?
    /// The checkpoint of the line that acquired the skill.
    public var acquired: Digest?
    /// When it was shown to hold; nil unless held.
    public var certified: Timestamp?
    /// The verdict that decided the state.
    public var verdict: Digest?

    private enum CodingKeys: String, CodingKey {
        case skill, version, suite, state, score, difference, lower, upper, margin, anchor, acquired,
            certified
        case verdict
        case suiteName = "suite_name"
        case scoreLower = "score_lower"
        case scoreUpper = "score_upper"
    }
}

/// Scores of checkpoints on suites; what was never measured has no cell.
public struct Matrix: Codable, Sendable, Hashable {
    /// Rows, oldest first.
    public var checkpoints: [Checkpoint]
    /// Columns: one suite a name, general ones first.
    public var suites: [SuiteRecord]
    /// The cells that were measured.
    public var cells: [Cell]

    /// One measured cell.
    public struct Cell: Codable, Sendable, Hashable {
        /// The row.
        public var checkpoint: Digest
        /// The column.
        public var suite: Digest
        /// Mean over the items.
        public var score: Double
        /// Lower end of the interval.
        public var lower: Double
        /// Upper end of the interval.
        public var upper: Double
        /// Number of items.
        public var count: Int
        /// What the latest verdict on this checkpoint says of the suite; nil when none judged it.
        public var state: HoldState?

        private enum CodingKeys: String, CodingKey {
            case checkpoint, suite, score, lower, upper, count, state
        }
    }

    /// The cell of a checkpoint and a suite; nil when never measured.
    public subscript(checkpoint: Digest, suite: Digest) -> Cell? {
        cells.first { $0.checkpoint == checkpoint && $0.suite == suite }
    }

    private enum CodingKeys: String, CodingKey { case checkpoints, suites, cells }
}

/// The registry at a glance.
public struct RegistryStatus: Codable, Sendable, Hashable {
    /// Where it lies.
    public var root: String
    /// What serves; nil before the base is there.
    public var main: Digest?
    /// Checkpoints from the base to main, both counted.
    public var lineLength: Int
    /// Number of checkpoints by status.
    public var checkpoints: [String: Int]
    /// Number of skills that main's line acquired, by state.
    public var skills: [String: Int]
    /// Number of active general suites.
    public var generalSuites: Int
    /// Number of journal entries.
    public var entries: Int
    /// The newest entry.
    public var lastEntry: JournalEntry?
    /// Registrations that were started and not finished.
    public var unfinished: [Registration]
    /// Who holds the lease; nil when nobody does.
    public var lease: LeaseHolder?

    private enum CodingKeys: String, CodingKey {
        case root, main, checkpoints, skills, entries, unfinished, lease
        case lineLength = "line_length"
        case generalSuites = "general_suites"
        case lastEntry = "last_entry"
    }
}
