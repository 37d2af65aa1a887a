import Foundation
import PawlGate

/// How a line of checkpoints is judged, update by update.
enum LineRule: String, CaseIterable {
    /// Against an anchor that moves only to what was shown to be better, each attempt spending its share of alpha.
    case pawl = "pawl: anchor, alpha spent over attempts"
    case unspent = "a fixed anchor, every attempt at 0.05"
    case best = "the best observed score as anchor, 0.05"
    case parent = "the parent, 0.05"
}

/// What decides about one update, from the flips alone.
enum Decision { case accept, reject, undecided }

/// The rules of other gates, as facts about their code describe them.
enum PeerRule: String, CaseIterable {
    case pawl = "pawl (non-inferiority, Tango, alpha 0.0304)"
    case notWorse = "not significantly worse (McNemar, 0.05)"
    case bootstrap = "percentile bootstrap of the loss within the margin"
    case superior = "significantly better only"
    case notLower = "score higher than before"
    case floor = "score above a floor (base less 5 points)"

    /// - Parameters:
    ///   - b: items that only the anchor has right; c: items that only the candidate has right.
    ///   - score: the candidate's.
    func decide(b: Int, c: Int, count n: Int, margin: Double, score: Double, base: Double) -> Decision {
        switch self {
        case .pawl:
            let bounds = Tango.bounds(b: b, c: c, count: n, alpha: AlphaSpending.alpha(attempt: 1))
            return bounds.lower > -margin ? .accept : bounds.upper < -margin ? .reject : .undecided
        case .notWorse: return Self.mcNemar(b: b, c: c) < 0.05 ? .reject : .accept
        case .bootstrap: return Bootstrap.lowerQuantile(b: b, c: c, count: n) >= -margin ? .accept : .reject
        case .superior: return Tango.bounds(b: b, c: c, count: n, alpha: 0.05).lower > 0 ? .accept : .reject
        case .notLower: return c > b ? .accept : .reject
        case .floor: return score >= base - 0.05 ? .accept : .reject
        }
    }

    /// The exact one-sided p-value of "worse": so many losses or more among the flips, were both ways equally likely.
    private static func mcNemar(b: Int, c: Int) -> Double {
        let flips = b + c
        guard flips > 0 else { return 1 }
        return (b...flips).reduce(0) { sum, k in
            let ways = lgamma(Double(flips) + 1) - lgamma(Double(k) + 1) - lgamma(Double(flips - k) + 1)
            return sum + exp(ways - Double(flips) * log(2))
        }
    }
}

/// The percentile bootstrap of a paired difference, computed and not drawn: the flips of a resample are binomial, and so
/// are the wins among them.
enum Bootstrap {
    /// The 5% quantile of the resampled difference.
    static func lowerQuantile(b: Int, c: Int, count n: Int) -> Double {
        let flips = b + c
        guard flips > 0 else { return 0 }
        var weights: [Int: Double] = [:]
        for k in 0...n {
            let weight = binomial(k, n, Double(flips) / Double(n))
            guard weight > 1e-9 else { continue }
            for won in 0...k {
                weights[2 * won - k, default: 0] += weight * binomial(won, k, Double(c) / Double(flips))
            }
        }
        var sum = 0.0
        for difference in weights.keys.sorted() {
            sum += weights[difference] ?? 0
            if sum > 0.05 { return Double(difference) / Double(n) }
        }
        return 1
    }

    private static func binomial(_ k: Int, _ n: Int, _ p: Double) -> Double {
        if p <= 0 { return k == 0 ? 1 : 0 }
        if p >= 1 { return k == n ? 1 : 0 }
        let ways = lgamma(Double(n) + 1) - lgamma(Double(k) + 1) - lgamma(Double(n - k) + 1)
        return exp(ways + Double(k) * log(p) + Double(n - k) * log1p(-p))
    }
}
