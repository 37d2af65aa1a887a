internal import Foundation

/// Critical values of the normal and of Student's distribution.
///
/// They are rounded to multiples of 2^-40 (about 1e-12): mathematics libraries differ in the last bit of
/// `log`, and a verdict must come out the same on every machine. All arithmetic after them is exact IEEE 754.
enum CriticalValue {
    static func rounded(_ value: Double) -> Double { (value * 0x1p40).rounded() / 0x1p40 }
}

/// The standard normal distribution.
public enum Normal {
    /// The value that a standard normal exceeds with probability `alpha`, 0 < alpha < 1.
    public static func upperQuantile(_ alpha: Double) -> Double { CriticalValue.rounded(-quantile(alpha)) }

    /// The probability that a standard normal is at most `x`.
    public static func cumulative(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

    /// The inverse of the cumulative distribution function, 0 < p < 1; NaN outside.
    ///
    /// Wichura (1988), Algorithm AS 241, "The Percentage Points of the Normal Distribution", Applied
    /// Statistics 37, 477-484, function PPND16: accurate to about one part in 10^16.
    public static func quantile(_ p: Double) -> Double {
        guard p > 0, p < 1 else { return .nan }
        let q = p - 0.5
        if abs(q) <= 0.425 {
            let r = 0.180625 - q * q
            return q * ratio(r, central)
        }
        let r = (-log(q < 0 ? p : 1 - p)).squareRoot()
        let x = r <= 5 ? ratio(r - 1.6, middle) : ratio(r - 5, far)
        return q < 0 ? -x : x
    }

    private typealias Coefficients = (numerator: [Double], denominator: [Double])

    private static func ratio(_ r: Double, _ c: Coefficients) -> Double {
        c.numerator.reversed().reduce(0) { $0 * r + $1 } / c.denominator.reversed().reduce(0) { $0 * r + $1 }
    }

    private static let central: Coefficients = (
        [
            3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
            4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4,
            2.5090809287301226727e3,
        ],
        [
            1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
            2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
            5.2264952788528545610e3,
        ]
    )
    private static let middle: Coefficients = (
        [
            1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
            1.27045825245236838258, 2.41780725177450611770e-1, 2.27238449892691845833e-2,
            7.74545014278341407640e-4,
        ],
        [
            1, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1,
            1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
            1.05075007164441684324e-9,
        ]
    )
    private static let far: Coefficients = (
        [
            6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 2.96560571828504891230e-1,
            2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5,
            2.01033439929228813265e-7,
        ],
        [
            1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
            7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
            2.04426310338993978564e-15,
        ]
    )
}

/// Student's t distribution.
public enum StudentT {
    /// The value that t with `degrees` of freedom exceeds with probability `alpha`, 0 < alpha <= 1/2.
    public static func upperQuantile(_ alpha: Double, degrees: Int) -> Double {
        guard alpha > 0, alpha <= 0.5, degrees >= 1 else { return .nan }
        var low = 0.0
        var high = 1.0
        while upperTail(high, degrees: degrees) > alpha { high *= 2 }
        while true {
            let middle = low + (high - low) / 2
            guard middle > low, middle < high else { return CriticalValue.rounded(middle) }
            if upperTail(middle, degrees: degrees) > alpha { low = middle } else { high = middle }
        }
    }

    /// The probability that t exceeds a value >= 0: half of I_x(v/2, 1/2) at x = v/(v + t²)
    /// (Abramowitz and Stegun 26.7.1; DLMF 8.17).
    public static func upperTail(_ t: Double, degrees: Int) -> Double {
        let v = Double(degrees)
        return 0.5 * incompleteBeta(a: v / 2, odds: t * t / v)
    }

    /// The regularised incomplete beta function I_x(a, 1/2) at x = 1/(1 + odds).
    ///
    /// The odds and not x are the argument because 1 - x would cancel for large degrees of freedom.
    private static func incompleteBeta(a: Double, odds: Double) -> Double {
        guard odds > 0 else { return 1 }
        let x = 1 / (1 + odds)
        let y = odds / (1 + odds)
        // log of x^a y^(1/2) / B(a, 1/2)
        let logFront = -a * log1p(odds) + 0.5 * log(y) - 0.5 * log(Double.pi) + logGammaRatio(a)
        if x < (a + 1) / (a + 2.5) { return exp(logFront) * fraction(a, 0.5, x) / a }
        return 1 - exp(logFront) * fraction(0.5, a, y) / 0.5
    }

    /// The continued fraction of DLMF 8.17.22 by Lentz's method (Press et al., Numerical Recipes, 6.4).
    private static func fraction(_ a: Double, _ b: Double, _ x: Double) -> Double {
        let tiny = 1e-300
        func atLeastTiny(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
        var c = 1.0
        var d = 1 / atLeastTiny(1 - (a + b) * x / (a + 1))
        var h = d
        for step in 1...100_000 {
            let m = Double(step)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 / atLeastTiny(1 + even * d)
            c = atLeastTiny(1 + even / c)
            h *= d * c
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 / atLeastTiny(1 + odd * d)
            c = atLeastTiny(1 + odd / c)
            h *= d * c
            if abs(d * c - 1) < 1e-16 { break }
        }
        return h
    }

    /// log of Γ(a + 1/2) / Γ(a), without the cancellation of two large logarithms: the recurrence of Γ up
    /// to 20, then the difference of two Stirling series (DLMF 5.11.1).
    private static func logGammaRatio(_ a: Double) -> Double {
        var a = a
        var product = 1.0
        while a < 20 {
            product *= a / (a + 0.5)
            a += 1
        }
        return a * log1p(0.5 / a) + 0.5 * log(a) - 0.5 + stirling(a + 0.5) - stirling(a) + log(product)
    }

    private static func stirling(_ z: Double) -> Double {
        let s = 1 / (z * z)
        return (1.0 / 12 - s * (1.0 / 360 - s * (1.0 / 1260 - s * (1.0 / 1680 - s / 1188)))) / z
    }
}
