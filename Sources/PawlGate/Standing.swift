internal import Foundation

/// Where a checkpoint stands against an anchor on the items of an accuracy suite.
public struct Standing: Codable, Sendable, Hashable {
    /// Items that both have right.
    public let bothRight: Int
    /// Items that both have wrong.
    public let bothWrong: Int
    /// Items that only the anchor has right.
    public let lost: Int
    /// Items that only the checkpoint has right.
    public let won: Int

    /// Number of items.
    public var count: Int { bothRight + bothWrong + lost + won }

    private enum CodingKeys: String, CodingKey {
        case bothRight = "both_right", bothWrong = "both_wrong", lost, won
    }

    /// Makes a standing of counts.
    public init(bothRight: Int, bothWrong: Int, lost: Int, won: Int) {
        precondition(min(bothRight, bothWrong, lost, won) >= 0)
        self.bothRight = bothRight
        self.bothWrong = bothWrong
        self.lost = lost
        self.won = won
    }

    /// The same shares of another number of items: what a part of a suite tells of the whole.
    public func scaled(to total: Int) -> Standing {
        guard total != count, count > 0 else { return self }
        func scale(_ part: Int) -> Int { part * total / count }
        // What rounding leaves over goes to the items on which nothing differs.
        let rest = total - scale(bothWrong) - scale(lost) - scale(won)
        return Standing(bothRight: rest, bothWrong: scale(bothWrong), lost: scale(lost), won: scale(won))
    }

    /// Compares two evidences over the same items.
    public init(_ evidence: Evidence, against anchor: Evidence) throws {
        let pairs = try evidence.paired(with: anchor)
        func count(_ isRight: Bool, _ anchorIsRight: Bool) -> Int {
            pairs.count { ($0.0.score == 1) == isRight && ($0.1.score == 1) == anchorIsRight }
        }
        self.init(
            bothRight: count(true, true), bothWrong: count(false, false), lost: count(false, true),
            won: count(true, false))
    }

    /// The probability that a successor which is no different on the whole is shown to hold against the anchor.
    ///
    /// The successor differs from the checkpoint in a share `flipRate` of the items, half of them lost and half won on
    /// average, each right item being lost with one probability and each wrong one won with another. What the checkpoint
    /// lost or won before stays but for the items that flip back. Both counts are sums of two binomials, so this is a
    /// double sum and no simulation.
    public func successorHolds(flipRate: Double, margin: Double, alpha: Double) -> Double {
        precondition(count >= 1 && (0...1).contains(flipRate))
        let z = Normal.upperQuantile(alpha)
        let half = flipRate * Double(count) / 2
        let losing = min(1, half / Double(max(bothRight + won, 1)))
        let winning = min(1, half / Double(max(bothWrong + lost, 1)))
        // Lost against the anchor: what was lost and is not won back, and what is lost now.
        let b = Distribution(binomial: lost, 1 - winning).plus(Distribution(binomial: bothRight, losing))
        let c = Distribution(binomial: won, 1 - losing).plus(Distribution(binomial: bothWrong, winning))
        let tail = c.upperTails
        var total = 0.0
        // The more is lost, the more must be won: the least that does rises with b.
        var least = c.first
        for (index, weight) in b.weights.enumerated() {
            let lost = b.first + index
            while least < c.end,
                !Tango.lowerBoundExceeds(-margin, b: lost, c: least, count: count, z: z)
            {
                least += 1
            }
            if least >= c.end { break }
            total += weight * tail[least - c.first]
        }
        return min(total, 1)
    }
}

/// Probabilities of whole numbers, without the tails that no sum can feel.
private struct Distribution {
    /// The number that `weights[0]` belongs to.
    let first: Int
    let weights: [Double]

    /// The number after the last.
    var end: Int { first + weights.count }

    private init(first: Int, weights: [Double]) {
        self.first = first
        self.weights = weights
    }

    init(binomial n: Int, _ p: Double) {
        guard n > 0, p > 0, p < 1 else {
            self.init(first: p >= 1 ? n : 0, weights: [1])
            return
        }
        let odds = (log(p), log1p(-p))
        func weight(_ k: Int) -> Double {
            let ways = lgamma(Double(n) + 1) - lgamma(Double(k) + 1) - lgamma(Double(n - k) + 1)
            return exp(ways + Double(k) * odds.0 + Double(n - k) * odds.1)
        }
        let mean = Double(n) * p
        // Ten standard deviations, and as many numbers more for skewed ones: what lies beyond is below 1e-18.
        let reach = 10 * (mean * (1 - p)).squareRoot() + 25
        let low = max(0, Int(mean - reach))
        self.init(first: low, weights: (low...min(n, Int(mean + reach))).map(weight))
    }

    /// The distribution of the sum with an independent number.
    func plus(_ other: Distribution) -> Distribution {
        var sums = [Double](repeating: 0, count: weights.count + other.weights.count - 1)
        for (i, a) in weights.enumerated() {
            for (j, b) in other.weights.enumerated() { sums[i + j] += a * b }
        }
        return Distribution(first: first + other.first, weights: sums)
    }

    /// The probability of each number or more.
    var upperTails: [Double] {
        var tails = weights
        for index in tails.indices.dropLast().reversed() { tails[index] += tails[index + 1] }
        return tails
    }
}
