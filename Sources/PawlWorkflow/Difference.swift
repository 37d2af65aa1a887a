public import PawlCore
internal import PawlRegistry
public import PawlStore

/// Two checkpoints side by side.
public struct CheckpointDifference: Codable, Sendable {
    /// The first checkpoint.
    public var from: Digest
    /// The second checkpoint.
    public var to: Digest
    /// Tensors and files that differ.
    public var tree: TreeDifference
    /// Elements of all tensors of the second, and how many of them differ.
    public var elements: Int
    /// Elements whose bits differ.
    public var changedElements: Int
    /// What each takes in the store.
    public var stored: [StoredSize]
    /// Suites that both were measured on.
    public var suites: [SuiteScores]

    /// A suite's scores on both.
    public struct SuiteScores: Codable, Sendable {
        /// Name of the suite.
        public var name: String
        /// Score of the first; nil when unmeasured.
        public var from: Double?
        /// Score of the second; nil when unmeasured.
        public var to: Double?
    }

    private enum CodingKeys: String, CodingKey {
        case from, to, tree, elements, stored, suites
        case changedElements = "changed_elements"
    }
}

extension Workflow {
    /// Compares two checkpoints: tensors, share of changed weights, stored bytes, suites.
    public func difference(from: Digest, to: Digest) throws -> CheckpointDifference {
        let tree = try registry.store.compare(from, to, progress: progress)
        let matrix = try registry.matrix(includingCandidates: true)
        let suites = matrix.suites.compactMap { suite -> CheckpointDifference.SuiteScores? in
            let scores = [matrix[from, suite.digest]?.score, matrix[to, suite.digest]?.score]
            guard scores.contains(where: { $0 != nil }) else { return nil }
            return .init(name: suite.name, from: scores[0], to: scores[1])
        }
        return CheckpointDifference(
            from: from, to: to, tree: tree, elements: try elements(of: to),
            changedElements: tree.tensors.reduce(0) { $0 + $1.changedElements },
            stored: [try registry.store.storedSize(of: from), try registry.store.storedSize(of: to)],
            suites: suites)
    }

    private func elements(of checkpoint: Digest) throws -> Int {
        try registry.store.tree(checkpoint).entries.reduce(0) { sum, entry in
            guard case .safetensors(_, _, let tensors) = entry.content else { return sum }
            return sum + tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
        }
    }
}
