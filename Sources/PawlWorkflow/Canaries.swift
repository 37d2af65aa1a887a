internal import PawlCore
internal import PawlGate
internal import PawlRegistry

extension Workflow {
    /// Asks every prior suite whether it can tell its anchor from a damaged model, before a candidate is trained or
    /// measured. Stored answers suffice, so it is asked every time.
    ///
    /// - Parameter plan: with frozen margins; the anchors have been measured.
    /// - Throws: `evidence_invalid` when a suite cannot, unless forced.
    func checkCanaries(_ plan: [JudgedSuite], engine: String, force: Bool) async throws {
        let priors = plan.filter { $0.role == .prior }
        let anchors = try await measure(
            priors.map { MeasurementTask(checkpoint: $0.anchor, suite: $0.suite) }, engine: engine)
        for (judged, measured) in zip(priors, anchors) {
            let suite = try load(judged.suite)
            let canary = try Canary(suite, try evidence(measured.record, suite), margin: judged.margin ?? 0)
            try heed(
                try selfComparison(judged, measured.record, suite) ?? canary.problem, of: suite.name,
                answersOf: "anchor \(judged.anchor.short)", force: force)
            if canary.problem == nil, canary.damagedState == .undecided {
                notice(
                    "  \(suite.name): even a model that lost everything would be inconclusive, not rejected; "
                        + "more items or a narrower margin would tell")
            }
        }
    }

    /// Refuses a gain that a candidate made without reading the question.
    func checkGain(_ report: VerdictReport, force: Bool) throws {
        for comparison in report.suites where comparison.role == .new {
            guard let canary = comparison.canary else { continue }
            try heed(
                canary.problem, of: comparison.suite, answersOf: "candidate \(report.candidate.short)",
                force: force)
        }
    }

    /// What is wrong with a suite on which an anchor's second run does not hold against its first, although equal answers
    /// would: then the engine's noise alone is as large as the margin.
    private func selfComparison(_ judged: JudgedSuite, _ record: EvaluationRecord, _ suite: Suite) throws
        -> String?
    {
        let alpha = suite.alpha(attempt: 1)
        guard let margin = judged.margin, let noise = try noise(of: record, on: suite), noise.isNoisy,
            Power.canHold(metric: suite.metric, count: suite.units, margin: margin, alpha: alpha)
        else { return nil }
        let itself = try SuiteComparison.prior(
            suite, candidate: evidence(at: noise.second, of: judged.anchor, suite), anchor: judged.anchor,
            anchorEvidence: evidence(at: noise.first, of: judged.anchor, suite), margin: margin, attempt: 1)
        guard itself.state != .held else { return nil }
        return
            "a second run does not hold against the first (\(noise.flips) flips of \(noise.count)): the engine's "
            + "noise is as large as the margin"
    }

    private func heed(_ problem: String?, of suite: String, answersOf who: String, force: Bool) throws {
        guard let problem else { return }
        let text = "suite \(suite), \(who): \(problem)"
        guard force else {
            throw PawlError(
                .evidenceInvalid, text,
                hint: "no verdict can rest on it: mend the suite (pawl suite check), take a better base, "
                    + "or go on with --force")
        }
        notice("  \(text); going on as told")
    }
}
