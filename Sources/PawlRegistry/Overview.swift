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
            var cells: [Matrix.Cell] = []
            for checkpoint in checkpoints {
                for suite in suites {
                    guard let found = try Self.latestEvaluation(suite.digest, of: checkpoint.digest, db)
                    else { continue }
                    let judged = try Self.latestRow(suite.digest, on: checkpoint.digest, db)
                    let isWaived = try Self.isWaived(checkpoint.digest, after: judged, db)
                    cells.append(
                        Matrix.Cell(
                            checkpoint: checkpoint.digest, suite: suite.digest, score: found.score,
                            lower: found.lower, upper: found.upper, count: found.count,
                            state: judged?.row.state.holdState(isWaived: isWaived)))
                }
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
