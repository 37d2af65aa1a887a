public import PawlCore
public import PawlGate
internal import PawlRegistry

/// What a gate run found.
public struct GateRunReport: Codable, Sendable {
    /// The verdict's digest.
    public var verdictDigest: Digest
    /// The verdict with its figures.
    public var verdict: VerdictReport
    /// True when this verdict allows `pawl promote`.
    public var isPromotable: Bool
    /// The rollback that would cure a REJECT of main; nil where none is needed, or none is known.
    public var cure: Cure?

    private enum CodingKeys: String, CodingKey {
        case verdict, cure
        case verdictDigest = "verdict_digest"
        case isPromotable = "promotable"
    }
}

extension Workflow {
    /// Runs the gate on a checkpoint.
    ///
    /// On a candidate without a verdict (an import) this is its verdict. On a checkpoint that is or was `main`
    /// it certifies anew what the checkpoint holds, against the anchors in force on its line, and moves nothing.
    ///
    /// - Parameters:
    ///   - suites: names of the suites to run; nil for all that guard the line. A verdict that allows a promotion
    ///     always takes all.
    ///   - force: go on where a canary says that a suite cannot tell a good model from a bad one.
    public func gateRun(
        _ checkpoint: Digest, suites names: [String]?, engine: String, force: Bool = false
    ) async throws -> GateRunReport {
        let record = try registry.checkpoint(checkpoint)
        let lease = try registry.acquireLease("gate run \(checkpoint.short)")
        defer { lease.release() }
        // A registration's candidate has its own way to a verdict, which asks for a gain too; here it is only certified.
        let isJudgeable = try record.origin == .import && !registry.wasMain(checkpoint)
        let line = try registry.wasMain(checkpoint) ? checkpoint : record.parent ?? checkpoint
        var plan = try priorSuites(of: line)
        if let names {
            for name in names where !plan.contains(where: { $0.suite.name == name }) {
                throw PawlError(
                    .notFound, "no suite \"\(name)\" guards checkpoint \(checkpoint.short)",
                    hint: "suites: \(plan.map(\.suite.name).joined(separator: ", "))")
            }
            plan = plan.filter { names.contains($0.suite.name) }
        }
        guard !plan.isEmpty else {
            throw PawlError(
                .invalidArgument, "no suite guards checkpoint \(checkpoint.short)", hint: "pawl suite add DIR"
            )
        }
        let isVerdict = isJudgeable && names == nil
        plan = try freezeMargins(plan, isAttempt: isVerdict, force: true)
        try await measureNoise(plan, engine: engine)
        try await checkCanaries(plan, engine: engine, force: force)
        let judgement = try await judge(
            checkpoint, parent: record.parent, plan: plan, kind: isVerdict ? .importation : .gateRun,
            engine: engine)
        try lease.confirm()
        let digest = try self.record(judgement, registration: nil)
        return GateRunReport(
            verdictDigest: digest, verdict: judgement.report,
            isPromotable: isVerdict && judgement.report.decision == .accept,
            cure: try cure(judgement.report, plan: plan))
    }
}
