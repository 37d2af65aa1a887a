import Foundation
import PawlGate
import Randomness

/// A suite in a simulation.
struct SimulatedSuite {
    var count: Int
    var flipRate: Double
    var margin: Double
    var score = 0.75
}

/// Lines of 20 updates, all of them as much worse as the others.
enum Drift {
    static let updates = 20

    struct Outcome {
        /// True change of the line's end, in points.
        var ends: [Double] = []
        var mean: Double { ends.reduce(0, +) / Double(ends.count) }
        func beyond(_ margin: Double) -> Share {
            Share(yes: ends.count { $0 < -margin * 100 - 1e-9 }, count: ends.count)
        }
    }

    static func run(
        _ rule: LineRule, _ suite: SimulatedSuite, change: Double, histories: Int, _ random: inout SplitMix64
    ) -> Outcome {
        var outcome = Outcome()
        for _ in 0..<histories {
            let accepted = history(rule, suite, change: change, &random)
            outcome.ends.append(Double(accepted) * change * 100)
        }
        return outcome
    }

    /// The number of updates that became the line's end.
    private static func history(
        _ rule: LineRule, _ suite: SimulatedSuite, change: Double, _ random: inout SplitMix64
    ) -> Int {
        var line = Answers(count: suite.count, score: suite.score, &random)
        var anchor = line
        var best = line.right.count { $0 }
        var attempt = 0
        var accepted = 0
        for _ in 0..<updates {
            let candidate = line.updated(flipRate: suite.flipRate, change: change, &random)
            attempt += 1
            let standing = candidate.standing(against: rule == .parent ? line : anchor)
            let alpha = rule == .pawl ? AlphaSpending.alpha(attempt: attempt) : AlphaSpending.budget
            let bounds = Tango.bounds(
                b: standing.lost, c: standing.won, count: suite.count, alpha: alpha)
            guard bounds.lower > -suite.margin else { continue }
            accepted += 1
            line = candidate
            let right = candidate.right.count { $0 }
            if rule == .pawl ? bounds.lower > 0 : rule == .best && right > best {
                anchor = candidate
                best = right
                attempt = 0
            }
        }
        return accepted
    }
}

/// Updates that change nothing on the whole: is the share that is accepted what `gate plan` says beforehand?
enum Unchanged {
    struct Row {
        var update: Int
        var predicted: Double
        var accepted: Share
    }

    static func run(_ suites: [SimulatedSuite], histories: Int, _ random: inout SplitMix64) -> [Row] {
        var predicted = [Double](repeating: 0, count: Drift.updates)
        var accepted = [Int](repeating: 0, count: Drift.updates)
        for _ in 0..<histories {
            var states = suites.map { State($0, &random) }
            for update in 0..<Drift.updates {
                predicted[update] += states.reduce(1) { $0 * $1.plannedChance }
                for index in states.indices { states[index].judge(&random) }
                let holds = states.allSatisfy(\.holds)
                accepted[update] += holds ? 1 : 0
                for index in states.indices { states[index].conclude(isAccepted: holds) }
            }
        }
        return (0..<Drift.updates).map {
            Row(
                update: $0 + 1, predicted: predicted[$0] / Double(histories),
                accepted: Share(yes: accepted[$0], count: histories))
        }
    }

    /// One suite along a line.
    private struct State {
        let suite: SimulatedSuite
        var anchor: Answers
        var line: Answers
        var candidate: Answers
        var bounds = Bounds(lower: 0, upper: 0)
        var attempt = 1
        /// Flips of the newest ten updates that did not regress, as the plan reads them from verdicts.
        var flips: [Int] = []

        init(_ suite: SimulatedSuite, _ random: inout SplitMix64) {
            self.suite = suite
            anchor = Answers(count: suite.count, score: suite.score, &random)
            line = anchor
            candidate = anchor
        }

        var holds: Bool { bounds.lower > -suite.margin }

        var plannedChance: Double {
            let rate =
                flips.isEmpty
                ? FlipRate.assumed
                : FlipRate(flipped: flips.reduce(0, +), of: flips.count * suite.count)
            return line.standing(against: anchor).successorHolds(
                flipRate: rate.rate, margin: suite.margin, alpha: AlphaSpending.alpha(attempt: attempt))
        }

        mutating func judge(_ random: inout SplitMix64) {
            candidate = line.updated(flipRate: suite.flipRate, change: 0, &random)
            let standing = candidate.standing(against: anchor)
            bounds = Tango.bounds(
                b: standing.lost, c: standing.won, count: suite.count,
                alpha: AlphaSpending.alpha(attempt: attempt))
            attempt += 1
            if bounds.upper >= -suite.margin { flips = (flips + [candidate.flips(from: line)]).suffix(10) }
        }

        mutating func conclude(isAccepted: Bool) {
            guard isAccepted else { return }
            line = candidate
            if bounds.lower > 0 {
                anchor = candidate
                attempt = 1
            }
        }
    }
}

/// A candidate that is a margin worse, tried again and again.
enum Retries {
    static func everAccepted(
        _ suite: SimulatedSuite, isSpent: Bool, tries: Int, histories: Int, _ random: inout SplitMix64
    ) -> Share {
        var count = 0
        for _ in 0..<histories {
            let anchor = Answers(count: suite.count, score: suite.score, &random)
            let isAccepted = (1...tries).contains { attempt in
                let candidate = anchor.updated(
                    flipRate: suite.flipRate, change: -suite.margin, &random)
                let standing = candidate.standing(against: anchor)
                let alpha = isSpent ? AlphaSpending.alpha(attempt: attempt) : AlphaSpending.budget
                return Tango.bounds(
                    b: standing.lost, c: standing.won, count: suite.count, alpha: alpha
                ).lower > -suite.margin
            }
            count += isAccepted ? 1 : 0
        }
        return Share(yes: count, count: histories)
    }
}
