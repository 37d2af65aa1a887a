import PawlCore
import Testing

@testable import PawlGate

@Suite("Answers and evidence")
struct EvidenceTests {
    private func three() throws -> Suite {
        try suite(
            items: ["a", "b", "c"].map { #"{"id":"\#($0)","prompt":"q\#($0)","target":"x","cluster":"k"}"# })
    }

    private func result(_ id: String, _ score: Double = 1) -> ItemResult {
        ItemResult(id: id, item: Digest(of: id), score: score, response: "r")
    }

    @Test("What an engine writes is read, with file, line and field where it is wrong")
    func answers() throws {
        let text = #"""
            {"id":"a","response":"x","finish":"stop","tokens":3,"extra":1}
            {"id":"b","log_likelihoods":[-1,-2.5],"tokens":[1,2]}

            {"id":"c","error":"too long"}
            """#
        let answers = try ItemAnswer.read(Array(text.utf8), source: "items.jsonl")
        #expect(
            answers.map(\.outcome) == [
                .response("x", isTruncated: false, tokens: 3), .logLikelihoods([-1, -2.5], tokens: [1, 2]),
                .failed("too long"),
            ])
        let bad = pawlError {
            _ = try ItemAnswer.read(
                Array("\n{\"id\":\"a\",\"response\":\"x\",\"finish\":\"eos\"}".utf8), source: "items.jsonl")
        }
        #expect(bad?.code == .evidenceInvalid)
        #expect(bad?.message == "items.jsonl, line 2, field finish: \"eos\" is not one of stop, length")
    }

    @Test("A missing, failed or truncated answer scores 0 and says which")
    func unanswered() throws {
        let evidence = try three().grade([
            ItemAnswer(id: "b", outcome: .failed("too long")),
            ItemAnswer(id: "c", outcome: .response("x", isTruncated: true, tokens: 64)),
        ])
        let status = Dictionary(uniqueKeysWithValues: evidence.results.map { ($0.id, $0.status) })
        #expect(status == ["a": .missing, "b": .failed, "c": .truncated])
        #expect(evidence.score == 0)
        #expect(evidence.results.first { $0.id == "b" }?.error == "too long")
    }

    @Test("An answer that was not asked for is no evidence")
    func strayAnswers() throws {
        let suite = try three()
        let fine = ItemAnswer(id: "a", outcome: .response("x", isTruncated: false, tokens: nil))
        let wrong: [([ItemAnswer], String)] = [
            ([fine, fine], "is answered twice"),
            ([ItemAnswer(id: "z", outcome: .failed("?"))], "the suite has no such item"),
            (
                [ItemAnswer(id: "a", outcome: .logLikelihoods([-1], tokens: nil))],
                "where a response was asked for"
            ),
        ]
        for (answers, words) in wrong {
            let error = pawlError { _ = try suite.grade(answers) }
            #expect(error?.code == .evidenceInvalid)
            #expect(error?.message.contains(words) == true)
        }
        let choices = try PawlGateTests.suite(
            grader: #"{"kind":"multiple_choice","normalisation":"tokens"}"#,
            items: [#"{"id":"a","prompt":"q","choices":["x","y"],"answer":1}"#])
        for outcome in [
            ItemAnswer.Outcome.logLikelihoods([-1], tokens: [1, 1]), .logLikelihoods([-1, -2], tokens: nil),
            .logLikelihoods([-1, -2], tokens: [1, 0]), .response("x", isTruncated: false, tokens: 1),
        ] {
            let error = pawlError { _ = try choices.grade([ItemAnswer(id: "a", outcome: outcome)]) }
            #expect(error?.code == .evidenceInvalid)
        }
    }

    @Test("Evidence is the same whatever the order of the answers, and reads back bit for bit")
    func canonical() throws {
        let suite = try three()
        let answers = ["a", "b", "c"].map {
            ItemAnswer(
                id: $0, outcome: .response($0 == "b" ? "x" : "y \u{E9}\n", isTruncated: false, tokens: 1))
        }
        let evidence = try suite.grade(answers)
        #expect(try suite.grade(answers.reversed()).digest == evidence.digest)
        #expect(evidence.digest == Digest(of: evidence.bytes))
        #expect(evidence.results.map(\.item) == evidence.results.map(\.item).sorted())
        #expect(try Evidence(reading: evidence.bytes, source: "evidence") == evidence)
        #expect(evidence.score == 1.0 / 3)
    }

    @Test("Evidence that was tampered with is refused")
    func tampered() throws {
        let evidence = try three().grade([])
        let text = String(decoding: evidence.bytes, as: UTF8.self)
        let lines = text.split(separator: "\n").map(String.init)
        let damaged = [
            text.replacing("missing", with: "ok").replacing("\"score\":0", with: "\"score\":2"),
            text.replacing("\"score\":0", with: "\"score\":1"), text.replacing(",", with: ", "),
            lines.reversed().joined(separator: "\n") + "\n", lines[0] + "\n" + lines[0] + "\n", "", "{}\n",
        ]
        for text in damaged {
            #expect(
                pawlError { _ = try Evidence(reading: Array(text.utf8), source: "evidence") }?.code
                    == .evidenceInvalid)
        }
    }

    @Test("Pairing is by content, never by order, and unequal sets are an error")
    func pairing() throws {
        let one = try Evidence(["a", "b", "c"].map { result($0) })
        let two = try Evidence(["c", "a", "b"].map { result($0, 0) })
        let pairs = try one.paired(with: two)
        #expect(pairs.count == 3)
        #expect(pairs.allSatisfy { $0.0.item == $0.1.item && $0.0.score == 1 && $0.1.score == 0 })
        for other in [["a", "b"], ["a", "b", "d"], ["a", "b", "c", "d"]] {
            let error = pawlError { _ = try one.paired(with: Evidence(other.map { result($0) })) }
            #expect(error?.code == .evidenceInvalid)
        }
    }

    @Test("A single score has Wilson's interval, a mean the interval of t")
    func interval() throws {
        let suite = try PawlGateTests.suite(count: 50)
        let evidence = try suite.evidence { $0 < 40 ? "x" : "y" }
        let interval = evidence.interval(metric: .accuracy)
        #expect(interval == .wilson(successes: 40, count: 50))
        #expect(interval.score == 0.8 && interval.lower > 0.66 && interval.upper < 0.9)
        let mean = evidence.interval(metric: .mean)
        #expect(mean.lower < 0.8 && mean.upper > 0.8 && mean.upper <= 1)
    }
}
