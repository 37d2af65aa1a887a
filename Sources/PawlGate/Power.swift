internal import Foundation

/// The error budget of a suite against its anchor.
public enum AlphaSpending {
    /// The lifetime budget of a (suite, anchor) pair.
    public static let budget = 0.05

    /// The alpha of the k-th attempt (1-based): budget * 6/(pi² k²), which sums to the budget over all k.
    public static func alpha(attempt k: Int, budget: Double = AlphaSpending.budget) -> Double {
        precondition(k >= 1, "attempt \(k)")
        return budget * 6 / (Double.pi * Double.pi * Double(k) * Double(k))
    }
}

/// What a suite of a given size can show, computed by enumerating every outcome; no simulation.
public enum Power {
    /// The flip rate that is assumed while no verdict has measured one.
    public static let assumedFlipRate = 0.1

    /// The probability that the lower bound of a paired accuracy difference lies above -margin.
    ///
    /// With (b, c) multinomial: P(candidate alone right) - P(anchor alone right) = `change`, and together
    /// `flipRate`. At change 0 it is the chance that an unchanged model holds; at change -margin, the chance
    /// that a loss of exactly the margin is let through; with margin 0 and a positive change, the chance
    /// that a gain is shown.
    public static func lowerBoundExceeds(
        margin: Double, count n: Int, flipRate: Double, change: Double = 0, alpha: Double
    ) -> Double {
        precondition(n >= 1 && (0...1).contains(flipRate) && abs(change) <= flipRate, "flip rate \(flipRate)")
        let z = Normal.upperQuantile(alpha)
        let logFactorials = (0...n).reduce(into: [Double]()) { sums, k in
            sums.append(k == 0 ? 0 : sums[k - 1] + log(Double(k)))
        }
        func binomial(_ k: Int, of n: Int, _ p: Double) -> Double {
            if p <= 0 { return k == 0 ? 1 : 0 }
            if p >= 1 { return k == n ? 1 : 0 }
            return exp(
                logFactorials[n] - logFactorials[k] - logFactorials[n - k] + Double(k) * log(p)
                    + Double(n - k) * log1p(-p))
        }
        let won = flipRate > 0 ? (flipRate + change) / (2 * flipRate) : 0
        var total = 0.0
        for flips in 0...n {
            let weight = binomial(flips, of: n, flipRate)
            guard weight > 1e-18 else { continue }
            // The fewest items that the candidate must win of so many flips; more is never worse.
            var low = 0
            var high = flips + 1
            while low < high {
                let c = (low + high) / 2
                if Tango.lowerBoundExceeds(-margin, b: flips - c, c: c, count: n, z: z) {
                    high = c
                } else {
                    low = c + 1
                }
            }
            if low > flips { continue }
            total += weight * (low...flips).reduce(0) { $0 + binomial($1, of: flips, won) }
        }
        return min(total, 1)
    }

    /// The smallest margin that a suite can certify, in steps of a tenth of a point; nil when not even 99.9
    /// points can be.
    ///
    /// Accuracy: exact, the smallest margin at which an unchanged model holds with probability
    /// power^(1/suites), so that all suites of the plan together hold with probability `power` (their flips
    /// taken as independent). Mean: by the normal approximation (t + z_power) * sqrt(flipRate / units), where the
    /// flip rate bounds the variance of differences that lie in -1...1.
    ///
    /// - Parameters:
    ///   - count: ``Suite/units``: items; for a clustered mean, clusters.
    ///   - flipRate: share of items whose score is assumed to change.
    ///   - alpha: of the coming attempt.
    ///   - suites: number of suites that are to hold together.
    public static func automaticMargin(
        metric: Metric, count: Int, flipRate: Double = assumedFlipRate, alpha: Double, power: Double = 0.8,
        suites: Int = 1
    ) -> Double? {
        precondition(count >= 1 && suites >= 1 && power > 0 && power < 1)
        let each = pow(power, 1 / Double(suites))
        let steps = 1000
        func isEnough(_ step: Int) -> Bool {
            let margin = Double(step) / Double(steps)
            switch metric {
            case .accuracy:
                return lowerBoundExceeds(margin: margin, count: count, flipRate: flipRate, alpha: alpha)
                    >= each
            case .mean:
                guard count >= 2 else { return false }
                let t = StudentT.upperQuantile(alpha, degrees: count - 1)
                let z = Normal.upperQuantile(alpha)
                let n = Double(count)
                let needed = max(
                    (t + Normal.quantile(each)) * (flipRate / n).squareRoot(), z * z / (n + z * z))
                return margin > needed
            }
        }
        var low = 1
        var high = steps
        while low < high {
            let middle = (low + high) / 2
            if isEnough(middle) { high = middle } else { low = middle + 1 }
        }
        return low < steps ? Double(low) / Double(steps) : nil
    }
}
