import Foundation
import PawlCore
import Testing

@testable import PawlEngines

@Suite("Engines that score suites by a task")
struct TaskTests {
    /// A request with two items, one of a strong family of the test model and one of a weak one.
    private func request(
        _ shop: Workshop, parameters: JSONValue = [:], file: String = "text"
    ) throws -> EvaluationRequest {
        let folder = shop.workdir.appending(path: "task")
        try Files.createDirectory(folder)
        try Files.writeAtomically(Array("text".utf8), to: folder.appending(path: "a.txt"))
        let items = (0..<4).map { #"{"id":"i\#($0)","prompt":"p","document":"capitals \#($0)"}"# + "\n" }
        let suite = shop.workdir.appending(path: "requests.jsonl")
        try Files.writeAtomically(Array(items.joined().utf8), to: suite)
        return EvaluationRequest(
            model: ModelInput(directory: try Fixtures.base.get(), digest: Digest(of: "base")),
            suite: FileInput(path: suite, sha256: Digest(of: Array(items.joined().utf8))),
            settings: EvaluationSettings(),
            task: EvaluationTask(
                parameters: parameters, directory: folder,
                files: [.init(path: "a.txt", sha256: Digest(of: Array(file.utf8)))]),
            workdir: shop.workdir)
    }

    @Test("every item gets a score, what a blind answer would have scored and the digest of its prompt")
    func scores() async throws {
        let shop = try Workshop()
        let harness = try Fixtures.engine("harness")
        let result = try await harness.evaluate(try request(shop, parameters: ["blind": 1]), progress: nil)
        #expect(result.answers.map(\.id) == ["i0", "i1", "i2", "i3"])
        for answer in result.answers {
            guard case .score(let score, let blind, _, let prompt) = answer.outcome else {
                Issue.record("\(answer)")
                continue
            }
            #expect([0, 1].contains(score) && blind == 1 && prompt == Digest(of: "p"))
            let again = try JSON.decode(ItemAnswer.self, from: JSON.canonical(answer), source: "answer")
            #expect(again == answer)
        }
        let url = Fixtures.repository.appending(path: "schemas/protocol.json")
        let schema = Schema(root: try JSON.parse(Files.read(url), source: url.path))
        for line in try JSON.decodeLines(JSONValue.self, from: result.transcript.bytes, source: "transcript")
        {
            let message = try #require(line["message"])
            let party = line["from"] == "host" ? "host_message" : "engine_message"
            #expect(schema.problem(message, "#/$defs/\(party)") == nil, "\(message)")
        }
        for answer in result.answers {
            let value = try JSON.parse(JSON.canonical(answer), source: "answer")
            #expect(schema.problem(value, "#/$defs/item_answer") == nil)
        }
    }

    @Test("a changed file of the task, and a document that the task does not have, are refused")
    func refused() async throws {
        let shop = try Workshop()
        let harness = try Fixtures.engine("harness")
        let changed = try request(shop, file: "other text")
        var error = try await failure { try await harness.evaluate(changed, progress: nil) }
        #expect(error.message.contains("invalid_argument"))
        let unknown = try request(shop, parameters: ["known": ["capitals 0"]])
        error = try await failure { try await harness.evaluate(unknown, progress: nil) }
        #expect(error.message.contains("the task has no document capitals 1"))
    }

    @Test("an engine is asked only for what it can: tasks, or answers")
    func capabilities() async throws {
        let shop = try Workshop()
        let task = try request(shop)
        let stub = try Fixtures.engine("stub")
        var error = try await failure { try await stub.evaluate(task, progress: nil) }
        #expect(error.code == .unsupported && error.message.contains("score a suite by a task"))
        error = try await failure { try await NativeEngine().evaluate(task, progress: nil) }
        #expect(error.code == .unsupported)
        var plain = task
        plain.task = nil
        let harness = try Fixtures.engine("harness")
        error = try await failure { try await harness.evaluate(plain, progress: nil) }
        #expect(error.code == .unsupported && error.hint?.contains("tasks") == true)
    }

    @Test("an item of a task takes a score and nothing else, and any other item none")
    func mismatch() {
        let mine = RequestItem(id: "a", choices: nil, document: "d")
        let other = RequestItem(id: "a", choices: nil, document: nil)
        let score = ItemAnswer.Outcome.score(1, blind: 0, response: "r", prompt: Digest(of: "p"))
        let text = ItemAnswer.Outcome.generation(response: "r", finish: .stop, tokens: 1)
        #expect(mine.mismatch(score) == nil && mine.mismatch(.failure("f")) == nil)
        #expect(mine.mismatch(text) != nil && other.mismatch(score) != nil && other.mismatch(text) == nil)
    }

    @Test("an engine that only scores by tasks is tested on the suite in its own folder")
    func conformance() async throws {
        let report = try await Conformance(
            engine: Fixtures.engine("harness"), probe: EngineProbe(model: Fixtures.base.get())
        ).run()
        let outcomes = Dictionary(uniqueKeysWithValues: report.checks.map { ($0.name, $0.outcome) })
        for check in report.checks {
            #expect(check.outcome != .failed, "\(check.name): \(check.reason ?? "")")
        }
        for name in [
            "handshake", "wrong-digest", "unknown-fields", "evaluate", "evaluate-repeatable", "one-session",
        ] {
            #expect(outcomes[name] == .passed)
        }
        for name in ["train", "adapter", "resume"] { #expect(outcomes[name] == .skipped) }
    }
}
