import Foundation
import PawlGate
import Randomness

/// A candidate judged look by look: more items are used while those so far decide nothing.
struct Sequential {
    /// How the alpha of the attempt is used.
    enum Rule: String, CaseIterable {
        case pawl = "spent over the looks"
        case unspent = "all of it at every look"
    }

    var accepted = 0
    var rejected = 0
    /// Items that were used, over all runs.
    var used = 0
    let runs: Int

    var acceptedShare: Share { Share(yes: accepted, count: runs) }
    var undecidedShare: Share { Share(yes: runs - accepted - rejected, count: runs) }

    /// Judges candidates whose true score differs by `change`, each against an anchor of its own.
    static func run(
        _ suite: SimulatedSuite, looks: Int, _ rule: Rule, change: Double, runs: Int,
        _ random: inout SplitMix64
    ) -> Sequential {
        var outcome = Sequential(runs: runs)
        for _ in 0..<runs {
            let anchor = Answers(count: suite.count, score: suite.score, &random)
            let candidate = anchor.updated(flipRate: suite.flipRate, change: change, &random)
            outcome.judge(candidate, anchor, suite, looks: looks, rule)
        }
        return outcome
    }

    private init(runs: Int) { self.runs = runs }

    private mutating func judge(
        _ candidate: Answers, _ anchor: Answers, _ suite: SimulatedSuite, looks: Int, _ rule: Rule
    ) {
        var b = 0
        var c = 0
        var before = 0
        for index in 1...looks {
            let end = suite.count * index / looks
            for item in before..<end where candidate.right[item] != anchor.right[item] {
                if anchor.right[item] { b += 1 } else { c += 1 }
            }
            let look = Look(index: index, of: looks, before: before, used: end, total: suite.count)
            let share = rule == .pawl ? look.share : 1
            let bounds = Tango.bounds(
                b: b, c: c, count: end, alpha: AlphaSpending.alpha(attempt: 1) * share)
            before = end
            if bounds.lower > -suite.margin {
                accepted += 1
                break
            }
            if bounds.upper < -suite.margin {
                rejected += 1
                break
            }
        }
        used += before
    }
}
