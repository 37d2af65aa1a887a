internal import PawlCore
public import PawlGate
internal import PawlRegistry

/// What a line learned and kept, in the figures of continual learning.
public struct TransferReport: Codable, Sendable {
    /// The skills in the order in which main's line acquired them.
    public var skills: [String]
    /// The figures over the skills' suites.
    public var metrics: ContinualMetrics
    /// Change of each general suite since the base; missing where the base or main was not measured.
    public var general: [Delta]
    /// Cells that a figure needs and nobody measured, as "checkpoint suite".
    public var unmeasured: [String]

    /// How a general suite changed.
    public struct Delta: Codable, Sendable {
        /// The suite.
        public var suite: String
        /// Main's score less the base's.
        public var change: Double
    }
}

extension Workflow {
    /// The figures of continual learning on main's line: task i is the i-th skill it acquired, measured by that skill's
    /// suite. A skill that was acquired again counts where it was acquired last.
    public func transfer() throws -> TransferReport {
        let matrix = try registry.matrix()
        guard let base = matrix.checkpoints.first, let main = matrix.checkpoints.last else {
            throw PawlError(.notFound, "the registry has no main yet", hint: "pawl init --base DIR")
        }
        let tasks = matrix.checkpoints.enumerated().compactMap { index, checkpoint -> Task? in
            guard let skill = checkpoint.acquisition?.skill,
                !matrix.checkpoints[(index + 1)...].contains(where: { $0.acquisition?.skill == skill }),
                let suite = matrix.suites.first(where: { $0.skill == skill })
            else { return nil }
            return Task(skill: skill, suite: suite, checkpoint: checkpoint)
        }
        func score(_ checkpoint: Checkpoint, _ suite: SuiteRecord) -> Double? {
            matrix[checkpoint.digest, suite.digest]?.score
        }
        let scores = tasks.map { row in tasks.map { score(row.checkpoint, $0.suite) } }
        let general = matrix.suites.filter { $0.skill == nil }.compactMap { suite in
            score(main, suite).flatMap { now in
                score(base, suite).map { TransferReport.Delta(suite: suite.name, change: now - $0) }
            }
        }
        return TransferReport(
            skills: tasks.map(\.skill),
            metrics: ContinualMetrics(scores: scores, base: tasks.map { score(base, $0.suite) }),
            general: general,
            unmeasured: zip(tasks, scores).enumerated().flatMap { row, cells in
                tasks.indices.filter { cells.1[$0] == nil && $0 <= row + 1 }
                    .map { "\(cells.0.checkpoint.digest.short) \(tasks[$0].suite.name)" }
            })
    }

    private struct Task {
        let skill: String
        let suite: SuiteRecord
        let checkpoint: Checkpoint
    }
}
