public import PawlCore
public import PawlGate
internal import PawlRegistry
internal import PawlStore

/// A verdict computed again from what it rests on.
public struct ReplayReport: Codable, Sendable {
    /// The verdicts, in the order of the journal.
    public var verdicts: [Entry]

    /// One verdict.
    public struct Entry: Codable, Sendable {
        /// The verdict.
        public var verdict: Digest
        /// What it says.
        public var decision: Verdict.Decision
        /// The checkpoint that it judges.
        public var candidate: Digest
        /// Names of the suites that were compared again.
        public var suites: [String]
        /// True when the same bytes came out.
        public var isIdentical: Bool
        /// What is wrong otherwise.
        public var problem: String?

        private enum CodingKeys: String, CodingKey {
            case verdict, decision, candidate, suites, problem, isIdentical = "identical"
        }
    }

    /// True when every verdict came out as it was recorded.
    public var isIdentical: Bool { verdicts.allSatisfy(\.isIdentical) }
}

/// What a verdict rests on, item by item.
public struct ExplainReport: Codable, Sendable {
    /// The verdict.
    public var verdict: Digest
    /// What it says.
    public var decision: Verdict.Decision
    /// The checkpoint that it judges.
    public var candidate: Digest
    /// The suites, the new skill's first.
    public var suites: [Part]

    /// One suite.
    public struct Part: Codable, Sendable {
        /// The comparison.
        public var comparison: SuiteComparison
        /// What it showed, in a sentence.
        public var sentence: String
        /// The items whose score differs.
        public var flips: [Flip]
    }
}

extension Workflow {
    /// Computes recorded verdicts again from stored suites and answers alone: every answer is graded once more, every
    /// bound computed once more, and the report must come out byte for byte.
    ///
    /// - Parameter verdicts: nil for all of the registry.
    public func replay(_ verdicts: [Digest]?) throws -> ReplayReport {
        let chosen = try verdicts ?? registry.allVerdicts()
        return ReplayReport(
            verdicts: try chosen.enumerated().map { index, digest in
                let entry = try replay(digest)
                progress(Progress("replay", Int64(index + 1), of: Int64(chosen.count), unit: "verdicts"))
                return entry
            })
    }

    private func replay(_ digest: Digest) throws -> ReplayReport.Entry {
        let report = try verdictReport(digest)
        var entry = ReplayReport.Entry(
            verdict: digest, decision: report.decision, candidate: report.candidate,
            suites: report.suites.map(\.suite), isIdentical: false, problem: nil)
        do {
            let suites = try report.suites.map { try replayed($0, isSealed: false) }
            let sealed = try (report.sealed ?? []).map { try replayed($0, isSealed: true) }
            let again = VerdictReport(
                kind: report.kind, candidate: report.candidate, parent: report.parent, skill: report.skill,
                suites: suites, sealed: sealed, created: report.created)
            entry.isIdentical = try JSON.canonical(again) == registry.store.document(digest)
            if !entry.isIdentical { entry.problem = "the figures come out differently" }
        } catch let error as PawlError where [.evidenceInvalid, .corrupt, .notFound].contains(error.code) {
            entry.problem = error.message
        }
        return entry
    }

    private func replayed(_ comparison: SuiteComparison, isSealed: Bool) throws -> SuiteComparison {
        let (suite, candidate, anchor) = try basis(of: comparison, isSealed: isSealed)
        try suite.check(candidate)
        try suite.check(anchor)
        let noise = try comparison.noise.map { noise in
            try Noise(
                evidence(at: noise.first, of: comparison.anchor, suite),
                evidence(at: noise.second, of: comparison.anchor, suite))
        }
        return try comparison.replayed(suite, candidate: candidate, anchorEvidence: anchor, noise: noise)
    }

    /// The flipped items of a verdict with both answers. Sealed items are not among them: whoever reads them trains to them.
    ///
    /// - Parameter names: suites to explain; nil for all.
    public func explain(_ verdict: Digest, suites names: [String]?) throws -> ExplainReport {
        let report = try verdictReport(verdict)
        for name in names ?? [] where !report.suites.contains(where: { $0.suite == name }) {
            throw PawlError(
                .notFound, "verdict \(verdict.short) has no suite \"\(name.escaped)\"",
                hint: "suites: \(report.suites.map(\.suite).joined(separator: ", "))")
        }
        return ExplainReport(
            verdict: verdict, decision: report.decision, candidate: report.candidate,
            suites: try report.suites.filter { names?.contains($0.suite) ?? true }.map { comparison in
                let (suite, candidate, anchor) = try basis(of: comparison, isSealed: false)
                return ExplainReport.Part(
                    comparison: comparison, sentence: comparison.sentence,
                    flips: try suite.flips(candidate: candidate, anchor: anchor))
            })
    }

    private func basis(of comparison: SuiteComparison, isSealed: Bool) throws -> (Suite, Evidence, Evidence) {
        func evidence(_ digest: Digest, _ of: String) throws -> Evidence {
            try Evidence(
                reading: registry.store.document(digest), source: "evidence of \(of) on \(comparison.suite)")
        }
        let whole = try load(try registry.suite(comparison.suiteDigest))
        return (
            try part(of: whole, comparison, isSealed: isSealed),
            try evidence(comparison.candidateEvidence, "the candidate"),
            try evidence(comparison.anchorEvidence, "anchor \(comparison.anchor.short)")
        )
    }

    private func part(of whole: Suite, _ comparison: SuiteComparison, isSealed: Bool) throws -> Suite {
        guard isSealed else { return comparison.look.map { whole.first($0.index) } ?? whole }
        guard let sealed = whole.sealed else {
            throw PawlError(.evidenceInvalid, "suite \(whole.name) \(whole.version) has no sealed items")
        }
        return sealed
    }
}
