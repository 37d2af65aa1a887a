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
    /// The probability with which what is true should be shown.
    public static let usual = 0.8

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

    /// The probability that an unchanged model is shown to hold.
    ///
    /// Accuracy: enumerated exactly. Mean: by the normal approximation, in which the flip rate bounds the variance of
    /// differences that lie in -1...1.
    ///
    /// - Parameters:
    ///   - count: ``Suite/units``: items; for a clustered mean, clusters.
    ///   - flipRate: share of items whose score is assumed to change.
    ///   - alpha: of the coming attempt.
    public static func unchangedHolds(
        metric: Metric, count: Int, flipRate: Double, margin: Double, alpha: Double
    ) -> Double {
        switch metric {
        case .accuracy:
            return lowerBoundExceeds(margin: margin, count: count, flipRate: flipRate, alpha: alpha)
        case .mean:
            guard count >= 2 else { return 0 }
            let n = Double(count)
            let z = Normal.upperQuantile(alpha)
            // The half-width that differences without variance have, see ``PairedMean``.
            guard margin > z * z / (n + z * z) else { return 0 }
            guard flipRate > 0 else { return 1 }
            return Normal.cumulative(
                margin / (flipRate / n).squareRoot() - StudentT.upperQuantile(alpha, degrees: count - 1))
        }
    }

    /// Whether any answers at all could show that a suite holds: equal answers show it if anything does.
    public static func canHold(metric: Metric, count: Int, margin: Double, alpha: Double) -> Bool {
        unchangedHolds(metric: metric, count: count, flipRate: 0, margin: margin, alpha: alpha) > 0
    }

    /// The smallest margin that a suite can certify, in steps of a tenth of a point; nil when not even 99.9
    /// points can be.
    ///
    /// It is the smallest margin at which an unchanged model holds with probability power^(1/suites), so that all suites
    /// of the plan together hold with probability `power` (their flips taken as independent).
    ///
    /// - Parameters:
    ///   - count: ``Suite/units``: items; for a clustered mean, clusters.
    ///   - flipRate: share of items whose score is assumed to change.
    ///   - alpha: of the coming attempt.
    ///   - suites: number of suites that are to hold together.
    public static func automaticMargin(
        metric: Metric, count: Int, flipRate: Double = assumedFlipRate, alpha: Double, power: Double = usual,
        suites: Int = 1
    ) -> Double? {
        precondition(count >= 1 && suites >= 1 && power > 0 && power < 1)
        let each = pow(power, 1 / Double(suites))
        let steps = 1000
        let step = smallest(in: 1...steps) { step in
            unchangedHolds(
                metric: metric, count: count, flipRate: flipRate, margin: Double(step) / Double(steps),
                alpha: alpha) >= each
        }
        return step.flatMap { $0 < steps ? Double($0) / Double(steps) : nil }
    }

    /// About how many items (``Suite/units``) a suite needs so that an unchanged model holds within `margin` with
    /// probability `power`; nil when a million are too few.
    public static func itemsNeeded(
        metric: Metric, flipRate: Double, margin: Double, alpha: Double, power: Double
    ) -> Int? {
        let z = Normal.upperQuantile(alpha)
        let equalAnswersNeed = z * z * (1 - margin) / margin
        let spread = (z + Normal.quantile(power)) / margin
        let approximate = max(2, equalAnswersNeed, flipRate * spread * spread)
        guard approximate <= 1_000_000 else { return nil }
        // Far out the approximation is as good as the enumeration, which would take minutes.
        guard approximate <= 20_000 else { return Int(approximate.rounded(.up)) }
        // The exact probability rises in the shape of a saw, so the first size that does is looked for from below on a
        // grid of about one part in a hundred.
        var count = max(2, Int(equalAnswersNeed), Int(0.7 * approximate))
        while unchangedHolds(metric: metric, count: count, flipRate: flipRate, margin: margin, alpha: alpha)
            < power
        {
            count += max(1, count / 100)
        }
        return count
    }

    /// The smallest true gain that a suite shows with probability `power`, in steps of a tenth of a point; nil when
    /// not even 99.9 points show.
    ///
    /// For accuracy, with as many flips as `flipRate` or the gain itself; for a mean by the normal approximation.
    public static func smallestGain(
        metric: Metric, count: Int, flipRate: Double, alpha: Double, power: Double = usual
    ) -> Double? {
        let steps = 1000
        let step = smallest(in: 1...(steps - 1)) { step in
            let gain = Double(step) / Double(steps)
            let flips = max(flipRate, gain)
            switch metric {
            case .accuracy:
                return lowerBoundExceeds(
                    margin: 0, count: count, flipRate: flips, change: gain, alpha: alpha) >= power
            case .mean:
                return unchangedHolds(
                    metric: .mean, count: count, flipRate: flips, margin: gain, alpha: alpha) >= power
            }
        }
        return step.map { Double($0) / Double(steps) }
    }

    /// The first of rising values that is enough; nil when none is.
    private static func smallest(in values: ClosedRange<Int>, isEnough: (Int) -> Bool) -> Int? {
        var low = values.lowerBound
        var high = values.upperBound + 1
        while low < high {
            let middle = (low + high) / 2
            if isEnough(middle) { high = middle } else { low = middle + 1 }
        }
        return low <= values.upperBound ? low : nil
    }
}
