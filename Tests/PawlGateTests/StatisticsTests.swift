import PawlCore
import Testing

@testable import PawlGate

private struct Statistics: Decodable {
    struct Table: Decodable { let rows: [[Double]] }
    struct Clustered: Decodable {
        let differences: [Double]
        let clusters: [String]?
        let alpha: Double
        let degrees: Int
        let mean: Double
        let lower: Double
        let upper: Double
    }
    let tango: Table
    let normal: [[Double]]
    let student: [[Double]]
    let wilson: [[Double]]
    let clustered: [Clustered]
}

/// The reference values: tools/fixtures/gate_tango.py (SciPy, statsmodels).
@Suite("Statistics against SciPy and statsmodels")
struct StatisticsTests {
    private let reference: Statistics

    init() throws { reference = try fixture(Statistics.self, "statistics.json") }

    @Test("Tango's bounds agree with the restricted likelihood solved by other root finders")
    func tango() {
        #expect(reference.tango.rows.count > 300)
        for row in reference.tango.rows {
            let bounds = Tango.bounds(b: Int(row[0]), c: Int(row[1]), count: Int(row[2]), alpha: row[3])
            #expect(
                abs(bounds.lower - row[4]) < 1e-9 && abs(bounds.upper - row[5]) < 1e-9, "\(row): \(bounds)")
        }
    }

    @Test("Without a flip the lower bound is -z²/(n + z²)", arguments: [1, 10, 50, 1000, 100_000])
    func noFlips(n: Int) {
        for alpha in [0.05, 0.0304, 0.001] {
            let z = Normal.upperQuantile(alpha)
            let expected = z * z / (Double(n) + z * z)
            let bounds = Tango.bounds(b: 0, c: 0, count: n, alpha: alpha)
            #expect(abs(bounds.lower + expected) < 1e-15)
            #expect(bounds.upper == -bounds.lower)
        }
    }

    @Test("Tango's bounds fall with every loss, rise with every win, and mirror")
    func monotone() {
        let n = 30
        for b in 0...n {
            for c in 0...n - b {
                let bounds = Tango.bounds(b: b, c: c, count: n, alpha: 0.05)
                let mirrored = Tango.bounds(b: c, c: b, count: n, alpha: 0.05)
                #expect(bounds.lower == -mirrored.upper)
                #expect(
                    bounds.lower <= Double(c - b) / Double(n) && Double(c - b) / Double(n) <= bounds.upper)
                #expect((-1.0...1.0).contains(bounds.lower) && (-1.0...1.0).contains(bounds.upper))
                if b > 0, c < n {
                    let better = Tango.bounds(b: b - 1, c: c + 1, count: n, alpha: 0.05)
                    #expect(better.lower >= bounds.lower && better.upper >= bounds.upper)
                }
            }
        }
    }

    @Test("A bound decides as the score does, of which the enumeration makes use")
    func boundAndScore() {
        let z = Normal.upperQuantile(0.05)
        for n in [20, 137] {
            for b in stride(from: 0, through: n, by: 3) {
                for c in stride(from: 0, through: n - b, by: 3) {
                    let lower = Tango.bounds(b: b, c: c, count: n, alpha: 0.05).lower
                    for margin in [0.0123, 0.05, 0.1, 0.31] {
                        let exceeds = Tango.lowerBoundExceeds(-margin, b: b, c: c, count: n, z: z)
                        #expect(exceeds == (lower > -margin), "b \(b), c \(c), n \(n), margin \(margin)")
                    }
                }
            }
        }
    }

    @Test("Normal quantiles agree with SciPy to 1e-12")
    func normal() {
        for row in reference.normal { #expect(abs(Normal.upperQuantile(row[0]) - row[1]) < 1e-12, "\(row)") }
        #expect(Normal.quantile(0).isNaN && Normal.quantile(1).isNaN)
        #expect(Normal.quantile(0.5) == 0)
    }

    @Test("Student's quantiles agree with SciPy to 1e-11")
    func student() {
        for row in reference.student {
            let value = StudentT.upperQuantile(row[0], degrees: Int(row[1]))
            #expect(abs(value - row[2]) < 1e-11 * max(1, row[2]), "\(row): \(value)")
        }
        #expect(StudentT.upperQuantile(0.6, degrees: 3).isNaN)
        #expect(StudentT.upperQuantile(0.05, degrees: 0).isNaN)
    }

    @Test("Wilson's interval agrees with statsmodels")
    func wilson() {
        for row in reference.wilson {
            let interval = ScoreInterval.wilson(
                successes: Int(row[0]), count: Int(row[1]), confidence: row[2])
            #expect(abs(interval.lower - row[3]) < 1e-11 && abs(interval.upper - row[4]) < 1e-11, "\(row)")
        }
    }

    @Test("The clustered mean agrees with statsmodels' clustered least squares")
    func clustered() {
        for row in reference.clustered {
            let clusters = row.clusters.map { $0.map(Optional.some) } ?? row.differences.map { _ in nil }
            let result = PairedMean.bounds(row.differences, clusters: clusters, alpha: row.alpha)
            #expect(abs(result.mean - row.mean) < 1e-12)
            #expect(result.degrees == row.degrees)
            #expect(
                abs(result.bounds.lower - row.lower) < 1e-9 && abs(result.bounds.upper - row.upper) < 1e-9)
        }
    }

    @Test(
        "Equal differences certify no more than Tango does without a flip, and one cluster certifies nothing")
    func varianceFloor() {
        let same = PairedMean.bounds(
            [Double](repeating: 0, count: 10), clusters: Array(repeating: nil, count: 10), alpha: 0.05)
        let tango = Tango.bounds(b: 0, c: 0, count: 10, alpha: 0.05)
        #expect(abs(same.bounds.lower - tango.lower) < 1e-15)
        let one = PairedMean.bounds([0.1, 0.2, 0.1], clusters: ["p", "p", "p"], alpha: 0.05)
        #expect(one.bounds == Bounds(lower: -1, upper: 1))
    }

    @Test("Alpha spending starts at 0.0304 and never spends more than the budget")
    func spending() {
        #expect(abs(AlphaSpending.alpha(attempt: 1) - 0.030396) < 1e-6)
        #expect(abs(AlphaSpending.alpha(attempt: 3) - AlphaSpending.alpha(attempt: 1) / 9) < 1e-17)
        let spent = (1...100_000).reduce(0) { $0 + AlphaSpending.alpha(attempt: $1) }
        #expect(spent < 0.05 && spent > 0.04999)
    }
}

