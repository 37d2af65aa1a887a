import Foundation
import PawlGate
import Randomness

/// The items of a suite that one checkpoint has right.
struct Answers {
    private(set) var right: [Bool]

    /// Right with probability `score`, item by item.
    init(count: Int, score: Double, _ random: inout SplitMix64) {
        right = (0..<count).map { _ in random.unit() < score }
    }

    /// What an update makes of them: of all items a share `flipRate` changes on average, and the score by `change`.
    func updated(flipRate: Double, change: Double, _ random: inout SplitMix64) -> Answers {
        let score = Double(right.count { $0 }) / Double(right.count)
        let losing = min(1, (flipRate - change) / 2 / max(score, 1e-9))
        let winning = min(1, (flipRate + change) / 2 / max(1 - score, 1e-9))
        var next = self
        for index in right.indices where random.unit() < (right[index] ? losing : winning) {
            next.right[index].toggle()
        }
        return next
    }

    func standing(against anchor: Answers) -> Standing {
        var counts = [0, 0, 0, 0]
        for (mine, theirs) in zip(right, anchor.right) { counts[(mine ? 2 : 0) + (theirs ? 1 : 0)] += 1 }
        return Standing(bothRight: counts[3], bothWrong: counts[0], lost: counts[1], won: counts[2])
    }

    func flips(from other: Answers) -> Int { zip(right, other.right).count { $0 != $1 } }
}

/// A mean of yes and no with the error of the estimate.
struct Share {
    let yes: Int
    let count: Int
    var value: Double { Double(yes) / Double(count) }
    var error: Double { (value * (1 - value) / Double(count)).squareRoot() }
    var text: String { String(format: "%.1f%% (±%.1f)", value * 100, error * 196) }
}
