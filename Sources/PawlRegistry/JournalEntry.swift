public import PawlCore

/// One entry of the journal: what changed, when, by whom (schemas/journal-entry.json).
public struct JournalEntry: Codable, Sendable, Hashable {
    /// Position, 1 for the first.
    public var sequence: Int
    /// Digest of the entry's document: its name.
    public var digest: Digest
    /// The entry before; nil for the first.
    public var previous: Digest?
    /// When it was written.
    public var time: Timestamp
    /// Who wrote it ("user@host" unless told otherwise).
    public var actor: String
    /// What happened.
    public var kind: Kind
    /// The checkpoint that it is about.
    public var checkpoint: Digest?
    /// The skill that it is about.
    public var skill: String?
    /// Digest of the suite that it is about.
    public var suite: Digest?
    /// The verdict that it records or rests on.
    public var verdict: Digest?
    /// Why, in the words of whoever did it.
    public var reason: String?
    /// Everything that is needed to apply it again; `documents` lists the documents that it rests on.
    public var body: JSONValue

    /// What an entry records.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        case `init`, candidate, evaluation, verdict, promotion, waiver, rollback, `import`, collection, noise
        case suiteAdded = "suite_added"
        case skillAdded = "skill_added"
        case gateRun = "gate_run"
        case registrationAbandoned = "registration_abandoned"
    }

    private enum CodingKeys: String, CodingKey {
        case sequence, digest, previous, time, actor, kind, checkpoint, skill, suite, verdict, reason, body
    }
}
