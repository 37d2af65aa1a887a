internal import Foundation
public import PawlCore
public import PawlGate
internal import PawlRegistry
internal import PawlStore

extension Workflow {
    /// A suite to judge by, and the checkpoint that the candidate is compared with.
    struct JudgedSuite: Codable, Hashable {
        var suite: SuiteRecord
        var anchor: Digest
        var role: SuiteRole
        /// The largest loss that counts as "no worse"; nil for the new skill, and before it is frozen.
        var margin: Double?
    }

    /// The suites that guard a checkpoint's line, each with the anchor in force.
    ///
    /// A skill that is learned again is among them: it must gain over its parent and hold against its anchor.
    func priorSuites(of checkpoint: Digest) throws -> [JudgedSuite] {
        try registry.anchors(at: checkpoint).map { anchor in
            JudgedSuite(suite: try registry.suite(anchor.suite), anchor: anchor.anchor, role: .prior)
        }
    }

    /// The plan with the margin of every prior suite. An automatic margin is the smallest that the suites can
    /// certify together at power 0.8 for the alpha of the coming attempt; one above 5 points is refused without force.
    func freezeMargins(_ plan: [JudgedSuite], isAttempt: Bool, force: Bool) throws -> [JudgedSuite] {
        let priors = plan.count { $0.role == .prior }
        return try plan.map { judged in
            var judged = judged
            if judged.role == .prior {
                judged.margin = try margin(
                    of: try priorPlan(judged, from: nil, among: priors, isAttempt: isAttempt), force: force)
            }
            return judged
        }
    }

    private func margin(of plan: PriorPlan, force: Bool) throws -> Double {
        guard !plan.isDeclared else { return plan.margin }
        guard plan.smallestMargin != nil else {
            throw PawlError(
                .unsupported, "suite \(plan.suite): \(plan.count) items are too few to certify any margin",
                hint: "give the suite more items, or declare a margin in suite.json")
        }
        guard plan.margin <= Self.largestAutomaticMargin || force else {
            throw PawlError(
                .unsupported,
                "suite \(plan.suite): with \(plan.count) items the smallest margin it can certify is "
                    + percent(plan.margin),
                hint: "give the suite more items, declare a margin in suite.json, or go on with --force")
        }
        return plan.margin
    }

    /// An automatic margin above this promises too little to be taken without asking.
    static let largestAutomaticMargin = 0.05

    /// The number of the coming attempt against a (suite, anchor) pair, 1 for the first.
    func nextAttempt(_ judged: JudgedSuite) throws -> Int {
        try registry.attempts(suite: judged.suite.digest, anchor: judged.anchor).count + 1
    }

    /// A verdict with the evidence it rests on.
    struct Judgement {
        var report: VerdictReport
        var evidence: [Digest]
    }

    /// Measures what is missing and compares the candidate with every anchor.
    ///
    /// - Parameter plan: with frozen margins.
    func judge(
        _ candidate: Digest, parent: Digest?, plan: [JudgedSuite], kind: VerdictReport.Kind,
        skill: VerdictReport.Skill? = nil, engine: String
    ) async throws -> Judgement {
        // The first look before the anchors, so that those that differ from themselves run beside the candidate.
        _ = try await measure(candidate, on: plan, look: 1, engine: engine)
        let anchors = try await anchorsBesideCandidate(plan, engine: engine)
        let (comparisons, measured) = try await compareByLooks(
            candidate, plan: plan, anchors: anchors, isAttempt: kind != .gateRun, engine: engine)
        let sealed =
            kind != .gateRun && Verdict.decide(comparisons) == .accept
            ? try await openSealed(candidate, plan: plan, engine: engine) : []
        return Judgement(
            report: VerdictReport(
                kind: kind, candidate: candidate, parent: parent, skill: skill, suites: comparisons,
                sealed: sealed, created: .now),
            evidence: (measured + anchors).map(\.record.evidence)
                + (comparisons + sealed).flatMap { [$0.candidateEvidence, $0.anchorEvidence] })
    }