private struct PowerTable: Decodable {
    struct Automatic: Decodable { let rows: [[Double]] }
    let rows: [[Double]]
    let automatic: Automatic
}

/// The reference values: tools/fixtures/gate_power.py (the whole trinomial with SciPy).
@Suite("Power by exact enumeration")
struct PowerTests {
    private let reference: PowerTable

    init() throws { reference = try fixture(PowerTable.self, "power.json") }

    @Test("False accepts and power agree with the enumeration in SciPy, and no false accept is above 6%")
    func cells() {
        for row in reference.rows where row[0] <= 200 || row[1] == 0.1 {
            let (n, flips, margin, alpha) = (Int(row[0]), row[1], row[2], row[3])
            let lost = Power.lowerBoundExceeds(
                margin: margin, count: n, flipRate: flips, change: -margin, alpha: alpha)
            let same = Power.lowerBoundExceeds(margin: margin, count: n, flipRate: flips, alpha: alpha)
            #expect(abs(lost - row[4]) < 1e-9 && abs(same - row[5]) < 1e-9, "\(row): \(lost), \(same)")
            #expect(lost <= 0.06)
        }
    }

    @Test("Automatic margins agree with the enumeration in SciPy")
    func automatic() {
        for row in reference.automatic.rows {
            let margin = Power.automaticMargin(
                metric: .accuracy, count: Int(row[0]), flipRate: row[1], alpha: row[2], suites: Int(row[3]))
            #expect(margin == row[4], "\(row)")
        }
    }

    @Test("An automatic margin of a mean shrinks with the items and needs at least two")
    func automaticMean() throws {
        let alpha = AlphaSpending.alpha(attempt: 1)
        let margins = try [20, 200, 2000].map {
            try #require(Power.automaticMargin(metric: .mean, count: $0, flipRate: 0.1, alpha: alpha))
        }
        #expect(margins == margins.sorted(by: >))
        #expect(Power.automaticMargin(metric: .mean, count: 1, flipRate: 0.1, alpha: alpha) == nil)
    }

    @Test("A gain that is there is shown more often the larger it is")
    func gains() {
        let chances = [0.0, 0.05, 0.1, 0.2].map {
            Power.lowerBoundExceeds(margin: 0, count: 100, flipRate: 0.3, change: $0, alpha: 0.05)
        }
        #expect(chances == chances.sorted() && chances[0] < 0.06 && chances[3] > 0.9)
    }
}
