import Foundation
import PawlGate
import Randomness

/// Measures how often the gate lets a loss of exactly the margin through, and how often it lets an
/// unchanged model through: simulated item by item, and enumerated exactly. docs/gate.md shows the output.
///
///     swift run -c release --package-path tools/bench/gate gate-calibration [RUNS [SEED]]
///
/// Fails when a simulated rate is more than three standard errors from the exact one, when an exact rate
/// differs from SciPy's enumeration, or when a rate at alpha 0.05 is above 6%.
@main
struct Calibration {
    static let counts = [50, 200, 1000]
    static let flipRates = [0.02, 0.1, 0.3]
    static let margins = [0.02, 0.05, 0.1]
    static let alphas = [AlphaSpending.budget, AlphaSpending.alpha(attempt: 1)]

    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        let runs = arguments.first.flatMap { Int($0) } ?? 100_000
        let seed = arguments.dropFirst().first.flatMap { UInt64($0) } ?? 20_261_122
        let reference = try Reference.load()
        print("\(runs) simulated comparisons a cell, seed \(seed) (SplitMix64)\n")
        print(
            "| items | flip rate | margin | alpha | loss = margin: exact | simulated | z | unchanged: exact |"
        )
        print("|---|---|---|---|---|---|---|---|")
        var problems: [String] = []
        var random = SplitMix64(state: seed)
        for cell in cells {
            let row = cell.measure(runs: runs, random: &random)
            print(row.line)
            problems += row.problems(reference)
        }
        print(
            "\nWorst case over the number of items and over the flip rate (every hundredth up to 0.60), exact:\n"
        )
        print("| items | alpha | margin 2 points | 5 points | 10 points |")
        print("|---|---|---|---|---|")
        for counts in [10...49, 50...99, 100...199, 200...399, 500...500, 1000...1000] {
            for alpha in alphas {
                let worst = margins.map { worstCase(counts: counts, margin: $0, alpha: alpha) }
                let items =
                    counts.count == 1 ? "\(counts.lowerBound)" : "\(counts.lowerBound)-\(counts.upperBound)"
                print("| \(items) | \(String(format: "%.4f", alpha)) | \(worst.joined(separator: " | ")) |")
            }
        }
        for problem in problems { print("\nPROBLEM: \(problem)") }
        print("\n\(cells.count) cells, \(problems.count) problems")
        if !problems.isEmpty { exit(1) }
    }

    static var cells: [Cell] {
        counts.flatMap { count in
            flipRates.flatMap { flips in
                margins.filter { $0 <= flips }.flatMap { margin in
                    alphas.map { Cell(count: count, flipRate: flips, margin: margin, alpha: $0) }
                }
            }
        }
    }

    static func worstCase(counts: ClosedRange<Int>, margin: Double, alpha: Double) -> String {
        var worst = (rate: 0.0, count: 0, flips: 0)
        for count in counts {
            for flips in Int((margin * 100).rounded())...60 {
                let rate = Power.lowerBoundExceeds(
                    margin: margin, count: count, flipRate: Double(flips) / 100, change: -margin, alpha: alpha
                )
                if rate > worst.rate { worst = (rate, count, flips) }
            }
        }
        return String(format: "%.4f (n %d, d 0.%02d)", worst.rate, worst.count, worst.flips)
    }
}

/// One line of the table.
struct Cell {
    let count: Int
    let flipRate: Double
    let margin: Double
    let alpha: Double

    struct Row {
        let cell: Cell
        let exact: Double
        let simulated: Double
        let deviation: Double
        let unchanged: Double

        var line: String {
            String(
                format: "| %d | %.2f | %.2f | %.4f | %.4f | %.4f | %+.2f | %.4f |", cell.count, cell.flipRate,
                cell.margin, cell.alpha, exact, simulated, deviation, unchanged)
        }

        func problems(_ reference: Reference) -> [String] {
            var found: [String] = []
            let name = "n \(cell.count), d \(cell.flipRate), m \(cell.margin), alpha \(cell.alpha)"
            if abs(deviation) > 3 { found.append("\(name): simulated \(simulated), exact \(exact)") }
            if cell.alpha == AlphaSpending.budget, exact > 0.06 {
                found.append("\(name): \(exact) is above 6%")
            }
            guard let row = reference.row(cell) else { return found + ["\(name): no reference"] }
            if abs(row[4] - exact) > 1e-9 || abs(row[5] - unchanged) > 1e-9 {
                found.append("\(name): SciPy says \(row[4]) and \(row[5]), not \(exact) and \(unchanged)")
            }
            return found
        }
    }

    func measure(runs: Int, random: inout SplitMix64) -> Row {
        let exact = Power.lowerBoundExceeds(
            margin: margin, count: count, flipRate: flipRate, change: -margin, alpha: alpha)
        let unchanged = Power.lowerBoundExceeds(
            margin: margin, count: count, flipRate: flipRate, alpha: alpha)
        var held = 0
        for _ in 0..<runs where simulate(&random) { held += 1 }
        let simulated = Double(held) / Double(runs)
        let error = (exact * (1 - exact) / Double(runs)).squareRoot()
        let deviation = error > 0 ? (simulated - exact) / error : simulated == exact ? 0 : .infinity
        return Row(cell: self, exact: exact, simulated: simulated, deviation: deviation, unchanged: unchanged)
    }

    /// One comparison: every item flips on its own; true when the bound lies above -margin.
    private func simulate(_ random: inout SplitMix64) -> Bool {
        let lost = (flipRate + margin) / 2
        var b = 0
        var c = 0
        for _ in 0..<count {
            let u = random.unit()
            if u < lost { b += 1 } else if u < flipRate { c += 1 }
        }
        return Tango.bounds(b: b, c: c, count: count, alpha: alpha).lower > -margin
    }
}

/// The same cells by SciPy (tools/fixtures/gate_power.py).
struct Reference: Decodable {
    let rows: [[Double]]

    static func load() throws -> Reference {
        let root = (0..<6).reduce(URL(filePath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        let file = root.appending(path: "Tests/PawlGateTests/Fixtures/power.json")
        return try JSONDecoder().decode(Reference.self, from: Data(contentsOf: file))
    }

    func row(_ cell: Cell) -> [Double]? {
        rows.first { row in
            row[0] == Double(cell.count) && row[1] == cell.flipRate && row[2] == cell.margin
                && abs(row[3] - cell.alpha) < 1e-12
        }
    }
}
