public import PawlCore

/// What the gate said about a checkpoint, suite by suite; the report itself is the document `digest`.
public struct VerdictRecord: Codable, Sendable, Hashable {
    /// Digest of the report, a document in the store: the verdict's name.
    public var digest: Digest
    /// The registration that it belongs to.
    public var registration: String?
    /// The checkpoint that was judged.
    public var candidate: Digest
    /// The checkpoint that the candidate would replace.
    public var parent: Digest?
    /// The decision.
    public var decision: Decision
    /// What led to it.
    public var kind: Kind
    /// When it was reached.
    public var created: Timestamp
    /// One row a suite.
    public var suites: [VerdictSuite]

    /// A decision; `none` where nothing is to be decided (a gate run on a checkpoint that serves).
    public enum Decision: String, Codable, Sendable, CaseIterable { case accept, reject, inconclusive, none }

    /// What a verdict belongs to.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        case registration, `import`
        case gateRun = "gate_run"
    }

    /// Makes a record.
    public init(
        digest: Digest, registration: String? = nil, candidate: Digest, parent: Digest?, decision: Decision,
        kind: Kind, created: Timestamp = .now, suites: [VerdictSuite]
    ) {
        self.digest = digest
        self.registration = registration
        self.candidate = candidate
        self.parent = parent
        self.decision = decision
        self.kind = kind
        self.created = created
        self.suites = suites
    }

    private enum CodingKeys: String, CodingKey {
        case digest, registration, candidate, parent, decision, kind, created, suites
    }
}

/// One suite of a verdict: candidate against anchor on the same items.
public struct VerdictSuite: Codable, Sendable, Hashable {
    /// Name of the suite.
    public var name: String
    /// Digest of the suite.
    public var suite: Digest
    /// Whether it guards something held, or measures what is being learned.
    public var role: Role
    /// The checkpoint it was judged against (the parent, for the new skill's suite).
    public var anchor: Digest
    /// What was found.
    public var state: State
    /// Candidate's score minus anchor's score.
    public var difference: Double
    /// Lower bound of the difference.
    public var lower: Double
    /// Upper bound of the difference.
    public var upper: Double
    /// The margin that was asked for.
    public var margin: Double
    /// One-sided error probability of this attempt.
    public var alpha: Double
    /// Number of this attempt against (suite, anchor), 1 for the first; nil when it spends none.
    public var attempt: Int?
    /// Number of items.
    public var count: Int
    /// The candidate's score.
    public var candidateScore: Double
    /// The anchor's score.
    public var anchorScore: Double
    /// Items that the anchor had right and the candidate has wrong.
    public var lost: Int
    /// Items that the anchor had wrong and the candidate has right.
    public var won: Int
    /// Number of this opening of the suite's sealed items against the anchor, 1 for the first; nil when they stayed closed.
    public var opening: Int?

    /// The part that a suite plays in a verdict.
    public enum Role: String, Codable, Sendable, CaseIterable { case prior, new }

    /// What was found on a suite.
    public enum State: String, Codable, Sendable, CaseIterable {
        case held, regressed, undecided, gained
        case notGained = "not_gained"
    }

    /// Makes a row.
    public init(
        name: String, suite: Digest, role: Role, anchor: Digest, state: State, difference: Double,
        lower: Double,
        upper: Double, margin: Double, alpha: Double, attempt: Int?, count: Int, candidateScore: Double,
        anchorScore: Double, lost: Int, won: Int, opening: Int? = nil
    ) {
        self.name = name
        self.suite = suite
        self.role = role
        self.anchor = anchor
        self.state = state
        self.difference = difference
        self.lower = lower
        self.upper = upper
        self.margin = margin
        self.alpha = alpha
        self.attempt = attempt
        self.count = count
        self.candidateScore = candidateScore
        self.anchorScore = anchorScore
        self.lost = lost
        self.won = won
        self.opening = opening
    }

    private enum CodingKeys: String, CodingKey {
        case name, suite, role, anchor, state, difference, lower, upper, margin, alpha, attempt, count, lost,
            won, opening
        case candidateScore = "candidate_score"
        case anchorScore = "anchor_score"
    }
}

/// One entry of the ledger of attempts: a verdict that judged a candidate on a suite against an anchor.
public struct Attempt: Codable, Sendable, Hashable {
    /// Digest of the suite.
    public var suite: Digest
    /// The anchor that was judged against.
    public var anchor: Digest
    /// The verdict that spent it.
    public var verdict: Digest
    /// 1 for the first attempt against this suite and anchor.
    public var number: Int

    private enum CodingKeys: String, CodingKey { case suite, anchor, verdict, number }
}
