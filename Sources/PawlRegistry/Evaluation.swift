public import PawlCore

/// What a checkpoint scored on a suite, and the evidence behind it (schemas/evaluation.json).
public struct EvaluationRecord: Codable, Sendable, Hashable {
    /// The checkpoint that was measured.
    public var checkpoint: Digest
    /// Digest of the suite.
    public var suite: Digest
    /// Digest of everything that moves a score beside model and suite: template, engine, decoding settings.
    public var settings: Digest
    /// Document with the per-item results (JSONL).
    public var evidence: Digest
    /// Mean over the items, 0...1.
    public var score: Double
    /// Number of items.
    public var count: Int
    /// Lower end of the score's interval.
    public var lower: Double
    /// Upper end of the score's interval.
    public var upper: Double
    /// The engine that answered.
    public var engine: EngineIdentity
    /// When it was measured.
    public var created: Timestamp

    /// Makes a record.
    public init(
        checkpoint: Digest, suite: Digest, settings: Digest, evidence: Digest, score: Double, count: Int,
        lower: Double, upper: Double, engine: EngineIdentity, created: Timestamp = .now
    ) {
        self.checkpoint = checkpoint
        self.suite = suite
        self.settings = settings
        self.evidence = evidence
        self.score = score
        self.count = count
        self.lower = lower
        self.upper = upper
        self.engine = engine
        self.created = created
    }

    enum CodingKeys: String, CodingKey {
        case checkpoint, suite, settings, evidence, score, count, lower, upper, engine, created
    }
}
