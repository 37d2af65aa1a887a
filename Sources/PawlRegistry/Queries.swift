internal import GRDB
public import PawlCore
internal import PawlStore

extension Registry {
    /// The checkpoint that serves; `notFound` before the base is there.
    public func main() throws -> Digest { try read { try Self.main($0) } }

    /// A reference; nil when there is none of this name.
    public func reference(_ name: String) throws -> Reference? { try read { try Self.reference(name, $0) } }

    /// All references, by name.
    public func references() throws -> [Reference] {
        try read { try Row.fetchAll($0, sql: "SELECT * FROM reference ORDER BY name").map(Reference.init) }
    }

    /// A checkpoint; `notFound` when the registry does not know it.
    public func checkpoint(_ digest: Digest) throws -> Checkpoint {
        try read { try Self.checkpoint(digest, $0) }
    }

    /// A checkpoint; nil when the registry does not know it.
    public func findCheckpoint(_ digest: Digest) throws -> Checkpoint? {
        try read { try Self.findCheckpoint(digest, $0) }
    }

    /// All checkpoints, in the order in which they were recorded.
    public func checkpoints() throws -> [Checkpoint] {
        try read {
            try Row.fetchAll($0, sql: "SELECT * FROM checkpoint ORDER BY sequence").map(Checkpoint.init)
        }
    }

    /// What was written down when a checkpoint was made.
    public func manifest(of checkpoint: Digest) throws -> CheckpointManifest {
        let name = try self.checkpoint(checkpoint).manifest
        return try RecordDocument.checkpoint.decode(
            CheckpointManifest.self, from: store.document(name), name: name)
    }

