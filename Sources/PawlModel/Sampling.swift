internal import Foundation

/// How the next token is chosen.
public struct Sampling: Sendable, Hashable {
    /// 0 takes the likeliest token.
    public var temperature: Double
    /// The smallest set of likeliest tokens that holds this much probability; 1: all.
    public var topP: Double
    /// So many likeliest tokens; 0: all.
    public var topK: Int

    public init(temperature: Double = 1, topP: Double = 1, topK: Int = 0) {
        self.temperature = temperature
        self.topP = topP
        self.topK = topK
    }

    /// The likeliest token, always.
    public static let greedy = Sampling(temperature: 0)
}

/// A token with how likely it was.
struct Choice {
    let token: Int32
    /// log softmax(logits / temperature) of the token, before anything was cut off; 0 when greedy.
    let logLikelihood: Double
}

extension Sampling {
    /// Draws from a row of V logits with the next number of `random`.
    func choose(_ logits: UnsafeBufferPointer<Float>, _ random: inout NamedRandom) -> Choice {
        var best = 0
        for index in logits.indices where logits[index] > logits[best] { best = index }
        guard temperature > 0 else { return Choice(token: Int32(best), logLikelihood: 0) }
        let peak = Double(logits[best])
        let weights = logits.map { exp((Double($0) - peak) / temperature) }
        let total = weights.reduce(0, +)
        let kept = cut(weights, total)
        var rest = random.uniform() * (kept.map { $0.reduce(0) { $0 + weights[$1] } } ?? total)
        func choice(_ index: Int) -> Choice {
            Choice(token: Int32(index), logLikelihood: log(weights[index] / total))
        }
        for index in kept ?? Array(weights.indices) {
            rest -= weights[index]
            if rest < 0 { return choice(index) }
        }
        return choice(kept?.last ?? best)
    }

    /// The tokens that top-k and top-p leave, likeliest first; nil for all.
    private func cut(_ weights: [Double], _ total: Double) -> [Int]? {
        guard topK > 0 || topP < 1 else { return nil }
        var order = weights.indices.sorted { (weights[$0], $1) > (weights[$1], $0) }
        if topK > 0 { order = Array(order.prefix(topK)) }
        if topP < 1 {
            let mass = topK > 0 ? order.reduce(0) { $0 + weights[$1] } : total
            var sum = 0.0
            let end = order.firstIndex {
                sum += weights[$0]; return sum >= topP * mass
            }
            order = Array(order.prefix((end ?? order.count - 1) + 1))
        }
        return order
    }
}
