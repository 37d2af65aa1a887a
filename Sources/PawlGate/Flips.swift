public import PawlCore

/// An item on which candidate and anchor differ, with both answers.
public struct Flip: Codable, Sendable, Hashable {
    /// Name of the item.
    public let id: String
    /// Content digest of the item.
    public let item: Digest
    /// The cluster it belongs to.
    public let cluster: String?
    /// What was asked: the last user turn, or the raw prompt.
    public let question: String
    /// What counts as right.
    public let targets: [String]
    /// What the anchor answered.
    public let anchor: Answer
    /// What the candidate answered.
    public let candidate: Answer

    /// One side's answer.
    public struct Answer: Codable, Sendable, Hashable {
        /// The response or the chosen choice; nil when there was no answer.
        public let text: String?
        /// What it is worth, 0...1.
        public let score: Double
        /// Whether it could be graded.
        public let status: ItemResult.Status
        /// Why there is none, in the engine's words.
        public let error: String?
    }

    /// True when the candidate is better on it.
    public var isWon: Bool { candidate.score > anchor.score }
}

extension Suite {
    /// The items whose score differs, in the order of the suite; both evidences must cover its items.
    public func flips(candidate: Evidence, anchor: Evidence) throws -> [Flip] {
        let pairs = try candidate.paired(with: anchor)
        let byItem = Dictionary(uniqueKeysWithValues: pairs.map { ($0.0.item, $0) })
        return try items.compactMap { item in
            guard let (mine, theirs) = byItem[item.digest] else {
                throw PawlError(
                    .evidenceInvalid,
                    "suite \(name) \(version): item \"\(item.id)\" is not in the evidence")
            }
            guard mine.score != theirs.score else { return nil }
            return Flip(
                id: item.id, item: item.digest, cluster: item.cluster,
                question: item.input.messages.last?.content ?? "",
                targets: item.answer.map { [item.choices[$0]] } ?? item.targets,
                anchor: answer(theirs, item), candidate: answer(mine, item))
        }
    }

    private func answer(_ result: ItemResult, _ item: SuiteItem) -> Flip.Answer {
        let choice = result.chosen.flatMap { item.choices.indices.contains($0) ? item.choices[$0] : nil }
        return Flip.Answer(
            text: result.response ?? choice, score: result.score, status: result.status, error: result.error)
    }
}
