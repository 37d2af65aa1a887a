import Foundation
import PawlCore
import Testing

@testable import PawlGate

@Suite("Comparisons and verdicts")
struct VerdictTests {
    /// Candidate against anchor on `n` items of which the anchor alone has `b` right and the candidate alone `c`.
    private func prior(_ n: Int, b: Int, c: Int, margin: Double = 0.05, attempt: Int = 1) throws
        -> SuiteComparison
    {
        let suite = try suite(count: n)
        return try .prior(
            suite, candidate: suite.evidence { $0 < b ? "no" : "x" }, anchor: anchorDigest,
            anchorEvidence: suite.evidence { (b..<b + c).contains($0) ? "no" : "x" }, margin: margin,
            attempt: attempt)
    }

    private func new(_ n: Int, b: Int, c: Int) throws -> SuiteComparison {
        let suite = try suite(count: n)
        return try .new(
            suite, candidate: suite.evidence { $0 < b ? "no" : "x" }, parent: anchorDigest,
            parentEvidence: suite.evidence { (b..<b + c).contains($0) ? "no" : "x" }, attempt: 1)
    }

    @Test(
        "A prior suite holds, has regressed, or is undecided",
        arguments: [
            (200, 0, 0, SuiteState.held), (200, 3, 3, .held), (200, 15, 15, .undecided),
            (200, 60, 5, .regressed),
            (20, 0, 0, .undecided), (20, 2, 0, .undecided), (20, 20, 0, .regressed), (200, 0, 60, .held),
        ])
    func priorStates(n: Int, b: Int, c: Int, state: SuiteState) throws {
        let comparison = try prior(n, b: b, c: c)
        #expect(comparison.state == state, "\(comparison.lower) ... \(comparison.upper)")
        #expect(comparison.b == b && comparison.c == c && comparison.count == n)
        #expect(comparison.difference == Double(c - b) / Double(n))
        #expect(comparison.isSuperior == (comparison.lower > 0))
    }

    @Test(
        "A new skill is gained, ruled out, or undecided",
        arguments: [
            (100, 0, 40, SuiteState.gained), (100, 3, 6, .undecided), (100, 20, 2, .notGained),
            (100, 0, 0, .undecided),
            (60, 0, 3, .undecided), (60, 0, 4, .gained),
        ])
    func newStates(n: Int, b: Int, c: Int, state: SuiteState) throws {
        let comparison = try new(n, b: b, c: c)
        #expect(comparison.state == state, "\(comparison.lower) ... \(comparison.upper)")
        #expect(comparison.margin == 0)
    }

    @Test("A bound exactly at the line does not count as shown")
    func boundaries() {
        #expect(SuiteComparison.state(.prior, lower: -0.05, upper: 0, margin: 0.05) == .undecided)
        #expect(SuiteComparison.state(.prior, lower: -0.1, upper: -0.05, margin: 0.05) == .undecided)
        #expect(SuiteComparison.state(.new, lower: 0, upper: 0.1, margin: 0) == .undecided)
        #expect(SuiteComparison.state(.new, lower: -0.1, upper: 0, margin: 0) == .notGained)
    }

    @Test("A drop inside the margin is flagged, and a superior candidate too")
    func flags() throws {
        let drop = try prior(1000, b: 20, c: 2)
        #expect(drop.state == .held && drop.isSignificantDrop && !drop.isSuperior)
        let better = try prior(200, b: 0, c: 20)
        #expect(better.state == .held && better.isSuperior && !better.isSignificantDrop)
    }

    @Test("Later attempts are judged at a smaller alpha")
    func attempts() throws {
        let first = try prior(200, b: 4, c: 4)
        let fifth = try prior(200, b: 4, c: 4, attempt: 5)
        #expect(abs(fifth.alpha - first.alpha / 25) < 1e-17)
        #expect(fifth.lower < first.lower && fifth.upper > first.upper)
        #expect(first.state == .held && fifth.state == .undecided)
    }

    @Test(
        "Every row of the decision",
        arguments: [
            ([SuiteState.gained, .held, .held], Verdict.Decision.accept), ([.gained], .accept),
            ([.held], .accept),
            ([.gained, .held, .undecided], .inconclusive), ([.undecided, .held], .inconclusive),
            ([.gained, .regressed, .held], .reject), ([.undecided, .regressed], .reject),
            ([.notGained, .held], .reject),
            ([.notGained, .undecided], .reject), ([], .inconclusive),
        ])
    func decisions(states: [SuiteState], decision: Verdict.Decision) {
        #expect(Verdict.decide(states: states) == decision)
    }

    @Test("What the anchor did not answer counts for it; what neither answered is a tie")
    func unanswered() throws {
        let suite = try suite(count: 4)
        func answers(_ texts: [String?]) throws -> Evidence {
            try suite.grade(
                texts.enumerated().compactMap { i, text in
                    text.map {
                        ItemAnswer(id: "i\(i)", outcome: .response($0, isTruncated: false, tokens: 1))
                    }
                })
        }
        let comparison = try SuiteComparison.prior(
            suite, candidate: answers(["x", "no", nil, nil]), anchor: anchorDigest,
            anchorEvidence: answers([nil, nil, nil, "x"]), margin: 0.05, attempt: 1)
        #expect(comparison.b == 2 && comparison.c == 0)
        #expect(comparison.candidateUnanswered == 2 && comparison.anchorUnanswered == 3)
        let itself = try SuiteComparison.prior(
            suite, candidate: answers(["x", nil, "no", nil]), anchor: anchorDigest,
            anchorEvidence: answers(["x", nil, "no", nil]), margin: 0.05, attempt: 1)
        #expect(itself.b == 0 && itself.c == 0)
    }

