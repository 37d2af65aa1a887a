public import PawlCore
public import PawlGate
public import PawlRegistry
public import PawlStore

/// What a checkpoint holds: `pawl skills --json` (schemas/skills.json).
public struct SkillsReport: Codable, Sendable {
    /// The checkpoint.
    public var checkpoint: Digest
    /// Skills that its line acquired, oldest first.
    public var skills: [SkillState]
    /// General suites, which guard what the base could do.
    public var general: [SkillState]
}

/// Entries of the journal, newest first: `pawl log --json` (schemas/log.json).
public struct LogReport: Codable, Sendable {
    /// The entries.
    public var entries: [JournalEntry]

    /// Makes a report.
    public init(entries: [JournalEntry]) { self.entries = entries }
}

/// Everything about a checkpoint: `pawl show --json` (schemas/show.json).
public struct CheckpointReport: Codable, Sendable {
    /// The checkpoint as the registry knows it.
    public var checkpoint: Checkpoint
    /// What was written down when it was made.
    public var manifest: JSONValue
    /// Skills, then general suites.
    public var skills: [SkillState]
    /// Its verdicts, newest first.
    public var verdicts: [VerdictReport]
    /// What it takes; nil where its weights were collected.
    public var stored: StoredSize?
}

extension Workflow {
    /// What a checkpoint holds.
    public func skillsReport(of checkpoint: Digest) throws -> SkillsReport {
        SkillsReport(
            checkpoint: checkpoint, skills: try registry.skills(of: checkpoint),
            general: try registry.generalSuites(of: checkpoint))
    }

    /// Everything about a checkpoint.
    public func checkpointReport(of digest: Digest) throws -> CheckpointReport {
        let record = try registry.checkpoint(digest)
        return CheckpointReport(
            checkpoint: record,
            manifest: try JSON.parse(
                registry.store.document(record.manifest), source: "manifest of \(digest.short)"),
            skills: try registry.skills(of: digest) + registry.generalSuites(of: digest),
            verdicts: try registry.verdicts(of: digest).map { try verdictReport($0.digest) },
            stored: record.collected == nil ? try registry.store.storedSize(of: digest) : nil)
    }
}
