internal import Foundation
internal import GRDB
internal import PawlCore

extension Registry {
    /// Scores of the checkpoints of main's line on the suites in force and on the active ones of other names; what
    /// was never measured stays blank.
    ///
    /// - Parameter includingCandidates: every checkpoint, also those beside the line.
    public func matrix(includingCandidates: Bool = false) throws -> Matrix {
        try read { db in
            let main = try Self.main(db)
            let checkpoints =
                try includingCandidates
                ? Row.fetchAll(db, sql: "SELECT * FROM checkpoint ORDER BY sequence").map(Checkpoint.init)
                : Self.line(of: main, db).reversed()
            let suites = try Self.columns(main, db)
            let found = try MatrixRows(db)
            let cells = checkpoints.flatMap { checkpoint in
                suites.compactMap { found.cell(checkpoint.digest, $0.digest) }
            }
            return Matrix(checkpoints: checkpoints, suites: suites, cells: cells)
        }
    }

    /// One suite a name. A newer version that came with an attempt which failed is active and not in force:
    /// it must not hide what the line was measured by.
    private static func columns(_ main: Digest, _ db: Database) throws -> [SuiteRecord] {
        let inForce = try anchors(at: main, db)
        return try activeSuites(db).map { active in
            guard let anchor = inForce.first(where: { $0.name == active.name }) else { return active }
            return try suite(anchor.suite, db)
        }
    }

    /// The registry at a glance.
    public func status() throws -> RegistryStatus {
        let unfinished = try unfinishedRegistrations()
        let lease = try leaseHolder()
        return try read { db in
            let main = try Self.reference(Reference.main, db)?.checkpoint
            var counts: [String: Int] = [:]
            for row in try Row.fetchAll(
                db, sql: "SELECT status, count(*) AS n FROM checkpoint GROUP BY status")
            {
                counts[row["status"]] = row["n"]
            }
            var skills: [String: Int] = [:]
            for skill in try main.map({ try Self.skillStates(of: $0, db) }) ?? [] {
                skills[skill.state.rawValue, default: 0] += 1
            }
            return RegistryStatus(
                root: root.path, main: main,
                lineLength: try main.map { try Self.line(of: $0, db).count } ?? 0,
                checkpoints: counts, skills: skills,
                generalSuites: try Self.activeSuites(db).filter { $0.skill == nil }.count,
                entries: try Int.fetchOne(db, sql: "SELECT count(*) FROM journal") ?? 0,
                lastEntry: try Self.lastEntry(db), unfinished: unfinished, lease: lease)
        }
    }
}

/// What every cell of a matrix is made of, read at once: a query for each cell would be thousands.
private struct MatrixRows {
    private struct Place: Hashable {
        var checkpoint: Digest
        var suite: Digest
    }

    private var evaluations: [Place: EvaluationRecord] = [:]
    private var judged: [Place: (state: VerdictSuite.State, sequence: Int)] = [:]
    private var waivers: [Digest: Int] = [:]

    init(_ db: Database) throws {
        // The newest first, in the order of `latestEvaluation`, so the first of a place is the one that counts.
        let evaluations = try Row.fetchCursor(
            db, sql: "SELECT * FROM evaluation ORDER BY sequence DESC, created DESC, settings")
        while let row = try evaluations.next() {
            let place = Place(checkpoint: try row.digest("checkpoint"), suite: try row.digest("suite"))
            if self.evaluations[place] == nil { self.evaluations[place] = try EvaluationRecord(row) }
        }
        // The same for `latestRow`.
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT verdict_suite.*, verdict.candidate AS candidate, verdict.sequence AS sequence
                FROM verdict_suite JOIN verdict ON verdict.digest = verdict_suite.verdict
                ORDER BY verdict.sequence DESC, role = 'new' DESC
                """)
        while let row = try rows.next() {
            let place = Place(checkpoint: try row.digest("candidate"), suite: try row.digest("suite"))
            if judged[place] == nil { judged[place] = (try VerdictSuite(row).state, row["sequence"]) }
        }
        let moves = try Row.fetchCursor(
            db,
            sql: """
                SELECT checkpoint, max(sequence) AS latest FROM journal WHERE kind = 'waiver' GROUP BY checkpoint
                """)
        while let row = try moves.next() { waivers[try row.digest("checkpoint")] = row["latest"] }
    }

    /// Nil for a cell that was never measured.
    func cell(_ checkpoint: Digest, _ suite: Digest) -> Matrix.Cell? {
        let place = Place(checkpoint: checkpoint, suite: suite)
        guard let found = evaluations[place] else { return nil }
        let row = judged[place]
        let isWaived = waivers[checkpoint].map { $0 > (row?.sequence ?? 0) } ?? false
        return Matrix.Cell(
            checkpoint: checkpoint, suite: suite, score: found.score, lower: found.lower, upper: found.upper,
            count: found.count, state: row?.state.holdState(isWaived: isWaived))
    }
}