    @Test("Evidence of other items than the suite's is no verdict")
    func otherItems() throws {
        let small = try suite(count: 3)
        let large = try suite(count: 4)
        let fine = try large.evidence { _ in "x" }
        let other = try small.evidence { _ in "x" }
        for (candidate, anchor) in [(other, other), (fine, other), (other, fine)] {
            let error = pawlError {
                _ = try SuiteComparison.prior(
                    large, candidate: candidate, anchor: anchorDigest, anchorEvidence: anchor, margin: 0.05,
                    attempt: 1)
            }
            #expect(error?.code == .evidenceInvalid)
        }
        for margin in [0, -0.1, 1, .nan] {
            let error = pawlError {
                _ = try SuiteComparison.prior(
                    large, candidate: fine, anchor: anchorDigest, anchorEvidence: fine, margin: margin,
                    attempt: 1)
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test("Clusters are broken down; for a mean they widen the bounds")
    func clusters() throws {
        let plain = try suite(count: 40, metric: "mean")
        let grouped = try suite(count: 40, metric: "mean") { "p\($0 / 10)" }
        func compare(_ suite: Suite) throws -> SuiteComparison {
            try .prior(
                suite, candidate: suite.evidence { $0 < 10 ? "x y" : "x" }, anchor: anchorDigest,
                anchorEvidence: suite.evidence { _ in "x" }, margin: 0.2, attempt: 1)
        }
        let one = try compare(plain)
        let two = try compare(grouped)
        #expect(one.method == .pairedT && two.method == .clusteredT)
        #expect(one.clusters.isEmpty)
        #expect(two.clusters.map(\.name) == ["p0", "p1", "p2", "p3"])
        #expect(two.clusters[0].candidateScore < 0.7 && two.clusters[0].b == 10)
        #expect(two.lower < one.lower)
        #expect(one.b == 10 && one.c == 0)
    }

    @Test("A report reads back, names everything it rests on, and says why in sentences")
    func report() throws {
        let report = VerdictReport(
            kind: .registration, candidate: candidateDigest, parent: anchorDigest,
            skill: .init(name: "tool-use", version: "1.0.0", digest: Digest(of: "skill")),
            suites: [try prior(200, b: 60, c: 5), try prior(200, b: 0, c: 0), try new(100, b: 0, c: 40)],
            created: Timestamp(milliseconds: 1_795_000_000_000))
        #expect(report.decision == .reject)
        #expect(report.suites.map(\.role) == [.new, .prior, .prior])
        #expect(report.reasons[0] == "Rejected: capitals lost more than the margin.")
        #expect(
            report.reasons.count == 4 && report.reasons.allSatisfy { !$0.contains("\n") && $0.hasSuffix(".") }
        )
        let bytes = try JSON.canonical(report)
        let again = try JSON.decode(VerdictReport.self, from: bytes, source: "verdict")
        #expect(again == report)
        #expect(try JSON.canonical(again) == bytes)
        let value = try JSON.parse(bytes, source: "verdict")
        #expect(value["type"]?.string == "verdict")
        #expect(value["suites"]?.array?.first?["candidate_evidence"]?.string?.count == 64)
    }

    @Test("The report keeps its form: Fixtures/verdict.json, which tools/fixtures/gate_schemas.py checks")
    func form() throws {
        let clustered = try suite(count: 40, metric: "mean") { $0 < 20 ? "p\($0 / 5)" : nil }
        let mean = try SuiteComparison.prior(
            clustered, candidate: clustered.evidence { $0 < 3 ? "x y" : "x" }, anchor: anchorDigest,
            anchorEvidence: clustered.evidence { _ in "x" }, margin: 0.25, attempt: 2,
            settings: Digest(of: "settings"))
        let report = VerdictReport(
            kind: .registration, candidate: candidateDigest, parent: anchorDigest,
            skill: .init(name: "tool-use", version: "1.0.0", digest: Digest(of: "skill")),
            suites: [try prior(200, b: 1, c: 2), mean, try new(100, b: 2, c: 40)],
            created: Timestamp(milliseconds: 1_795_000_000_000))
        let written = String(decoding: try JSON.pretty(report), as: UTF8.self)
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "Fixtures/verdict.json")
        if ProcessInfo.processInfo.environment["PAWL_UPDATE_FIXTURES"] == "1" {
            try Data(written.utf8).write(to: file)
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == written)
    }

    @Test("Each state has its sentence")
    func sentences() throws {
        #expect(
            try prior(200, b: 0, c: 0).sentence
                == "capitals: 100.0% against 100.0% of its anchor \(anchorDigest.short) (0 won, 0 lost of 200); it holds: "
                + "with 97.0% confidence the change is above -1.7 points, inside the margin of 5.0 points.")
        #expect(try prior(200, b: 60, c: 5).sentence.contains("it regressed"))
        #expect(try prior(20, b: 1, c: 1).sentence.contains("undecided"))
        #expect(try new(100, b: 0, c: 40).sentence.contains("it gained"))
        #expect(try new(100, b: 20, c: 2).sentence.contains("no gain"))
    }
}
