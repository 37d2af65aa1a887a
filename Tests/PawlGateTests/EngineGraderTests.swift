import Foundation
import PawlCore
import Testing

@testable import PawlGate

@Suite("Suites that an engine scores")
struct EngineGraderTests {
    private static func grader(_ more: String = "") -> String {
        #"{"kind":"engine","engine":"harness","task":{"name":"t"}\#(more)}"#
    }

    private static func item(_ index: Int) -> String {
        #"{"id":"i\#(index)","prompt":"q\#(index)","target":"x","document":"d\#(index)"}"#
    }

    private func make(
        count: Int = 20, grader: String = Self.grader(), metric: String = "accuracy",
        files: [String: String] = [:], more: [String: String] = [:]
    ) throws -> Suite {
        var members = ["metric": "\"\(metric)\""]
        members.merge(more) { $1 }
        var all = ["suite.json": suiteManifest(members, grader: grader)]
        all["items.jsonl"] = (0..<count).map { Self.item($0) + "\n" }.joined()
        all.merge(files) { $1 }
        let folder = try TemporaryFolder(all)
        return try withExtendedLifetime(folder) { try Suite(loading: folder.url) }
    }

    /// Evidence in which so many items are right, as an engine gives it.
    private func evidence(_ suite: Suite, right: Int, blind: Double = 0, salt: String = "") throws -> Evidence
    {
        try suite.grade(
            suite.items.enumerated().map { index, item in
                ItemAnswer(
                    id: item.id,
                    outcome: .scored(
                        EngineScore(
                            score: index < right ? 1 : 0, blind: blind, response: "r\(index)",
                            prompt: Digest(of: salt + item.id))))
            })
    }

    @Test("the engine's scores are the evidence, and the items it is given name their documents")
    func scores() throws {
        let suite = try make()
        let evidence = try evidence(suite, right: 15)
        #expect(evidence.score == 0.75 && evidence.results.allSatisfy { $0.prompt != nil && $0.blind == 0 })
        #expect(throws: Never.self) { try suite.check(evidence) }
        #expect(try Evidence(reading: evidence.bytes, source: "e") == evidence)
        let lines = try JSON.decodeLines(JSONValue.self, from: suite.requests(), source: "requests")
        #expect(lines.map { $0["document"]?.string } == (0..<20).map { "d\($0)" })
        #expect(lines.allSatisfy { $0["target"] == nil })
    }