    /// Compares two results.
    ///
    /// - Parameter look: the candidate was measured on the items of so many looks; nil for all items at once, whatever the
    ///   suite allows.
    func compare(
        _ judged: JudgedSuite, candidate: EvaluationRecord, anchor: EvaluationRecord, isAttempt: Bool,
        look: Int? = nil
    ) throws -> SuiteComparison {
        let whole = try load(judged.suite)
        let suite = look.map { whole.first(min($0, whole.looks)) } ?? whole
        let candidateEvidence = try evidence(candidate, suite)
        let anchorEvidence = try evidence(anchor, whole).restricted(to: suite)
        try registry.store.putDocument(anchorEvidence.bytes)
        let attempt = isAttempt ? try nextAttempt(judged) : 1
        switch judged.role {
        case .new:
            return try .new(
                suite, candidate: candidateEvidence, parent: judged.anchor, parentEvidence: anchorEvidence,
                attempt: attempt, settings: anchor.settings)
        case .prior:
            guard let margin = judged.margin else {
                throw PawlError(.internalError, "suite \(suite.name) has no frozen margin")
            }
            return try .prior(
                suite, candidate: candidateEvidence, anchor: judged.anchor, anchorEvidence: anchorEvidence,
                margin: margin, attempt: attempt, settings: anchor.settings,
                noise: try noise(of: anchor, on: suite))
        }
    }

    func evidence(_ record: EvaluationRecord, _ suite: Suite) throws -> Evidence {
        try evidence(at: record.evidence, of: record.checkpoint, suite)
    }

    /// Keeps a verdict's report in the store and records it; gives the verdict's digest.
    func record(_ judgement: Judgement, registration: String?) throws -> Digest {
        let report = judgement.report
        let bytes = try JSON.canonical(report)
        let digest = try registry.store.putDocument(bytes)
        let record = VerdictRecord(
            digest: digest, registration: registration, candidate: report.candidate, parent: report.parent,
            decision: report.recordDecision, kind: report.recordKind, created: report.created,
            suites: report.suites.map { comparison in
                VerdictSuite(
                    comparison,
                    sealed: report.sealed?.first {
                        $0.suiteDigest == comparison.suiteDigest && $0.role == comparison.role
                    }, isAttempt: report.kind != .gateRun)
            })
        let documents = [digest] + Set(judgement.evidence).sorted()
        if report.kind == .gateRun {
            try registry.recordGateRun(record, evaluations: [], documents: documents)
        } else {
            try registry.recordVerdict(record, evaluations: [], documents: documents)
        }
        return digest
    }

    /// The report of a recorded verdict.
    public func verdictReport(_ digest: Digest) throws -> VerdictReport {
        try JSON.decode(
            VerdictReport.self, from: registry.store.document(digest), source: "verdict \(digest.short)")
    }
}

extension VerdictReport {
    fileprivate var recordDecision: VerdictRecord.Decision {
        switch decision {
        case .accept: .accept
        case .reject: .reject
        case .inconclusive: .inconclusive
        }
    }

    fileprivate var recordKind: VerdictRecord.Kind {
        switch kind {
        case .registration: .registration
        case .gateRun: .gateRun
        case .importation: .import
        }
    }
}

extension VerdictSuite {
    /// The registry's row of a comparison; the registry knows no statistics, so it takes the figures as they are.
    ///
    /// Where the sealed items do not hold or gain what the open ones did, they are what the row tells.
    fileprivate init(_ open: SuiteComparison, sealed: SuiteComparison?, isAttempt: Bool) {
        let comparison = sealed.map { $0.state == open.state ? open : $0 } ?? open
        self.init(
            name: comparison.suite, suite: comparison.suiteDigest,
            role: comparison.role == .new ? .new : .prior,
            anchor: comparison.anchor, state: State(comparison.state), difference: comparison.difference,
            lower: comparison.lower, upper: comparison.upper, margin: comparison.margin,
            alpha: comparison.alpha,
            attempt: isAttempt ? open.attempt : nil, count: comparison.count,
            candidateScore: comparison.candidateScore, anchorScore: comparison.anchorScore,
            lost: comparison.b,
            won: comparison.c, opening: sealed?.attempt)
    }
}

extension VerdictSuite.State {
    fileprivate init(_ state: SuiteState) {
        switch state {
        case .held: self = .held
        case .regressed: self = .regressed
        case .undecided: self = .undecided
        case .gained: self = .gained
        case .notGained: self = .notGained
        }
    }
}
