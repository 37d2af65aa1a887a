/// Confidence bounds of a quantity; each is one-sided at the alpha it was asked for.
public struct Bounds: Codable, Sendable, Hashable {
    /// The quantity is above this with confidence 1 - alpha.
    public let lower: Double
    /// The quantity is below this with confidence 1 - alpha.
    public let upper: Double

    /// Makes bounds.
    public init(lower: Double, upper: Double) {
        self.lower = lower
        self.upper = upper
    }
}

/// Tango's score bounds for the difference of two paired proportions.
///
/// Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the
/// paired-sample design", Statistics in Medicine 17, 891-908. Notation: of `n` items the anchor alone is
/// right on `b`, the candidate alone on `c`; the difference is (c - b)/n, a loss is negative.
public enum Tango {
    /// One-sided bounds of candidate minus anchor, each at `alpha`.
    ///
    /// Bisection to the last bit; no random numbers. Without any flip the lower bound is
    /// -z²/(n + z²): few items never certify a small margin, however alike the answers are.
    public static func bounds(b: Int, c: Int, count n: Int, alpha: Double) -> Bounds {
        precondition(b >= 0 && c >= 0 && n >= 1 && b + c <= n, "b \(b), c \(c), n \(n)")
        let z = Normal.upperQuantile(alpha)
        return Bounds(lower: lowerBound(b, c, n, z), upper: -lowerBound(c, b, n, z))
    }

    /// Whether the lower bound lies above `difference`, without computing the bound.
    static func lowerBoundExceeds(_ difference: Double, b: Int, c: Int, count n: Int, z: Double) -> Bool {
        score(difference, b: b, c: c, count: n) > z
    }

    private static func lowerBound(_ b: Int, _ c: Int, _ n: Int, _ z: Double) -> Double {
        // The score falls as the difference grows; it is above z at -1 unless b is n, and at most 0 at the estimate.
        var low = -1.0
        var high = Double(c - b) / Double(n)
        guard score(low, b: b, c: c, count: n) > z else { return low }
        while true {
            let middle = low + (high - low) / 2
            guard middle > low, middle < high else { return low }
            if score(middle, b: b, c: c, count: n) > z { low = middle } else { high = middle }
        }
    }

    /// Tango's score statistic for a hypothetical difference: observed minus expected, over the standard
    /// error under the hypothesis, with the nuisance probability at its restricted maximum likelihood.
    static func score(_ difference: Double, b: Int, c: Int, count: Int) -> Double {
        // By symmetry only the case difference >= 0, in which no term below cancels.
        if difference < 0 { return -score(-difference, b: c, c: b, count: count) }
        let n = Double(count)
        let numerator = Double(c - b) - n * difference
        // The restricted estimate q of P(anchor alone right): 2n q² + h q - b d (1 - d) = 0, q >= 0.
        let product = Double(b) * difference * (1 - difference)
        let h = (2 * n - Double(c - b)) * difference - Double(b + c)
        let root = (h * h + 8 * n * product).squareRoot()
        let q = h > 0 ? 2 * product / (h + root) : (root - h) / (4 * n)
        let variance = n * (2 * q + difference * (1 - difference))
        guard variance > 0 else { return numerator == 0 ? 0 : numerator < 0 ? -.infinity : .infinity }
        return numerator / variance.squareRoot()
    }
}

/// Bounds for the mean of paired differences of continuous scores.
public enum PairedMean {
    /// What was computed.
    public struct Result: Sendable, Hashable {
        /// Mean of the differences.
        public let mean: Double
        /// One-sided bounds, each at alpha, within -1...1.
        public let bounds: Bounds
        /// Degrees of freedom of t: units less one.
        public let degrees: Int
        /// Whether the items were taken together by cluster.
        public let isClustered: Bool
    }

    /// Student's t for paired differences in -1...1, clustered where an item names a cluster.
    ///
    /// Clustered variance: the sum over clusters of the squared sum of residuals, times G/(G - 1), over n²,
    /// with G - 1 degrees of freedom (Liang and Zeger 1986; Cameron and Miller 2015, section II; Miller 2024,
    /// arXiv 2411.00640, section 2.2). An item without a cluster is one of its own, so without any cluster
    /// this is the ordinary paired t.
    ///
    /// The half-width is never less than z²/(G + z²), Tango's for G items without a flip: differences that
    /// happen to be equal have no variance, but ten of them prove nothing.
    ///
    /// - Parameter clusters: the cluster of each difference, nil for none.
    public static func bounds(_ differences: [Double], clusters: [String?], alpha: Double) -> Result {
        precondition(!differences.isEmpty && differences.count == clusters.count)
        let n = Double(differences.count)
        let mean = differences.reduce(0, +) / n
        var sums: [String: Double] = [:]
        var squares = 0.0
        var alone = 0
        for (difference, cluster) in zip(differences, clusters) {
            if let cluster {
                sums[cluster, default: 0] += difference - mean
            } else {
                squares += (difference - mean) * (difference - mean)
                alone += 1
            }
        }
        // Sorted, because a dictionary's order differs from run to run and so would the last bit of the sum.
        for name in sums.keys.sorted() { squares += sums[name, default: 0] * sums[name, default: 0] }
        let units = sums.count + alone
        guard units >= 2 else {
            return Result(
                mean: mean, bounds: Bounds(lower: -1, upper: 1), degrees: 0, isClustered: !sums.isEmpty)
        }
        let g = Double(units)
        let error = (squares * g / (g - 1)).squareRoot() / n
        let z = Normal.upperQuantile(alpha)
        let half = max(StudentT.upperQuantile(alpha, degrees: units - 1) * error, z * z / (g + z * z))
        return Result(
            mean: mean, bounds: Bounds(lower: max(-1, mean - half), upper: min(1, mean + half)),
            degrees: units - 1, isClustered: !sums.isEmpty)
    }
}

/// The interval of a single score, for the matrix and for reports.
public struct ScoreInterval: Codable, Sendable, Hashable {
    /// The mean score.
    public let score: Double
    /// Two-sided bounds.
    public let lower: Double
    /// Two-sided bounds.
    public let upper: Double
    /// Number of items.
    public let count: Int

    /// Wilson's (1927) score interval of a proportion, "Probable inference, the law of succession, and
    /// statistical inference", JASA 22, 209-212.
    public static func wilson(successes: Int, count: Int, confidence: Double = 0.95) -> ScoreInterval {
        precondition(count >= 1 && (0...count).contains(successes))
        let n = Double(count)
        let p = Double(successes) / n
        let z = Normal.upperQuantile((1 - confidence) / 2)
        let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
        return ScoreInterval(
            score: p, lower: successes == 0 ? 0 : max(0, centre - half),
            upper: successes == count ? 1 : min(1, centre + half), count: count)
    }
}

extension Evidence {
    /// The score with its two-sided interval: Wilson's for accuracy, Student's t (clustered) for a mean.
    public func interval(metric: Metric, confidence: Double = 0.95) -> ScoreInterval {
        switch metric {
        case .accuracy:
            return .wilson(successes: results.count { $0.score == 1 }, count: count, confidence: confidence)
        case .mean:
            let result = PairedMean.bounds(
                results.map(\.score), clusters: results.map(\.cluster), alpha: (1 - confidence) / 2)
            return ScoreInterval(
                score: result.mean, lower: max(0, result.bounds.lower), upper: min(1, result.bounds.upper),
                count: count)
        }
    }
}
