import Foundation
import PawlGate
import Randomness

/// Simulates years of updates: does the line stay where it was certified, does a plan tell the truth, does trying again
/// help, and what would other gates have done? docs/gate.md shows the output.
///
///     swift run -c release --package-path tools/bench/gate gate-histories [HISTORIES [SEED]]
///
/// Fails when a promise of docs/gate.md does not hold.
@main
struct Histories {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        let histories = arguments.first.flatMap { Int($0) } ?? 2000
        let seed = arguments.dropFirst().first.flatMap { UInt64($0) } ?? 20_261_123
        var random = SplitMix64(state: seed)
        print("\(histories) histories of \(Drift.updates) updates, seed \(seed) (SplitMix64)")
        // A seed of its own, so that the other figures do not depend on it.
        var other = SplitMix64(state: seed &+ 1)
        let problems =
            drift(histories, &random) + unchanged(histories, &random) + retries(histories, &random)
            + sequential(histories * 10, &other)
        peers(histories, &random)
        for problem in problems { print("\nPROBLEM: \(problem)") }
        print("\n\(problems.count) problems")
        if !problems.isEmpty { exit(1) }
    }

    static let usual = SimulatedSuite(count: 1500, flipRate: 0.05, margin: 0.02)

    static func drift(_ histories: Int, _ random: inout SplitMix64) -> [String] {
        print("\nEvery update truly 0.5 points worse; 1500 items, flip rate 0.05, margin 2 points\n")
        print("| compared with | mean end, points | ends more than the margin down |\n|---|---|---|")
        var problems: [String] = []
        for rule in LineRule.allCases {
            let outcome = Drift.run(rule, usual, change: -0.005, histories: histories, &random)
            let beyond = outcome.beyond(usual.margin)
            print("| \(rule.rawValue) | \(String(format: "%.2f", outcome.mean)) | \(beyond.text) |")
            if rule == .pawl, outcome.mean < -1 || beyond.value > 0.05 {
                problems.append("the line slides: \(outcome.mean) points, \(beyond.text) beyond the margin")
            }
        }
        return problems
    }

    static func unchanged(_ histories: Int, _ random: inout SplitMix64) -> [String] {
        let plans: [(String, [SimulatedSuite])] = [
            ("one suite", [usual]),
            (
                "four suites (1500, 600, 569 and 300 items at 2, 5, 5 and 10 points, flip rates 5, 1.2, 1 and 13%)",
                [
                    usual, SimulatedSuite(count: 600, flipRate: 0.012, margin: 0.05),
                    SimulatedSuite(count: 569, flipRate: 0.01, margin: 0.05),
                    SimulatedSuite(count: 300, flipRate: 0.13, margin: 0.1),
                ]
            ),
        ]
        var problems: [String] = []
        for (name, suites) in plans {
            let rows = Unchanged.run(suites, histories: histories, &random)
            print("\nNothing changed, \(name): the plan's chance beforehand, and what was accepted\n")
            print("| update | planned | accepted |\n|---|---|---|")
            for row in rows where [1, 2, 3, 5, 10, 20].contains(row.update) {
                print(
                    "| \(row.update) | \(String(format: "%.1f%%", row.predicted * 100)) | \(row.accepted.text) |"
                )
            }
            // The first plan assumes a flip rate; from the second on it is measured.
            let known = rows.dropFirst()
            let planned = known.reduce(0) { $0 + $1.predicted } / Double(known.count)
            let accepted = known.reduce(0) { $0 + $1.accepted.value } / Double(known.count)
            let line = [planned, accepted].map { String(format: "%.1f%%", $0 * 100) }
            print("| 2 to 20 | \(line[0]) | \(line[1]) |")
            if abs(planned - accepted) > 0.02 {
                problems.append("\(name): planned \(planned), got \(accepted)")
            }
        }
        return problems
    }

    static func retries(_ histories: Int, _ random: inout SplitMix64) -> [String] {
        print("\nA candidate that is truly a margin worse, tried 20 times: ever accepted?\n")
        print("| items | flip rate | margin | alpha spent | every try at 0.05 |\n|---|---|---|---|---|")
        var problems: [String] = []
        for suite in [
            usual, SimulatedSuite(count: 500, flipRate: 0.1, margin: 0.05),
            SimulatedSuite(count: 200, flipRate: 0.1, margin: 0.05),
        ] {
            let shares = [true, false].map {
                Retries.everAccepted(suite, isSpent: $0, tries: 20, histories: histories, &random)
            }
            print(
                "| \(suite.count) | \(suite.flipRate) | \(suite.margin) | \(shares[0].text) | \(shares[1].text) |"
            )
            if shares[0].value - 2 * shares[0].error > 0.06 {
                problems.append("\(suite.count) items: \(shares[0].text) of retries get through")
            }
        }
        return problems
    }

    static func sequential(_ runs: Int, _ random: inout SplitMix64) -> [String] {
        print("\nOne update judged look by look (equal parts), \(runs) runs; first attempt, alpha 0.0304\n")
        print(
            "| items | flip rate | margin | looks | alpha | loss of the margin accepted | unchanged accepted | "
                + "undecided | items used |\n|---|---|---|---|---|---|---|---|---|")
        var problems: [String] = []
        for suite in [
            usual, SimulatedSuite(count: 1500, flipRate: 0.1, margin: 0.05),
            SimulatedSuite(count: 500, flipRate: 0.1, margin: 0.05),
        ] {
            for looks in [1, 2, 3, 5] {
                for rule in Sequential.Rule.allCases where looks > 1 || rule == .pawl {
                    let worse = Sequential.run(
                        suite, looks: looks, rule, change: -suite.margin, runs: runs, &random)
                    let same = Sequential.run(suite, looks: looks, rule, change: 0, runs: runs, &random)
                    let used = Double(same.used) / Double(runs * suite.count)
                    print(
                        "| \(suite.count) | \(suite.flipRate) | \(suite.margin) | \(looks) | "
                            + "\(looks == 1 ? "at once" : rule.rawValue) | \(worse.acceptedShare.text) | "
                            + "\(same.acceptedShare.text) | \(same.undecidedShare.text) | "
                            + "\(String(format: "%.0f%%", used * 100)) |")
                    if rule == .pawl, worse.acceptedShare.value > 0.05 {
                        problems.append(
                            "\(suite.count) items, \(looks) looks: \(worse.acceptedShare.text) false accepts")
                    }
                }
            }
        }
        return problems
    }

    static func peers(_ runs: Int, _ random: inout SplitMix64) {
        print("\nOne update by the rules of other gates; base score 75%, flip rate 0.10\n")
        print(
            "| rule | items | margin | loss of the margin accepted | unchanged rejected | unchanged undecided |"
        )
        print("|---|---|---|---|---|---|")
        for (count, margin) in [(100, 0.05), (300, 0.05), (1500, 0.02)] {
            let suite = SimulatedSuite(count: count, flipRate: 0.1, margin: margin)
            // The same suites for every rule.
            let worse = updates(suite, change: -margin, runs, &random)
            let same = updates(suite, change: 0, runs, &random)
            for rule in PeerRule.allCases {
                func share(_ updates: [Update], _ decision: Decision) -> Share {
                    Share(yes: updates.count { $0.decide(rule, margin) == decision }, count: runs)
                }
                print(
                    "| \(rule.rawValue) | \(count) | \(margin) | \(share(worse, .accept).text) | "
                        + "\(share(same, .reject).text) | \(share(same, .undecided).text) |")
            }
        }
    }

    struct Update {
        let standing: Standing

        func decide(_ rule: PeerRule, _ margin: Double) -> Decision {
            let score = Double(standing.bothRight + standing.won) / Double(standing.count)
            return rule.decide(
                b: standing.lost, c: standing.won, count: standing.count, margin: margin, score: score,
                base: 0.75)
        }
    }

    static func updates(
        _ suite: SimulatedSuite, change: Double, _ runs: Int, _ random: inout SplitMix64
    ) -> [Update] {
        (0..<runs).map { _ in
            let anchor = Answers(count: suite.count, score: suite.score, &random)
            let candidate = anchor.updated(flipRate: suite.flipRate, change: change, &random)
            return Update(standing: candidate.standing(against: anchor))
        }
    }
}
