import Foundation
import PawlCore
import Testing

@testable import PawlGate

@Suite("Sealed items")
struct SealedTests {
    private func suite(_ n: Int, sealed: Double, margin: String = "0.05") throws -> Suite {
        try PawlGateTests.suite(
            members: ["sealed": "\(sealed)", "margin": margin],
            items: (0..<n).map { #"{"id":"i\#($0)","prompt":"q\#($0)","target":"w\#($0)"}"# })
    }

    @Test("about the share asked for is sealed, no item is in both parts, and a suite that grows keeps it so")
    func partition() throws {
        let suite = try suite(1000, sealed: 0.3)
        let sealed = try #require(suite.sealed)
        #expect(suite.items.count + sealed.items.count == 1000)
        // Three standard deviations of a binomial.
        let deviation = (1000 * 0.3 * 0.7).squareRoot()
        let distance = abs(Double(sealed.items.count) - 300)
        #expect(distance < 3 * deviation)
        #expect(Set(suite.items.map(\.digest)).isDisjoint(with: sealed.items.map(\.digest)))
        #expect(sealed.digest == suite.digest && sealed.isSealed && sealed.sealed == nil)
        let larger = try self.suite(2000, sealed: 0.3)
        let kept = Set(larger.sealedItems.map(\.digest))
        #expect(sealed.items.allSatisfy { kept.contains($0.digest) })
        #expect(try self.suite(100, sealed: 0).sealed == nil)
    }

    @Test("an engine and a grader see the open items alone")
    func closed() throws {
        let suite = try suite(200, sealed: 0.5)
        let requests = String(decoding: try suite.requests(), as: UTF8.self)
        #expect(requests.split(separator: "\n").count == suite.items.count)
        for item in suite.sealedItems { #expect(!requests.contains("\"\(item.id)\"")) }
        let stray = try #require(suite.sealedItems.first)
        #expect(
            pawlError {
                _ = try suite.grade([ItemAnswer(id: stray.id, outcome: .failed("?"))])
            }?.code == .evidenceInvalid)
    }

    @Test("a demonstration that gives a sealed item away is found")
    func contamination() throws {
        let suite = try suite(60, sealed: 0.5)
        let item = try #require(suite.sealedItems.first)
        let line =
            "{\"id\":\"d\",\"prompt\":\"\(item.input.messages.last?.content ?? "")\",\"completion\":\"w\"}\n"
        let demonstrations = try Demonstration.read(Array(line.utf8), source: "demonstrations")
        #expect(Contamination(suite).overlaps(with: demonstrations).map(\.item) == [item.id])
    }

    @Test("a share that leaves a part empty, or is none, is refused")
    func refused() {
        #expect(pawlError { _ = try suite(1, sealed: 0.5) }?.message.contains("too few to seal") == true)
        for share in [-0.1, 0.6] {
            #expect(pawlError { _ = try suite(50, sealed: share) }?.message.contains("sealed") == true)
        }
    }

    @Test("the sealed part decides with the open one: where it regressed or is undecided, so is the verdict")
    func verdict() throws {
        let suite = try suite(600, sealed: 0.4, margin: "0.1")
        let sealed = try #require(suite.sealed)
        func compare(_ part: Suite, lost: Int) throws -> SuiteComparison {
            let right = try part.evidence { part.items[$0].targets[0] }
            let candidate = try part.evidence { $0 < lost ? "?" : part.items[$0].targets[0] }
            return try .prior(
                part, candidate: candidate, anchor: anchorDigest, anchorEvidence: right, margin: 0.1,
                attempt: 1)
        }
        func decide(_ lost: Int) throws -> VerdictReport {
            VerdictReport(
                kind: .importation, candidate: candidateDigest, parent: anchorDigest,
                suites: [try compare(suite, lost: 0)], sealed: [try compare(sealed, lost: lost)],
                created: Timestamp(milliseconds: 0))
        }
        #expect(try decide(0).decision == .accept)
        let rejected = try decide(100)
        #expect(rejected.decision == .reject)
        #expect(rejected.reasons[0].contains("the sealed part of capitals"))
        #expect(rejected.reasons.last?.hasPrefix("Sealed part of capitals: ") == true)
        #expect(try decide(20).decision == .inconclusive)
    }

    @Test("a plan counts the sealed items: their chance is a factor, and too few of them are an obstacle")
    func plan() throws {
        let row = PriorPlan(
            try suite(800, sealed: 0.25, margin: "0.1"), anchor: anchorDigest, attempt: 1, opening: 2,
            flipRate: .assumed, among: 1)
        let sealed = try #require(row.sealed)
        #expect(row.count + sealed.count == 800 && sealed.opening == 2)
        #expect(sealed.alpha == AlphaSpending.alpha(attempt: 2))
        #expect(
            GatePlan(priors: [row], new: nil).unchangedPasses == row.unchangedHolds * sealed.unchangedHolds)
        let small = PriorPlan(
            try suite(400, sealed: 0.05), anchor: anchorDigest, attempt: 1, flipRate: .assumed, among: 1)
        #expect(small.canHold && small.sealed?.canHold == false)
        #expect(GatePlan(priors: [small], new: nil).obstacles.contains { $0.contains("sealed items") })
    }
}
