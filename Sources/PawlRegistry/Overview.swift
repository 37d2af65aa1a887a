internal import Foundation
internal import GRDB
internal import PawlCore

extension Registry {
    /// Scores of the checkpoints of main's line on the active suites; what was never measured stays blank.
    ///
    /// - Parameter includingCandidates: every checkpoint, also those beside the line.
    public func matrix(includingCandidates: Bool = false) throws -> Matrix {
        try read { db in
            let checkpoints =
                try includingCandidates
                ? Row.fetchAll(db, sql: "SELECT * FROM checkpoint ORDER BY sequence").map(Checkpoint.init)
                : Self.line(of: Self.main(db), db).reversed()
            let suites = try Self.activeSuites(db)
            var cells: [Matrix.Cell] = []
            for checkpoint in checkpoints {
                for suite in suites {
                    guard let found = try Self.latestEvaluation(suite.digest, of: checkpoint.digest, db) else { continue }
                    let judged = try Self.latestRow(suite.digest, on: checkpoint.digest, db)
                    let waiver = try Self.moves(db, to: checkpoint.digest).last { $0.kind == .waiver }
                    let isWaived = waiver.map { $0.sequence > (judged?.sequence ?? 0) } ?? false
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

    /// The registry at a glance.
    public func status() throws -> RegistryStatus {
        let unfinished = try unfinishedRegistrations()
        let lease = try leaseHolder()
        return try read { db in
            let main = try Self.reference(Reference.main, db)?.checkpoint
            var counts: [String: Int] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT status, count(*) AS n FROM checkpoint GROUP BY status") {
                counts[row["status"]] = row["n"]
            }
            var skills: [String: Int] = [:]
            for skill in try main.map({ try Self.skillStates(of: $0, db) }) ?? [] {
                skills[skill.state.rawValue, default: 0] += 1
            }
            return RegistryStatus(
                root: root.path, main: main, lineLength: try main.map { try Self.line(of: $0, db).count } ?? 0,
                checkpoints: counts, skills: skills,
                generalSuites: try Self.activeSuites(db).filter { $0.skill == nil }.count,
                entries: try Int.fetchOne(db, sql: "SELECT count(*) FROM journal") ?? 0,
                lastEntry: try Self.lastEntry(db), unfinished: unfinished, lease: lease)
        }
    }
}
