internal import PawlCore

/// Whether a suite can tell an able checkpoint from a damaged one, asked before a verdict rests on it.
///
/// The damaged candidate gives the checkpoint's own answers to the wrong questions (``Suite/damaged(_:)``): a model that
/// does not read what it is asked. Computed from stored answers alone, so it costs no evaluation and is made for every
/// comparison; docs/decisions/0022-canaries.md says why the damage is done to answers and not to weights.
public struct Canary: Codable, Sendable, Hashable {
    /// The checkpoint's score.
    public let score: Double
    /// Score of the same answers to the wrong questions.
    public let damagedScore: Double
    /// Upper bound of the damaged candidate's change, at the alpha of a first attempt.
    public let damagedUpper: Double
    /// What the gate says of the damaged candidate.
    public let damagedState: SuiteState
    /// Number of different answers among those that were given.
    public let distinctAnswers: Int

    private enum CodingKeys: String, CodingKey {
        case score, damagedScore = "damaged_score", damagedUpper = "damaged_upper"
        case damagedState = "damaged_state", distinctAnswers = "distinct_answers"
    }

    /// Judges the damaged checkpoint against itself.
    ///
    /// - Parameter margin: of the suite; 0 for a new skill, whose suite nothing holds yet.
    public init(_ suite: Suite, _ evidence: Evidence, margin: Double) throws {
        let damaged = try suite.damaged(evidence)
        let bounds = try suite.bounds(
            candidate: damaged, anchor: evidence, alpha: AlphaSpending.alpha(attempt: 1))
        score = evidence.score
        damagedScore = damaged.score
        damagedUpper = bounds.upper
        damagedState = SuiteComparison.state(.prior, lower: bounds.lower, upper: bounds.upper, margin: margin)
        distinctAnswers = Set(evidence.results.compactMap(\.givenAnswer)).count
    }

    /// Why no verdict can rest on these answers; nil when one can.
    ///
    /// A damaged candidate that is merely undecided is no reason: it is not accepted, and a suite on which the anchor has
    /// a low score could never do better. One that is not *shown* to be worse is: then the anchor's score is that of
    /// answers given without reading the question. So is one that would be accepted.
    public var problem: String? {
        if distinctAnswers <= 1, score > 0 {
            return "every answer is the same one, so the score of \(percent(score)) says nothing"
        }
        if damagedUpper >= 0 {
            return
                "the score of \(percent(score)) is not above chance: the same answers to the wrong questions score "
                + percent(damagedScore)
        }
        if damagedState == .held {
            return "a model that answers without reading the question (\(percent(damagedScore)) against "
                + "\(percent(score))) would be accepted: the margin is wider than what there is to lose"
        }
        return nil
    }
}

extension ItemResult {
    /// What was answered, in a form that can be compared; nil when there was no answer.
    fileprivate var givenAnswer: String? { response ?? chosen.map { "choice \($0)" } }
}

extension ItemResult {
    /// The same item with the score of an answer that was given without reading the question.
    fileprivate var blinded: ItemResult {
        ItemResult(
            id: id, item: item, cluster: cluster, score: blind ?? 0, response: response, status: status,
            error: error, blind: blind, prompt: prompt)
    }
}

extension Suite {
    /// The answers of a model that does not read the question: each item gets the answer that was given to the next one
    /// in the order of the item digests (which is as good as random and needs no random numbers), graded anew.
    ///
    /// An item that asks for a form alone (a pattern, no target) would accept another item's answer as well; it gets its
    /// own, backwards. A choice that the item does not have is counted on from its first. Where an engine scores, it has said
    /// what such an answer would have scored (``EngineScore/blind``), since no one else can grade it.
    public func damaged(_ evidence: Evidence) throws -> Evidence {
        let byDigest = Dictionary(uniqueKeysWithValues: items.map { ($0.digest, $0) })
        let results = evidence.results
        guard manifest.grader.engine == nil else { return try Evidence(results.map(\.blinded)) }
        let moved = try results.indices.map { index in
            let mine = results[index]
            guard let item = byDigest[mine.item] else {
                throw PawlError(
                    .evidenceInvalid,
                    "suite \(name) \(version): item \"\(mine.id)\" of the evidence is not in it")
            }
            return Damaged(item: item, own: mine, other: results[(index + 1) % results.count])
        }
        let scores = try scores(moved.compactMap { part in part.text.map { (part.item, $0) } })
        return try Evidence(moved.map { $0.result(scores) })
    }

    /// An item with an answer that was not given to it.
    private struct Damaged {
        let item: SuiteItem
        let own: ItemResult
        let other: ItemResult

        var isFormOnly: Bool { item.targets.isEmpty && item.choices.isEmpty }
        var source: ItemResult { isFormOnly ? own : other }

        /// The response to grade; nil where there is none.
        var text: String? {
            guard source.status == .ok, item.choices.isEmpty, let response = source.response else {
                return nil
            }
            return isFormOnly ? String(response.reversed()) : response
        }

        func result(_ scores: [Digest: Double]) -> ItemResult {
            let choice = item.choices.isEmpty ? nil : source.chosen.map { $0 % item.choices.count }
            let score = choice.map { $0 == item.answer ? 1 : 0 } ?? scores[item.digest] ?? 0
            return ItemResult(
                id: own.id, item: own.item, cluster: own.cluster,
                score: text == nil && choice == nil ? 0 : score,
                response: text, chosen: choice, status: source.status)
        }
    }

    /// The gate's bounds of candidate minus anchor, each at `alpha`; both evidences cover the same items.
    func bounds(candidate: Evidence, anchor: Evidence, alpha: Double) throws -> Bounds {
        try SuiteComparison.bounds(candidate, anchor, metric, alpha: alpha)
    }
}
