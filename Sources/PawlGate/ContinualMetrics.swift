/// The figures by which continual learning is reported, over the tasks 1...T in the order in which they were learned.
///
/// With R[i, j] the score on task j after learning task i, and b_j the base's score on it:
///
/// - average accuracy: (1/T) sum_j R[T, j] (Lopez-Paz and Ranzato 2017, "Gradient episodic memory")
/// - backward transfer: (1/(T-1)) sum_{j<T} (R[T, j] - R[j, j]) (the same); below 0 is forgetting
/// - forward transfer: (1/(T-1)) sum_{j>1} (R[j-1, j] - b_j) (the same, with the base model in place of a random one)
/// - forgetting: (1/(T-1)) sum_{j<T} (max_{j<=l<T} R[l, j] - R[T, j]) (Chaudhry et al. 2018, "Riemannian walk")
///
/// A figure that needs a cell which was never measured is nil; nothing is carried forward.
public struct ContinualMetrics: Codable, Sendable, Hashable {
    /// Mean score over all tasks at the end.
    public let averageAccuracy: Double?
    /// What learning later tasks did to earlier ones; nil for fewer than two tasks.
    public let backwardTransfer: Double?
    /// What learning earlier tasks did to later ones; nil for fewer than two tasks.
    public let forwardTransfer: Double?
    /// How far each earlier task is below its best; nil for fewer than two tasks.
    public let forgetting: Double?

    private enum CodingKeys: String, CodingKey {
        case averageAccuracy = "average_accuracy", backwardTransfer = "backward_transfer"
        case forwardTransfer = "forward_transfer", forgetting
    }

    /// Computes the figures.
    ///
    /// - Parameters:
    ///   - scores: T rows of T; row i after learning task i, nil where nothing was measured.
    ///   - base: the base's score on each task.
    public init(scores: [[Double?]], base: [Double?]) {
        let count = scores.count
        precondition(base.count == count && scores.allSatisfy { $0.count == count })
        guard let last = scores.last else {
            averageAccuracy = nil
            backwardTransfer = nil
            forwardTransfer = nil
            forgetting = nil
            return
        }
        averageAccuracy = Self.mean(last)
        let earlier = 0..<(count - 1)
        backwardTransfer = Self.mean(earlier.map { Self.difference(last[$0], scores[$0][$0]) })
        forwardTransfer = Self.mean((1..<count).map { Self.difference(scores[$0 - 1][$0], base[$0]) })
        forgetting = Self.mean(
            earlier.map { task in
                let before = scores[task..<(count - 1)].map { $0[task] }
                guard !before.contains(where: { $0 == nil }) else { return nil }
                return Self.difference(before.compactMap(\.self).max(), last[task])
            })
    }

    private static func difference(_ a: Double?, _ b: Double?) -> Double? {
        guard let a, let b else { return nil }
        return a - b
    }

    /// Nil when a value is, and for none.
    private static func mean(_ values: [Double?]) -> Double? {
        let known = values.compactMap(\.self)
        guard !known.isEmpty, known.count == values.count else { return nil }
        return known.reduce(0, +) / Double(known.count)
    }
}
