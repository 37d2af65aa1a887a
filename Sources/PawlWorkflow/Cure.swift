public import PawlCore
internal import PawlGate
internal import PawlRegistry

/// The rollback that would win back what main does not hold, as far as stored results tell.
public struct Cure: Codable, Sendable, Hashable {
    /// The newest former main of the line that holds every regressed suite.
    public var checkpoint: Digest
    /// The suites that it holds and main does not.
    public var suites: [String]
    /// Former mains after it that lack a stored result: one of them may hold the suites too (`pawl bisect` measures them).
    public var unmeasured: Int
    /// Skills that the rollback gives up.
    public var givesUp: [String]

    private enum CodingKeys: String, CodingKey {
        case checkpoint, suites, unmeasured
        case givesUp = "gives_up"
    }
}

extension Workflow {
    /// Looks along main's line, the newest first, for a former main that holds what a verdict on main says has regressed.
    ///
    /// Compares stored results under the verdict's settings by the rule of ``bisect(_:good:bad:engine:)``; runs no engine.
    ///
    /// - Parameter plan: of the verdict, with frozen margins.
    /// - Returns: nil when nothing regressed, or no former main is known to hold it.
    func cure(_ report: VerdictReport, plan: [JudgedSuite]) throws -> Cure? {
        let main = report.candidate
        let lost = report.suites.filter { $0.state == .regressed }
        guard !lost.isEmpty, try registry.main() == main else { return nil }
        var unmeasured = 0
        for checkpoint in try registry.line(of: main).dropFirst()
        where try checkpoint.collected == nil && registry.wasMain(checkpoint.digest) {
            let holds = try lost.map { comparison in
                try plan.first { $0.suite.digest == comparison.suiteDigest }.flatMap {
                    try storedHold(of: checkpoint.digest, $0, settings: comparison.settings)
                }
            }
            if holds.allSatisfy({ $0 == true }) {
                return Cure(
                    checkpoint: checkpoint.digest, suites: lost.map(\.suite), unmeasured: unmeasured,
                    givesUp: try registry.givenUp(from: main, to: checkpoint.digest).map(\.skill))
            }
            if !holds.contains(false) { unmeasured += 1 }
        }
        return nil
    }

    /// Whether stored results show that a checkpoint holds a suite; nil where there are none. The anchor holds against
    /// itself, whatever its size can show.
    private func storedHold(of checkpoint: Digest, _ judged: JudgedSuite, settings: Digest?) throws -> Bool? {
        if checkpoint == judged.anchor { return true }
        guard let settings,
            let mine = try registry.evaluation(
                checkpoint: checkpoint, suite: judged.suite.digest, settings: settings),
            let anchor = try registry.evaluation(
                checkpoint: judged.anchor, suite: judged.suite.digest, settings: settings)
        else { return nil }
        return try compare(judged, candidate: mine, anchor: anchor, isAttempt: false).state == .held
    }
}