    /// Entries after a sequence number, oldest first.
    public func journal(since sequence: Int = 0, limit: Int? = nil) throws -> [JournalEntry] {
        try read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM journal WHERE sequence > ? ORDER BY sequence LIMIT ?",
                arguments: [sequence, limit ?? -1]
            ).map(JournalEntry.init)
        }
    }

    /// The newest entries, newest first.
    public func recentEntries(_ limit: Int) throws -> [JournalEntry] {
        try read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM journal ORDER BY sequence DESC LIMIT ?", arguments: [limit]
            )
            .map(JournalEntry.init)
        }
    }

    /// An entry by its name; `notFound` when the journal has none.
    public func entry(_ digest: Digest) throws -> JournalEntry {
        try read { db in
            let row = try Row.fetchOne(
                db, sql: "SELECT * FROM journal WHERE digest = ?", arguments: [digest.hex])
            guard let row else { throw PawlError(.notFound, "there is no journal entry \(digest.hex)") }
            return try JournalEntry(row)
        }
    }

    /// An evaluation with the same checkpoint, suite and settings; nil when there is none: the cache.
    public func evaluation(checkpoint: Digest, suite: Digest, settings: Digest) throws -> EvaluationRecord? {
        try read { db in
            try Row.fetchOne(
                db, sql: "SELECT * FROM evaluation WHERE checkpoint = ? AND suite = ? AND settings = ?",
                arguments: [checkpoint.hex, suite.hex, settings.hex]
            ).map(EvaluationRecord.init)
        }
    }

    /// Everything that was measured on a checkpoint, oldest first.
    public func evaluations(of checkpoint: Digest) throws -> [EvaluationRecord] {
        try read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM evaluation WHERE checkpoint = ? ORDER BY sequence, suite, settings",
                arguments: [checkpoint.hex]
            ).map(EvaluationRecord.init)
        }
    }

    /// A verdict; `notFound` when the registry does not know it.
    public func verdict(_ digest: Digest) throws -> VerdictRecord {
        try read { try Self.verdict(digest, $0) }
    }

    /// The names of all verdicts, oldest first.
    public func allVerdicts() throws -> [Digest] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT digest FROM verdict ORDER BY sequence").map {
                try $0.digest("digest")
            }
        }
    }

    /// Verdicts on a checkpoint, newest first.
    public func verdicts(of checkpoint: Digest) throws -> [VerdictRecord] {
        try read { try Self.verdicts(of: checkpoint, $0) }
    }

    /// The newest updates that were judged on a suite as a prior one and did not regress it, newest first.
    public func updates(judgedOn suite: Digest, limit: Int) throws -> [(candidate: Digest, parent: Digest)] {
        try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT verdict.candidate AS candidate, verdict.parent AS parent
                    FROM verdict_suite JOIN verdict ON verdict.digest = verdict_suite.verdict
                    WHERE suite = ? AND role = 'prior' AND state <> 'regressed' AND verdict.parent IS NOT NULL
                    ORDER BY verdict.sequence DESC, position LIMIT ?
                    """,
                arguments: [suite.hex, limit]
            ).map { (candidate: try $0.digest("candidate"), parent: try $0.digest("parent")) }
        }
    }

    /// How often the sealed items of a suite were opened against an anchor; the next opening is one more.
    public func openings(suite: Digest, anchor: Digest) throws -> Int {
        try read { try Self.openings(suite: suite, anchor: anchor, $0) }
    }

    /// The ledger of a suite and an anchor, oldest first; the next attempt is number `count + 1`.
    public func attempts(suite: Digest, anchor: Digest) throws -> [Attempt] {
        try read { try Self.attempts(suite: suite, anchor: anchor, $0) }
    }
}

// The same on an open transaction, where a change looks before it writes.
extension Registry {
    static func reference(_ name: String, _ db: Database) throws -> Reference? {
        try Row.fetchOne(db, sql: "SELECT * FROM reference WHERE name = ?", arguments: [name]).map(
            Reference.init)
    }

    static func main(_ db: Database) throws -> Digest {
        guard let main = try reference(Reference.main, db) else {
            throw PawlError(
                .notFound, "the registry has no main yet",
                hint: "pawl init --base DIR gives it a base checkpoint")
        }
        return main.checkpoint
    }

    static func findCheckpoint(_ digest: Digest, _ db: Database) throws -> Checkpoint? {
        try Row.fetchOne(db, sql: "SELECT * FROM checkpoint WHERE digest = ?", arguments: [digest.hex])
            .map(Checkpoint.init)
    }

    static func checkpoint(_ digest: Digest, _ db: Database) throws -> Checkpoint {
        guard let checkpoint = try findCheckpoint(digest, db) else {
            throw PawlError(.notFound, "the registry has no checkpoint \(digest.hex)")
        }
        return checkpoint
    }

    static func verdict(_ digest: Digest, _ db: Database) throws -> VerdictRecord {
        let row = try Row.fetchOne(db, sql: "SELECT * FROM verdict WHERE digest = ?", arguments: [digest.hex])
        guard let row else { throw PawlError(.notFound, "the registry has no verdict \(digest.hex)") }
        return try VerdictRecord(row, db)
    }

    static func verdicts(of checkpoint: Digest, _ db: Database) throws -> [VerdictRecord] {
        try Row.fetchAll(
            db, sql: "SELECT * FROM verdict WHERE candidate = ? ORDER BY sequence DESC",
            arguments: [checkpoint.hex]
        ).map { try VerdictRecord($0, db) }
    }

    static func attempts(suite: Digest, anchor: Digest, _ db: Database) throws -> [Attempt] {
        try Row.fetchAll(
            db, sql: "SELECT * FROM attempt WHERE suite = ? AND anchor = ? ORDER BY number",
            arguments: [suite.hex, anchor.hex]
        ).map(Attempt.init)
    }

    static func openings(suite: Digest, anchor: Digest, _ db: Database) throws -> Int {
        try Int.fetchOne(
            db,
            sql: """
                SELECT count(DISTINCT verdict) FROM verdict_suite
                WHERE suite = ? AND anchor = ? AND opening IS NOT NULL
                """,
            arguments: [suite.hex, anchor.hex]) ?? 0
    }

    static func lastEntry(_ db: Database) throws -> JournalEntry? {
        try Row.fetchOne(db, sql: "SELECT * FROM journal ORDER BY sequence DESC LIMIT 1").map(
            JournalEntry.init)
    }

    /// Entries of a kind, of those that are about a skill, suite or verdict when one is given; oldest first.
    static func entries(
        _ db: Database, kind: JournalEntry.Kind, skill: String? = nil, suite: Digest? = nil,
        verdict: Digest? = nil
    ) throws -> [JournalEntry] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT * FROM journal
                WHERE kind = ?1 AND (?2 IS NULL OR skill = ?2) AND (?3 IS NULL OR suite = ?3)
                  AND (?4 IS NULL OR verdict = ?4)
                ORDER BY sequence
                """,
            arguments: [kind.rawValue, skill, sql(suite), sql(verdict)]
        ).map(JournalEntry.init)
    }

    static func entries(_ db: Database, checkpoint: Digest) throws -> [JournalEntry] {
        try Row.fetchAll(
            db, sql: "SELECT * FROM journal WHERE checkpoint = ? ORDER BY sequence",
            arguments: [checkpoint.hex]
        ).map(JournalEntry.init)
    }

    /// The entries that made a checkpoint main, oldest first.
    static func moves(_ db: Database, to checkpoint: Digest) throws -> [JournalEntry] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT * FROM journal
                WHERE checkpoint = ? AND kind IN ('init', 'promotion', 'waiver', 'rollback') ORDER BY sequence
                """,
            arguments: [checkpoint.hex]
        ).map(JournalEntry.init)
    }

    /// How often a checkpoint was made main.
    static func moveCount(_ db: Database, to checkpoint: Digest) throws -> Int {
        try Int.fetchOne(
            db,
            sql: """
                SELECT count(*) FROM journal
                WHERE checkpoint = ? AND kind IN ('init', 'promotion', 'waiver', 'rollback')
                """,
            arguments: [checkpoint.hex]) ?? 0
    }

    /// Position of the latest waiver that made a checkpoint main; nil when none did.
    static func waiver(_ db: Database, of checkpoint: Digest) throws -> Int? {
        try Int.fetchOne(
            db, sql: "SELECT max(sequence) FROM journal WHERE checkpoint = ? AND kind = 'waiver'",
            arguments: [checkpoint.hex])
    }
}
