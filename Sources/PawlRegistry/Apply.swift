internal import GRDB
internal import PawlCore

extension Registry {
    /// Applies an entry to the rows: the only code that changes what a rebuild makes again.
    ///
    /// It looks at the entry, the documents that the entry names, and rows that earlier entries made.
    static func apply(_ entry: JournalEntry, to db: Database, reading document: (Digest) throws -> [UInt8])
        throws
    {
        try insertJournal(entry, db)
        switch entry.kind {
        case .`init`:
            let manifest = try applyCheckpoint(entry, status: .base, db, document)
            try move(Reference.main, to: manifest.digest, at: entry.time, db)
        case .candidate, .import:
            _ = try applyCheckpoint(entry, status: .candidate, db, document)
        case .suiteAdded:
            try applySuite(entry, db, document)
        case .skillAdded:
            try applySkill(entry, db, document)
        case .evaluation:
            try applyEvaluations(entry.body(as: EvaluationBody.self).evaluations, entry, db, document)
        case .noise:
            try applyNoise(entry, db)
        case .verdict, .gateRun:
            try applyVerdict(entry, db, document)
        case .promotion, .waiver, .rollback:
            try applyMove(entry, db)
        case .collection:
            for checkpoint in try entry.body(as: CollectionBody.self).checkpoints {
                try db.execute(
                    sql: "UPDATE checkpoint SET collected = ? WHERE digest = ?",
                    arguments: [sql(entry.time), checkpoint.hex])
            }
        case .registrationAbandoned:
            break
        }
    }

