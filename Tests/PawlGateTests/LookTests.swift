import Foundation
import PawlCore
import Testing

@testable import PawlGate

@Suite("Looks at a suite")
struct LookTests {
    private func suite(_ n: Int, looks: Int) throws -> Suite {
        try PawlGateTests.suite(
            members: ["looks": "\(looks)"],
            items: (0..<n).map { #"{"id":"i\#($0)","prompt":"q\#($0)","target":"w\#($0)"}"# })
    }

    @Test(
        "the looks share the items out, the last one has all, and what they spend sums to the attempt's alpha"
    )
    func partition() throws {
        for looks in 2...Suite.mostLooks {
            let suite = try suite(400, looks: looks)
            var before = 0
            var spent = 0.0
            for index in 1...looks {
                let part = suite.first(index)
                let look = try #require(part.look)
                #expect(look.index == index && look.of == looks && look.before == before)
                #expect(look.used == part.items.count && look.total == 400)
                #expect(look.used - look.before == suite.adding(index).items.count && look.used > look.before)
                #expect(part.digest == suite.digest)
                before = look.used
                spent += part.alpha(attempt: 3)
            }
            #expect(suite.first(looks).items == suite.items)
            #expect(abs(spent - AlphaSpending.alpha(attempt: 3)) < 1e-15)
            #expect(suite.alpha(attempt: 1) == suite.first(looks).alpha(attempt: 1))
        }
    }

    @Test("an item's look depends on no other item, so a suite that grows keeps it")
    func growth() throws {
        let small = try suite(100, looks: 3)
        let large = try suite(300, looks: 3)
        for index in 1...3 {
            let kept = Set(large.adding(index).items.map(\.digest))
            #expect(small.adding(index).items.allSatisfy { kept.contains($0.digest) })
        }
    }

    @Test("a standing on a part tells the shares of the whole")
    func scaled() {
        let part = Standing(bothRight: 60, bothWrong: 21, lost: 10, won: 9)
        let whole = part.scaled(to: 333)
        #expect(whole.count == 333 && whole.lost == 33 && whole.won == 29 && whole.bothWrong == 69)
        #expect(part.scaled(to: 100) == part)
    }

    @Test("a suite without looks is judged at once, at the whole alpha")
    func single() throws {
        let suite = try suite(50, looks: 1)
        #expect(suite.first(1) == suite && suite.look == nil)
        #expect(suite.alpha(attempt: 2) == AlphaSpending.alpha(attempt: 2))
    }

    @Test("a comparison states its look and is judged at its share; a replay makes the same")
    func comparison() throws {
        let suite = try suite(300, looks: 2)
        let all = try suite.evidence { "w\($0)" }
        let part = suite.first(1)
        let first = try all.restricted(to: part)
        let comparison = try SuiteComparison.prior(
            part, candidate: first, anchor: anchorDigest, anchorEvidence: first, margin: 0.1, attempt: 1)
        #expect(comparison.look == part.look && comparison.count == part.items.count)
        let share = Double(comparison.count * comparison.count) / 90_000
        #expect(abs(comparison.alpha - AlphaSpending.alpha(attempt: 1) * share) < 1e-15)
        #expect(comparison.sentence.contains("Look 1 of 2, \(comparison.count) of 300 items."))
        #expect(try comparison.replayed(part, candidate: first, anchorEvidence: first) == comparison)
        #expect(throws: PawlError.self) { try first.restricted(to: suite) }
    }

    @Test("more looks than items can fill, or than make sense, are refused")
    func refused() {
        #expect(pawlError { _ = try suite(3, looks: 5) }?.message.contains("too few for 5 looks") == true)
        for looks in [0, 6] {
            #expect(pawlError { _ = try suite(100, looks: looks) }?.message.contains("looks") == true)
        }
    }

    @Test("a sample is always the same items, and two runs are compared on what was answered twice")
    func sample() throws {
        let suite = try suite(300, looks: 1)
        let sample = suite.sample(64)
        #expect(sample.items.count == 64 && sample.items == suite.sample(64).items)
        #expect(sample.digest == suite.digest && suite.sample(1000).items == suite.items)
        let all = try suite.evidence { "w\($0)" }
        let same = try all.restricted(to: sample)
        let quiet = try Noise(all, same)
        #expect(quiet.count == 64 && !quiet.isNoisy)
        let other = try suite.evidence { $0 < 100 ? "else" : "w\($0)" }.restricted(to: sample)
        let changed = sample.items.count { (Int($0.id.dropFirst()) ?? 0) < 100 }
        #expect(changed > 0)
        #expect(try Noise(all, other).changed == changed)
        #expect(throws: PawlError.self) { try Noise(same, all) }
    }
}
