internal import Foundation

/// Where values lie on an axis of length 1, with round values to label it by.
struct Scale: Sendable, Equatable {
    /// The value at 0.
    let lower: Double
    /// The value at 1.
    let upper: Double
    /// Round values on the axis, ascending.
    let ticks: [Double]

    /// An axis that holds all values (those that are no numbers do not count) and ends on round ones.
    ///
    /// - Parameter count: about so many steps between ticks.
    init(holding values: some Sequence<Double>, steps count: Int = 4) {
        let known = values.filter(\.isFinite)
        var (low, high) = (known.min() ?? 0, known.max() ?? 1)
        if high <= low {
            let half = low == 0 ? 0.5 : abs(low) * 0.5
            (low, high) = (low - half, high + half)
        }
        let step = Self.step((high - low) / Double(max(1, count)))
        let first = (low / step + 1e-9).rounded(.down)
        let last = (high / step - 1e-9).rounded(.up)
        lower = first * step
        upper = last * step
        ticks = stride(from: first, through: last, by: 1).map { $0 == 0 ? 0 : $0 * step }
    }

    /// An axis with given ends.
    init(from lower: Double, to upper: Double, ticks: [Double]) {
        self.lower = lower
        self.upper = upper
        self.ticks = ticks
    }

    /// Scores: 0 to 100%.
    static let scores = Scale(from: 0, to: 1, ticks: [0, 0.25, 0.5, 0.75, 1])

    /// The place of a value, 0 at the lower end and 1 at the upper; values beyond the ends are held there.
    func place(_ value: Double) -> Double {
        guard value.isFinite else { return 0 }
        return min(1, max(0, (value - lower) / (upper - lower)))
    }

    /// 1, 2 or 5 times a power of ten, at least as large.
    private static func step(_ rough: Double) -> Double {
        let power = pow(10, floor(log10(rough)))
        let leading = rough / power
        return power * (leading <= 1 ? 1 : leading <= 2 ? 2 : leading <= 5 ? 5 : 10)
    }
}
