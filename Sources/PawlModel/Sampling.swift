internal import CKernels
internal import Foundation
internal import PawlCore

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
    /// Refuses numbers that mean nothing.
    func check() throws {
        guard temperature >= 0, temperature.isFinite else {
            throw PawlError(.invalidArgument, "temperature \(temperature) is not 0 or more")
        }
        guard topP > 0, topP <= 1 else {
            throw PawlError(.invalidArgument, "top_p \(topP) is not above 0 and at most 1")
        }
        guard topK >= 0 else { throw PawlError(.invalidArgument, "top_k \(topK) is below 0") }
    }

    /// A token for each of R rows of logits, which are used up; row r draws with the next number of `randoms[r]`.
    func choose(
        _ logits: FloatBuffer, _ vocabulary: Int, _ randoms: inout [NamedRandom], _ pool: ComputePool
    ) throws -> [Choice] {
        let (rows, v) = (randoms.count, vocabulary)
        guard temperature > 0 else {
            var best = [Int32](repeating: 0, count: rows)
            pawl_argmax(pool.handle, &best, logits.pointer, rows, v)
            return try best.enumerated().map { row, token in
                try Self.checkFinite(Double(logits.pointer[row * v + Int(token)]))
                return Choice(token: token, logLikelihood: 0)
            }
        }
        pawl_softmax(pool.handle, logits.pointer, logits.pointer, rows, v, Float(temperature))
        let shares = randoms.indices.map { randoms[$0].uniform() }
        var drawn = [Int32](repeating: 0, count: rows)
        var totals = [Double](repeating: 0, count: rows)
        pawl_draw(pool.handle, &drawn, &totals, logits.pointer, shares, rows, v)
        return try randoms.indices.map { row in
            let weights = UnsafeBufferPointer(start: logits.pointer + row * v, count: v)
            try Self.checkFinite(totals[row])
            let kept = try cut(weights, totals[row], pool)
            let chosen = kept.map { Self.draw(weights, $0, shares[row]) } ?? Int(drawn[row])
            return Choice(token: Int32(chosen), logLikelihood: log(Double(weights[chosen]) / totals[row]))
        }
    }

    private static func checkFinite(_ value: Double) throws {
        guard value.isFinite else {
            throw PawlError(.invalidArgument, "the model's logits are not finite: its weights are damaged")
        }
    }

    /// Draws one of the weights that were kept, as `pawl_draw` does from a whole row.
    private static func draw(_ weights: UnsafeBufferPointer<Float>, _ kept: [Int], _ share: Double) -> Int {
        var rest = share * kept.reduce(0) { $0 + Double(weights[$1]) }
        var chosen = 0
        for index in kept where weights[index] > 0 {
            chosen = index
            rest -= Double(weights[index])
            if rest < 0 { break }
        }
        return chosen
    }

    /// The tokens that top-k and top-p leave, likeliest first; nil for all.
    private func cut(_ weights: UnsafeBufferPointer<Float>, _ total: Double, _ pool: ComputePool) throws
        -> [Int]?
    {
        guard topK > 0 || topP < 1 else { return nil }
        var count = min(topK > 0 ? topK : 64, weights.count)
        while true {
            var order = [Int32](repeating: 0, count: count)
            var values = [Float](repeating: 0, count: count)
            try PawlModel.check(
                pawl_top_k(pool.handle, &order, &values, weights.baseAddress, 1, weights.count, count),
                "top-k")
            let mass = topK > 0 ? values.reduce(0) { $0 + Double($1) } : total
            var sum = 0.0
            let end = values.firstIndex {
                sum += Double($0)
                return sum >= topP * mass
            }
            if let end, topP < 1 { return order[...end].map(Int.init) }
            if topK > 0 || count == weights.count { return order.map(Int.init) }
            count = min(8 * count, weights.count)
        }
    }
}
