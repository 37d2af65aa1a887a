internal import GRDB
public import PawlCore
internal import PawlStore

extension Registry {
    /// Records evaluations that belong to no verdict.
    @discardableResult
    public func record(_ evaluations: [EvaluationRecord], documents: [Digest] = []) throws -> JournalEntry {
        guard let first = evaluations.first else {
            throw PawlError(.invalidArgument, "there are no evaluations to record")
        }
        return try commit { db in
            let records = try prepare(evaluations, db)
            let names = records.map(Digest.init)
            let body = EvaluationBody(
                evaluations: names, documents: documents + names + evaluations.map(\.evidence))
            let isOne = evaluations.allSatisfy { $0.checkpoint == first.checkpoint }
            return .write(
                Draft(
                    kind: .evaluation, checkpoint: isOne ? first.checkpoint : nil,
                    suite: evaluations.count == 1 ? first.suite : nil, body: body, newDocuments: records))
        }
    }

    /// Records the gate's verdict on a candidate, with the evaluations and attempts behind it.
    ///
    /// It sets the candidate's status; main does not move. Fails with `conflict` when the ledger of attempts
    /// has moved since the verdict was planned, `evidenceInvalid` when decision and suites contradict.
    @discardableResult
    public func recordVerdict(
        _ verdict: VerdictRecord, evaluations: [EvaluationRecord], documents: [Digest] = []
    ) throws -> JournalEntry {
        guard verdict.kind != .gateRun, verdict.decision != .none else {
            throw PawlError(
                .invalidArgument, "verdict \(verdict.digest.short) decides nothing about a candidate")
        }
        return try record(verdict, .verdict, evaluations, documents)
    }

    /// Records what a later look at a checkpoint found; changes neither its status nor main.
    @discardableResult
    public func recordGateRun(
        _ verdict: VerdictRecord, evaluations: [EvaluationRecord], documents: [Digest] = []
    ) throws -> JournalEntry {
        guard verdict.kind == .gateRun else {
            throw PawlError(.invalidArgument, "verdict \(verdict.digest.short) is no gate run")
        }
        return try record(verdict, .gateRun, evaluations, documents)
    }

    private func record(
        _ verdict: VerdictRecord, _ kind: JournalEntry.Kind, _ evaluations: [EvaluationRecord],
        _ documents: [Digest]
    ) throws -> JournalEntry {
        try checkConsistency(verdict)
        return try commit { db in
            if let known = try Self.entries(db, kind: kind, verdict: verdict.digest).last {
                return .done(known)
            }
            let candidate = try Self.checkpoint(verdict.candidate, db)
            for suite in verdict.suites {
                _ = try Self.suite(suite.suite, db)
                _ = try Self.checkpoint(suite.anchor, db)
                try checkAttempt(suite, db)
            }
            let records = try prepare(evaluations, db)
            let names = records.map(Digest.init)
            let body = VerdictBody(
                verdict: verdict, evaluations: names,
                documents: documents + names + evaluations.map(\.evidence) + [verdict.digest])
            return .write(
                Draft(
                    kind: kind, checkpoint: verdict.candidate, skill: candidate.acquisition?.skill,
                    verdict: verdict.digest, body: body, newDocuments: records))
        }
    }

    /// The documents of evaluations, checked against what the registry knows.
    private func prepare(_ evaluations: [EvaluationRecord], _ db: Database) throws -> [[UInt8]] {
        try evaluations.map { evaluation in
            _ = try Self.checkpoint(evaluation.checkpoint, db)
            _ = try Self.suite(evaluation.suite, db)
            let numbers = [evaluation.score, evaluation.lower, evaluation.upper]
            guard numbers.allSatisfy(\.isFinite), evaluation.lower <= evaluation.upper, evaluation.count > 0
            else {
                throw PawlError(
                    .evidenceInvalid,
                    "evaluation of \(evaluation.checkpoint.short) on suite \(evaluation.suite.short): score "
                        + "\(evaluation.score), interval \(evaluation.lower)...\(evaluation.upper), "
                        + "\(evaluation.count) items")
            }
            return try RecordDocument.evaluation.bytes(evaluation)
        }
    }

    /// The registry does not judge, but it refuses a decision that its own rows contradict.
    private func checkConsistency(_ verdict: VerdictRecord) throws {
        let name = "verdict \(verdict.digest.short)"
        for suite in verdict.suites {
            let numbers = [
                suite.difference, suite.lower, suite.upper, suite.margin, suite.alpha, suite.candidateScore,
                suite.anchorScore,
            ]
            guard numbers.allSatisfy(\.isFinite), suite.lower <= suite.upper, suite.count > 0 else {
                throw PawlError(
                    .evidenceInvalid, "\(name): suite \(suite.name) has figures that are no interval")
            }
            let fits = suite.role == .new || (suite.state != .gained && suite.state != .notGained)
            guard fits else {
                throw PawlError(
                    .evidenceInvalid, "\(name): suite \(suite.name) is prior and \(suite.state.rawValue)")
            }
        }
        let pairs = Set(verdict.suites.map { [$0.role.rawValue, $0.suite.hex] })
        guard pairs.count == verdict.suites.count else {
            throw PawlError(.evidenceInvalid, "\(name) holds a suite twice in the same role")
        }
        guard verdict.decision == .accept, verdict.kind != .gateRun else { return }
        if let bad = verdict.suites.first(where: { $0.state != .held && $0.state != .gained }) {
            throw PawlError(
                .evidenceInvalid, "\(name) accepts although suite \(bad.name) is \(bad.state.rawValue)")
        }
        if verdict.kind == .registration, !verdict.suites.contains(where: { $0.state == .gained }) {
            throw PawlError(.evidenceInvalid, "\(name) accepts although no skill was gained")
        }
    }

    /// Each attempt against a pair spends its own share of the error budget, so none may be judged as an
    /// earlier one.
    private func checkAttempt(_ suite: VerdictSuite, _ db: Database) throws {
        if let opening = suite.opening {
            let opened = try Self.openings(suite: suite.suite, anchor: suite.anchor, db)
            guard opening == opened + 1 else {
                throw PawlError(
                    .conflict,
                    "suite \(suite.name): its sealed items were judged as opening \(opening) against "
                        + "\(suite.anchor.short), but the ledger has \(opened)",
                    hint: "judge it again as opening \(opened + 1)")
            }
        }
        guard let attempt = suite.attempt else { return }
        let spent = try Self.attempts(suite: suite.suite, anchor: suite.anchor, db).count
        guard attempt == spent + 1 else {
            throw PawlError(
                .conflict,
                "suite \(suite.name): judged as attempt \(attempt) against \(suite.anchor.short), but the ledger has \(spent)",
                hint: "judge it again as attempt \(spent + 1)")
        }
    }
}
