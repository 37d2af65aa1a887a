import Foundation
import PawlCore
import Testing

@testable import PawlGate

@Suite("Canaries")
struct CanaryTests {
    /// A suite whose n items each have a target of their own.
    private func words(_ n: Int) throws -> Suite {
        try suite(items: (0..<n).map { #"{"id":"i\#($0)","prompt":"q\#($0)","target":"w\#($0)"}"# })
    }

    private func choices(_ n: Int, answer: (Int) -> Int) throws -> Suite {
        try suite(
            grader: #"{"kind":"multiple_choice"}"#,
            items: (0..<n).map {
                #"{"id":"i\#($0)","prompt":"q\#($0)","choices":["a","b","c","d"],"answer":\#(answer($0))}"#
            })
    }

    /// Evidence in which item i chooses `choice(i)`.
    private func choosing(_ suite: Suite, _ choice: (Int) -> Int) throws -> Evidence {
        try suite.grade(
            suite.items.enumerated().map { i, item in
                ItemAnswer(
                    id: item.id,
                    outcome: .logLikelihoods((0..<4).map { $0 == choice(i) ? -1 : -2 }, tokens: nil))
            })
    }

    @Test("an able anchor passes, and its damaged double is rejected with nothing right")
    func able() throws {
        let suite = try words(100)
        let canary = try Canary(suite, suite.evidence { $0 < 80 ? "w\($0)" : "?" }, margin: 0.05)
        #expect(canary.problem == nil)
        #expect(canary.score == 0.8 && canary.damagedScore == 0 && canary.damagedState == .regressed)
        #expect(canary.distinctAnswers == 81)
    }

    @Test("the damage is the same every time, moves every answer, and is undone by no item of its own")
    func damage() throws {
        let suite = try words(30)
        let honest = try suite.evidence { "w\($0)" }
        let damaged = try suite.damaged(honest)
        #expect(try damaged == suite.damaged(honest))
        #expect(Set(damaged.results.map(\.response)) == Set(honest.results.map(\.response)))
        #expect(
            zip(damaged.results, honest.results).allSatisfy {
                $0.item == $1.item && $0.response != $1.response
            })
        #expect(throws: Never.self) { try suite.check(damaged) }
    }

    @Test("one answer to everything stops, be it right every time")
    func constant() throws {
        let suite = try suite(count: 200)  // every target is "x"
        let problem = try Canary(suite, suite.evidence { _ in "x" }, margin: 0.05).problem
        #expect(problem?.contains("every answer is the same") == true)
    }

    @Test("a score of nothing, and one at chance, are not above it")
    func chance() throws {
        let suite = try words(100)
        #expect(
            try Canary(suite, suite.evidence { "?\($0)" }, margin: 0.05).problem?.contains("chance") == true)
        let quiz = try choices(400) { $0 * 7 % 4 }
        let guesses = try choosing(quiz) { ($0 * $0 + $0 / 3) % 4 }
        #expect(abs(guesses.score - 0.25) < 0.1)
        #expect(try Canary(quiz, guesses, margin: 0.05).problem?.contains("not above chance") == true)
        #expect(try Canary(quiz, choosing(quiz) { $0 * 7 % 4 }, margin: 0.05).problem == nil)
    }

    @Test("choices whose right one stands first everywhere tell nothing")
    func position() throws {
        let quiz = try choices(200) { _ in 0 }
        let first = try choosing(quiz) { $0 < 150 ? 0 : 1 }
        #expect(try Canary(quiz, first, margin: 0.05).problem?.contains("chance") == true)
    }

    @Test("a margin as wide as the score would let a damaged model pass; a narrower one leaves it undecided")
    func margin() throws {
        let suite = try words(100)
        let weak = try suite.evidence { $0 < 12 ? "w\($0)" : "?\($0)" }
        #expect(try Canary(suite, weak, margin: 0.3).problem?.contains("would be accepted") == true)
        let open = try Canary(suite, weak, margin: 0.1)
        #expect(open.problem == nil && open.damagedState == .undecided)
    }

    @Test("a pattern without targets takes an answer's form away")
    func form() throws {
        let items = (0..<60).map { #"{"id":"i\#($0)","prompt":"q\#($0)"}"# }
        let strict = try suite(grader: #"{"kind":"regex","pattern":"^OK: .+"}"#, items: items)
        #expect(try Canary(strict, strict.evidence { "OK: yes \($0)" }, margin: 0.05).problem == nil)
        let loose = try suite(grader: #"{"kind":"regex","pattern":".+"}"#, items: items)
        #expect(try Canary(loose, loose.evidence { "OK: yes \($0)" }, margin: 0.05).problem != nil)
    }

    @Test(
        "comparisons carry a canary: prior suites always, a new one when it was gained; a replay makes the same"
    )
    func comparison() throws {
        let suite = try words(100)
        let able = try suite.evidence { "w\($0)" }
        let unable = try suite.evidence { "?\($0)" }
        let held = try SuiteComparison.prior(
            suite, candidate: able, anchor: anchorDigest, anchorEvidence: able, margin: 0.05, attempt: 1)
        #expect(held.canary == (try Canary(suite, able, margin: 0.05)))
        let gained = try SuiteComparison.new(
            suite, candidate: able, parent: anchorDigest, parentEvidence: unable, attempt: 1)
        #expect(gained.canary?.problem == nil && gained.canary?.score == 1)
        let lost = try SuiteComparison.new(
            suite, candidate: unable, parent: anchorDigest, parentEvidence: able, attempt: 1)
        #expect(lost.state == .notGained && lost.canary == nil)
        #expect(try held.replayed(suite, candidate: able, anchorEvidence: able) == held)
    }
}
