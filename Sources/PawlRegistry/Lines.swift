internal import GRDB
public import PawlCore

extension Registry {
    /// A checkpoint and its ancestors: itself first, the base last.
    public func line(of checkpoint: Digest) throws -> [Checkpoint] {
        try read { try Self.line(of: checkpoint, $0) }
    }

    /// True when the checkpoint is or has been `main`.
    public func wasMain(_ checkpoint: Digest) throws -> Bool { try read { try Self.wasMain(checkpoint, $0) } }

    /// Checkpoints that have been main and are not now, latest first.
    public func formerMains() throws -> [Digest] {
        try read { db in
            let main = try Self.main(db)
            let moves = try Row.fetchAll(
                db,
                sql: """
                    SELECT checkpoint, max(sequence) AS latest FROM journal
                    WHERE kind IN ('init', 'promotion', 'waiver', 'rollback')
                    GROUP BY checkpoint ORDER BY latest DESC
                    """)
            return try moves.map { try $0.digest("checkpoint") }.filter { $0 != main }
        }
    }

    /// The last main of main's line before a skill was acquired: where `rollback --skill` goes.
    public func beforeAcquiring(skill: String) throws -> Digest {
        try read { db in
            let line = try Self.line(of: Self.main(db), db)
            guard let first = line.lastIndex(where: { $0.acquisition?.skill == skill }) else {
                let names = Set(line.compactMap { $0.acquisition?.skill }).sorted()
                throw PawlError(
                    .notFound, "main's line never acquired the skill \(skill)",
                    hint: names.isEmpty
                        ? "it has acquired none" : "it has acquired \(names.joined(separator: ", "))")
            }
            for checkpoint in line.dropFirst(first + 1) where try Self.wasMain(checkpoint.digest, db) {
                return checkpoint.digest
            }
            throw PawlError(.notFound, "no checkpoint before skill \(skill) has been main")
        }
    }

    /// Skills that a move from one checkpoint to another gives up, oldest first.
    public func givenUp(from: Digest, to: Digest) throws -> [Acquisition] {
        try read { try Self.givenUp(from: from, to: to, $0) }
    }

    /// The anchors in force on the line that ends in a checkpoint, by suite name: the prior suites of the next verdict.
    ///
    /// A general suite is in force in its active version whenever it was added; where the line has no anchor
    /// for that version it is the base.
    public func anchors(at checkpoint: Digest) throws -> [Anchor] {
        try read { try Self.anchors(at: checkpoint, $0) }
    }

    static func line(of checkpoint: Digest, _ db: Database) throws -> [Checkpoint] {
        // A parent is recorded before its child, so the walk ends; a damaged database must not make it endless.
        let rows = try Row.fetchAll(
            db,
            sql: """
                WITH RECURSIVE line (digest, depth) AS (
                    SELECT digest, 0 FROM checkpoint WHERE digest = ?
                    UNION
                    SELECT checkpoint.parent, depth + 1 FROM checkpoint JOIN line USING (digest)
                    WHERE checkpoint.parent IS NOT NULL AND depth < 100000
                )
                SELECT checkpoint.* FROM line JOIN checkpoint USING (digest) ORDER BY depth
                """,
            arguments: [checkpoint.hex])
        guard !rows.isEmpty else {
            throw PawlError(.notFound, "the registry has no checkpoint \(checkpoint.hex)")
        }
        return try rows.map(Checkpoint.init)
    }

    static func wasMain(_ checkpoint: Digest, _ db: Database) throws -> Bool {
        try moveCount(db, to: checkpoint) > 0
    }

    static func givenUp(from: Digest, to: Digest, _ db: Database) throws -> [Acquisition] {
        let kept = Set(try line(of: to, db).compactMap { $0.acquisition?.skill })
        var seen = Set<String>()
        return try line(of: from, db).reversed().compactMap(\.acquisition)
            .filter { !kept.contains($0.skill) && seen.insert($0.skill).inserted }
    }

    static func anchors(at checkpoint: Digest, _ db: Database) throws -> [Anchor] {
        let line = try line(of: checkpoint, db)
        var inForce: [String: (suite: Digest, anchor: Digest)] = [:]
        // The rows of the nearest main, then what the checkpoints after it acquired.
        let nearest = try line.firstIndex { try wasMain($0.digest, db) } ?? line.count - 1
        let rows = try Row.fetchAll(
            db, sql: "SELECT * FROM anchor WHERE line = ?", arguments: [line[nearest].digest.hex])
        for anchor in try rows.map(Anchor.init) { inForce[anchor.name] = (anchor.suite, anchor.anchor) }
        for later in line.prefix(nearest).reversed() {
            if let suite = try acquiredSuite(of: later, db), inForce[suite.name]?.suite != suite.digest {
                inForce[suite.name] = (suite.digest, later.digest)
            }
        }
        let base = line[line.count - 1].digest
        for suite in try activeSuites(db)
        where suite.skill == nil && inForce[suite.name]?.suite != suite.digest {
            inForce[suite.name] = (suite.digest, base)
        }
        return inForce.sorted { $0.key < $1.key }
            .map { Anchor(line: checkpoint, name: $0.key, suite: $0.value.suite, anchor: $0.value.anchor) }
    }

    /// The suite of the skill that a checkpoint acquired.
    static func acquiredSuite(of checkpoint: Checkpoint, _ db: Database) throws -> SuiteRecord? {
        guard let acquisition = checkpoint.acquisition, let skill = try skill(digest: acquisition.digest, db)
        else {
            return nil
        }
        return try suite(skill.suite, db)
    }
}