    private static func insertJournal(_ entry: JournalEntry, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO journal
                    (sequence, digest, previous, time, actor, kind, checkpoint, skill, suite, verdict, reason, body)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                entry.sequence, entry.digest.hex, sql(entry.previous), sql(entry.time), entry.actor,
                entry.kind.rawValue, sql(entry.checkpoint), entry.skill, sql(entry.suite), sql(entry.verdict),
                entry.reason, try sql(entry.body),
            ])
    }

    /// A candidate that comes again (the same training gives the same digest) takes its row over.
    private static func applyCheckpoint(
        _ entry: JournalEntry, status: Checkpoint.Status, _ db: Database,
        _ document: (Digest) throws -> [UInt8]
    ) throws -> CheckpointManifest {
        let record = try entry.body(as: RecordBody.self).record
        let manifest = try RecordDocument.checkpoint.decode(
            CheckpointManifest.self, from: document(record), name: record)
        try db.execute(
            sql: """
                INSERT INTO checkpoint
                    (digest, parent, origin, status, skill, skill_version, skill_digest, engine, engine_version,
                     recipe, manifest, created, collected, sequence)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)
                ON CONFLICT (digest) DO UPDATE SET
                    parent = excluded.parent, origin = excluded.origin, status = excluded.status,
                    skill = excluded.skill, skill_version = excluded.skill_version,
                    skill_digest = excluded.skill_digest, engine = excluded.engine,
                    engine_version = excluded.engine_version, recipe = excluded.recipe,
                    manifest = excluded.manifest, created = excluded.created, collected = NULL,
                    sequence = excluded.sequence
                """,
            arguments: [
                manifest.digest.hex, sql(manifest.parent), manifest.origin.rawValue, status.rawValue,
                manifest.acquisition?.skill, manifest.acquisition?.version, sql(manifest.acquisition?.digest),
                manifest.engine?.name, manifest.engine?.version, try sql(manifest.recipe), record.hex,
                sql(manifest.created), entry.sequence,
            ])
        return manifest
    }

    private static func applySuite(
        _ entry: JournalEntry, _ db: Database, _ document: (Digest) throws -> [UInt8]
    ) throws {
        let name = try entry.body(as: RecordBody.self).record
        let suite = try RecordDocument.suite.decode(SuiteRecord.self, from: document(name), name: name)
        try db.execute(sql: "UPDATE suite SET active = 0 WHERE name = ?", arguments: [suite.name])
        try db.execute(
            sql: """
                INSERT INTO suite (digest, name, version, tree, skill, family, metric, margin, added, active)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
                ON CONFLICT (digest) DO UPDATE SET active = 1
                """,
            arguments: [
                suite.digest.hex, suite.name, suite.version, suite.tree.hex, suite.skill, suite.family,
                suite.metric,
                try sql(suite.margin), sql(suite.added),
            ])
    }

    private static func applySkill(
        _ entry: JournalEntry, _ db: Database, _ document: (Digest) throws -> [UInt8]
    ) throws {
        let name = try entry.body(as: RecordBody.self).record
        let skill = try RecordDocument.skill.decode(SkillRecord.self, from: document(name), name: name)
        try db.execute(
            sql: """
                INSERT INTO skill (digest, name, version, suite, registered, sequence) VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                skill.digest.hex, skill.name, skill.version, skill.suite.hex, sql(skill.registered),
                entry.sequence,
            ])
    }

    private static func applyEvaluations(
        _ documents: [Digest], _ entry: JournalEntry, _ db: Database, _ document: (Digest) throws -> [UInt8]
    ) throws {
        for name in documents {
            let evaluation = try RecordDocument.evaluation.decode(
                EvaluationRecord.self, from: document(name), name: name)
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO evaluation
                        (checkpoint, suite, settings, evidence, score, count, lower, upper, engine, engine_version,
                         created, document, sequence)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    evaluation.checkpoint.hex, evaluation.suite.hex, evaluation.settings.hex,
                    evaluation.evidence.hex, evaluation.score, evaluation.count, evaluation.lower,
                    evaluation.upper,
                    evaluation.engine.name, evaluation.engine.version, sql(evaluation.created), name.hex,
                    entry.sequence,
                ])
        }
    }

    private static func applyVerdict(
        _ entry: JournalEntry, _ db: Database, _ document: (Digest) throws -> [UInt8]
    ) throws {
        let body = try entry.body(as: VerdictBody.self)
        try applyEvaluations(body.evaluations, entry, db, document)
        let verdict = body.verdict
        try db.execute(
            sql: """
                INSERT INTO verdict (digest, registration, candidate, parent, decision, kind, created, sequence)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                verdict.digest.hex, verdict.registration, verdict.candidate.hex, sql(verdict.parent),
                verdict.decision.rawValue, verdict.kind.rawValue, sql(verdict.created), entry.sequence,
            ])
        for (position, suite) in verdict.suites.enumerated() {
            try insert(suite, position, verdict.digest, db)
        }
        guard entry.kind == .verdict, let status = verdict.decision.status else { return }
        // What has served keeps the word under which it did.
        guard try !wasMain(verdict.candidate, db) else { return }
        try db.execute(
            sql: "UPDATE checkpoint SET status = ? WHERE digest = ?",
            arguments: [status.rawValue, verdict.candidate.hex])
    }

    private static func insert(_ suite: VerdictSuite, _ position: Int, _ verdict: Digest, _ db: Database)
        throws
    {
        try db.execute(
            sql: """
                INSERT INTO verdict_suite
                    (verdict, position, name, suite, role, anchor, state, difference, lower, upper, margin, alpha,
                     attempt, count, candidate_score, anchor_score, lost, won, opening)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                verdict.hex, position, suite.name, suite.suite.hex, suite.role.rawValue, suite.anchor.hex,
                suite.state.rawValue, suite.difference, suite.lower, suite.upper, suite.margin, suite.alpha,
                suite.attempt, suite.count, suite.candidateScore, suite.anchorScore, suite.lost, suite.won,
                suite.opening,
            ])
        guard let attempt = suite.attempt else { return }
        // One verdict spends one attempt against a pair, also when the suite stands in it twice.
        try db.execute(
            sql: """
                INSERT INTO attempt (suite, anchor, number, verdict) VALUES (?, ?, ?, ?)
                ON CONFLICT (suite, anchor, verdict) DO NOTHING
                """,
            arguments: [suite.suite.hex, suite.anchor.hex, attempt, verdict.hex])
    }

    private static func applyMove(_ entry: JournalEntry, _ db: Database) throws {
        let body = try entry.body(as: MoveBody.self)
        try move(Reference.main, from: body.from, to: body.to, at: entry.time, db)
        // What has served before keeps the word under which it did; this entry's own row is in already.
        if entry.kind == .waiver, try moveCount(db, to: body.to) == 1 {
            try db.execute(
                sql: "UPDATE checkpoint SET status = 'waived' WHERE digest = ?", arguments: [body.to.hex])
        }
        guard let anchors = body.anchors else { return }
        try db.execute(sql: "DELETE FROM anchor WHERE line = ?", arguments: [body.to.hex])
        for item in anchors {
            try db.execute(
                sql: "INSERT INTO anchor (line, name, suite, anchor) VALUES (?, ?, ?, ?)",
                arguments: [body.to.hex, item.name, item.suite.hex, item.anchor.hex])
        }
    }

    /// Sets a reference that must not exist yet, or compares and swaps it.
    private static func move(
        _ name: String, from: Digest? = nil, to: Digest, at time: Timestamp, _ db: Database
    ) throws {
        if let from {
            try db.execute(
                sql: "UPDATE reference SET checkpoint = ?, updated = ? WHERE name = ? AND checkpoint = ?",
                arguments: [to.hex, sql(time), name, from.hex])
            guard db.changesCount == 1 else {
                throw PawlError(.conflict, "\(name) no longer points at \(from.short)")
            }
        } else {
            try db.execute(
                sql: "INSERT INTO reference (name, checkpoint, updated) VALUES (?, ?, ?)",
                arguments: [name, to.hex, sql(time)])
        }
    }
}

extension VerdictRecord.Decision {
    /// The status that it gives a candidate.
    var status: Checkpoint.Status? {
        switch self {
        case .accept: .accepted
        case .reject: .rejected
        case .inconclusive: .inconclusive
        case .none: nil
        }
    }
}
