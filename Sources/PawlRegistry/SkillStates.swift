internal import GRDB
public import PawlCore

extension Registry {
    /// The skills that a checkpoint's line acquired and how well this checkpoint holds them, oldest first.
    ///
    /// The state comes from the latest verdict or gate run on this very checkpoint. A suite that was not shown
    /// to hold counts as waived once a waiver made the checkpoint main, unless it was shown to have regressed.
    public func skills(of checkpoint: Digest) throws -> [SkillState] {
        try read { try Self.skillStates(of: checkpoint, $0) }
    }

    /// The same for the general suites in force.
    public func generalSuites(of checkpoint: Digest) throws -> [SkillState] {
        try read { db in
            let anchors = try Self.anchors(at: checkpoint, db)
            return try anchors.compactMap { anchor in
                let suite = try Self.suite(anchor.suite, db)
                guard suite.skill == nil else { return nil }
                return try Self.state(of: suite, on: checkpoint, anchor: anchor.anchor, isWaivable: false, db)
            }
        }
    }

    static func skillStates(of checkpoint: Digest, _ db: Database) throws -> [SkillState] {
        let anchors = try anchors(at: checkpoint, db)
        // A later acquisition of the same skill takes the earlier one's place.
        var latest: [String: Checkpoint] = [:]
        var order: [String] = []
        for member in try line(of: checkpoint, db).reversed() {
            guard let skill = member.acquisition?.skill else { continue }
            order.removeAll { $0 == skill }
            order.append(skill)
            latest[skill] = member
        }
        return try order.compactMap { name in
            guard let member = latest[name], let acquisition = member.acquisition,
                let suite = try acquiredSuite(of: member, db)
            else { return nil }
            let anchor = anchors.first { $0.suite == suite.digest }?.anchor
            var state = try state(
                of: suite, on: checkpoint, anchor: anchor, isWaivable: member.digest == checkpoint, db)
            state.skill = name
            state.version = acquisition.version
            state.acquired = member.digest
            return state
        }
    }

    /// - Parameter isWaivable: an unmeasured suite is waived rather than unmeasured: its own skill, which a waiver
    ///   took in.
    private static func state(
        of suite: SuiteRecord, on checkpoint: Digest, anchor: Digest?, isWaivable: Bool, _ db: Database
    ) throws -> SkillState {
        let judged = try latestRow(suite.digest, on: checkpoint, db)
        let isWaived = try isWaived(checkpoint, after: judged, db)
        let measured = try latestEvaluation(suite.digest, of: checkpoint, db)
        let holdState: HoldState
        if let judged {
            holdState = judged.row.state.holdState(isWaived: isWaived)
        } else {
            holdState = isWaived && isWaivable ? .waived : .unmeasured
        }
        return SkillState(
            skill: nil, version: suite.version, suiteName: suite.name, suite: suite.digest, state: holdState,
            score: measured?.score ?? judged?.row.candidateScore, scoreLower: measured?.lower,
            scoreUpper: measured?.upper, difference: judged?.row.difference, lower: judged?.row.lower,
            upper: judged?.row.upper, margin: judged?.row.margin, anchor: judged?.row.anchor ?? anchor,
            acquired: nil,
            certified: holdState == .held ? judged?.created : nil, verdict: judged?.verdict)
    }

    /// True when a waiver made the checkpoint main after it was judged, or without its being judged.
    static func isWaived(_ checkpoint: Digest, after judged: JudgedRow?, _ db: Database) throws -> Bool {
        try waiver(db, of: checkpoint).map { $0 > (judged?.sequence ?? 0) } ?? false
    }

    /// A row of a verdict with what is needed of the verdict.
    struct JudgedRow {
        var row: VerdictSuite
        var verdict: Digest
        var created: Timestamp
        var sequence: Int
    }

    /// What the latest verdict that judged a suite on this checkpoint says of it. Where it judged the suite as new
    /// and as prior (a skill learned again), the new role is the one that the checkpoint was made for.
    static func latestRow(_ suite: Digest, on checkpoint: Digest, _ db: Database) throws -> JudgedRow? {
        try Row.fetchOne(
            db,
            sql: """
                SELECT verdict_suite.*, verdict.created, verdict.sequence
                FROM verdict_suite JOIN verdict ON verdict.digest = verdict_suite.verdict
                WHERE verdict.candidate = ? AND suite = ?
                ORDER BY verdict.sequence DESC, role = 'new' DESC LIMIT 1
                """,
            arguments: [checkpoint.hex, suite.hex]
        ).map { row in
            JudgedRow(
                row: try VerdictSuite(row), verdict: try row.digest("verdict"),
                created: try row.timestamp("created"),
                sequence: row["sequence"])
        }
    }

    static func latestEvaluation(
        _ suite: Digest, of checkpoint: Digest, _ db: Database
    ) throws -> EvaluationRecord? {
        try Row.fetchOne(
            db,
            sql: """
                SELECT * FROM evaluation WHERE checkpoint = ? AND suite = ?
                ORDER BY sequence DESC, created DESC, settings LIMIT 1
                """,
            arguments: [checkpoint.hex, suite.hex]
        ).map(EvaluationRecord.init)
    }
}

extension VerdictSuite.State {
    func holdState(isWaived: Bool) -> HoldState {
        switch self {
        case .held, .gained: .held
        case .regressed: .regressed
        case .undecided, .notGained: isWaived ? .waived : .undecided
        }
    }
}
