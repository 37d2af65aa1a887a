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
            try heed(canary, of: suite.name, answersOf: "anchor \(judged.anchor.short)", force: force)
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
                canary, of: comparison.suite, answersOf: "candidate \(report.candidate.short)", force: force)
        }
    }

    private func heed(_ canary: Canary, of suite: String, answersOf who: String, force: Bool) throws {
        guard let problem = canary.problem else { return }
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