    @Test("an item's digest covers its document, and without one it is what it always was")
    func digest() throws {
        let plain = try suite(items: [#"{"id":"a","prompt":"q","target":"x"}"#])
        #expect(plain.items[0].document == nil)
        #expect(
            plain.items[0].digest
                == Digest(of: Array(#"{"choices":[],"input":{"prompt":"q"},"targets":["x"]}"#.utf8)))
        let one = try make().items[0].digest
        let other = try Suite(
            manifest: Array(suiteManifest(grader: Self.grader()).utf8),
            items: Array(#"{"id":"i0","prompt":"q0","target":"x","document":"other"}"#.utf8))
        #expect(one != other.items[0].digest)
    }

    @Test("the files of the task are part of the suite's digest, by name and content")
    func files() throws {
        let grader = Self.grader(#","files":["a.yaml","b.jsonl"]"#)
        func digest(_ a: String, _ b: String, _ grader: String = grader) throws -> Digest {
            try make(grader: grader, files: ["a.yaml": a, "b.jsonl": b]).digest
        }
        let whole = try digest("one", "two")
        #expect(try digest("one", "two") == whole)
        #expect(try digest("one", "three") != whole && digest("two", "one") != whole)
        #expect(
            try digest("one", "two", Self.grader(#","files":["b.jsonl","a.yaml"]"#)) != whole)
        #expect(
            try make(grader: grader, files: ["a.yaml": "1", "b.jsonl": "2"]).files.map(\.name) == [
                "a.yaml", "b.jsonl",
            ])
        #expect(pawlError { _ = try self.make(grader: grader) } != nil)
    }

    @Test(
        "mistakes in the manifest are named",
        arguments: [
            (#"{"kind":"engine","task":{}}"#, "engine"),
            (#"{"kind":"engine","engine":"harness"}"#, "task"),
            (#"{"kind":"engine","engine":"harness","task":"t"}"#, "must be an object"),
            (#"{"kind":"engine","engine":"harness","task":{},"file":[]}"#, "did you mean \"files\""),
            (#"{"kind":"engine","engine":"harness","task":{},"files":["../x"]}"#, "not the name of a file"),
            (#"{"kind":"engine","engine":"harness","task":{},"files":["x","x"]}"#, "named twice"),
            (#"{"kind":"engine","engine":"harness","task":{},"binary":false}"#, "the metric must be mean"),
        ])
    func malformed(grader: String, message: String) {
        #expect(pawlError { _ = try self.make(grader: grader) }?.message.contains(message) == true)
    }

    @Test("the task says where an answer ends, an item names its document, and other graders take none")
    func refusals() throws {
        let decoding = pawlError { _ = try self.make(more: ["decoding": #"{"max_tokens":9}"#]) }
        #expect(decoding?.message.contains("only template may be given") == true)
        let bare = pawlError {
            _ = try suite(grader: Self.grader(), items: [#"{"id":"a","prompt":"q","target":"x"}"#])
        }
        #expect(bare?.message.contains("field document: is missing") == true)
        let stray = pawlError { _ = try suite(items: [Self.item(0)]) }
        #expect(stray?.message.contains("knows no documents") == true)
    }

    @Test("a score out of range, or an answer of the gate's own kinds, is no evidence")
    func invalid() throws {
        let suite = try make(count: 1)
        func error(_ outcome: ItemAnswer.Outcome) -> PawlError? {
            pawlError { _ = try suite.grade([ItemAnswer(id: "i0", outcome: outcome)]) }
        }
        let prompt = Digest(of: "p")
        let outcomes: [ItemAnswer.Outcome] = [
            .scored(EngineScore(score: 0.5, blind: 0, response: "", prompt: prompt)),
            .scored(EngineScore(score: 1, blind: 0.5, response: "", prompt: prompt)),
            .scored(EngineScore(score: 2, blind: 0, response: "", prompt: prompt)),
            .response("x", isTruncated: false, tokens: 1), .logLikelihoods([0, 1], tokens: nil),
        ]
        for outcome in outcomes { #expect(error(outcome)?.code == .evidenceInvalid) }
        #expect(error(.scored(EngineScore(score: 1, blind: 0, response: "", prompt: prompt))) == nil)
        let plain = try PawlGateTests.suite(count: 1)
        #expect(
            pawlError {
                _ = try plain.grade([
                    ItemAnswer(
                        id: "i0",
                        outcome: .scored(EngineScore(score: 1, blind: 0, response: "", prompt: prompt)))
                ])
            }?.code == .evidenceInvalid)
    }

    @Test("partial credit with the metric mean")
    func mean() throws {
        let suite = try make(grader: Self.grader(#","binary":false"#), metric: "mean")
        let graded = try suite.grade(
            suite.items.map { item in
                ItemAnswer(
                    id: item.id,
                    outcome: .scored(
                        EngineScore(score: 0.25, blind: 1.0 / 256, response: "r", prompt: Digest(of: "p"))))
            })
        #expect(graded.score == 0.25)
    }

    @Test("checkpoints that were shown different prompts are not compared")
    func prompts() throws {
        let suite = try make()
        let anchor = try evidence(suite, right: 10)
        let same = try evidence(suite, right: 12)
        #expect(
            try SuiteComparison.prior(
                suite, candidate: same, anchor: anchorDigest, anchorEvidence: anchor, margin: 0.3, attempt: 1
            ).c == 2)
        let other = try evidence(suite, right: 12, salt: "another chat template")
        let error = pawlError { _ = try other.paired(with: anchor) }
        #expect(error?.code == .evidenceInvalid && error?.message.contains("different prompts") == true)
    }

    @Test("the canary takes the engine's word for a blind answer")
    func canary() throws {
        let suite = try make(count: 100)
        let sound = try Canary(suite, evidence(suite, right: 90), margin: 0.1)
        #expect(sound.damagedScore == 0 && sound.damagedState == .regressed && sound.problem == nil)
        let chance = try Canary(suite, evidence(suite, right: 90, blind: 1), margin: 0.1)
        #expect(chance.problem?.contains("not above chance") == true)
    }

    @Test("a replay takes a stored score as the engine gave it, but not one that it could not have given")
    func replay() throws {
        let suite = try make(count: 2)
        let evidence = try evidence(suite, right: 1)
        func changed(_ change: (ItemResult) -> ItemResult) throws -> Evidence {
            try Evidence(evidence.results.map(change))
        }
        let half = try changed {
            ItemResult(
                id: $0.id, item: $0.item, score: 0.5, response: $0.response, blind: $0.blind,
                prompt: $0.prompt)
        }
        #expect(throws: PawlError.self) { try suite.check(half) }
        let unsaid = try changed { ItemResult(id: $0.id, item: $0.item, score: 1, response: $0.response) }
        #expect(throws: PawlError.self) { try suite.check(unsaid) }
    }

    @Test("a skill is not measured by an engine's task: its probe needs a grader")
    func skill() throws {
        let folder = try TemporaryFolder([
            "skill.json": #"{"name":"s","version":"1.0.0","suite":"suite.json"}"#,
            "demonstrations.jsonl": (0..<8).map { #"{"prompt":"p\#($0)","completion":"c"}"# + "\n" }.joined(),
            "suite.json": suiteManifest(grader: Self.grader()), "items.jsonl": Self.item(0),
        ])
        let error = pawlError { _ = try SkillFolder(loading: folder.url) }
        #expect(error?.message.contains("field grader: a skill's suite needs a grader of the gate") == true)
    }
}
