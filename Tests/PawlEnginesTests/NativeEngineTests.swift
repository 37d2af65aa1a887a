import Foundation
import PawlCore
import Synchronization
import Testing

@testable import PawlEngines

/// The engine in this process on the tiny model that ships for the conformance suite.
@Suite("The native engine", .serialized)
struct NativeEngineTests {
    private static let model = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "registry/engines/conformance/model")
    private let engine = NativeEngine(threads: 2)
    private let probe = EngineProbe(model: Self.model)

    private func recipe(_ changes: [String: JSONValue] = [:]) -> JSONValue {
        let own: [String: JSONValue] = ["method": "sdft", "steps": 3]
        return .object(probe.recipe.merging(own) { $1 }.merging(changes) { $1 })
    }

    private func input(_ model: URL = Self.model) -> ModelInput {
        ModelInput(directory: model, digest: Digest(of: "conformance"))
    }

    private func training(_ shop: Workshop, _ changes: [String: JSONValue] = [:]) throws -> TrainingRequest {
        TrainingRequest(
            model: input(),
            demonstrations: try shop.file("records.jsonl", String(decoding: probe.records, as: UTF8.self)),
            recipe: recipe(changes), output: shop.workdir.appending(path: "output"),
            state: shop.workdir.appending(path: "state"), workdir: shop.workdir)
    }

    private func evaluation(_ shop: Workshop) throws -> EvaluationRequest {
        EvaluationRequest(
            model: input(), suite: try shop.file("items.jsonl", String(decoding: probe.items, as: UTF8.self)),
            settings: probe.settings, workdir: shop.workdir)
    }

    @Test("its description names its arithmetic, and the instruction set that a training then reports")
    func description() async throws {
        let shop = try Workshop()
        let arithmetic = try #require(NativeEngine.description.arithmetic)
        #expect(NativeEngine.description.program == nil)
        let result = try await engine.train(training(shop), progress: nil)
        #expect(result.environment["instructions"] == .string(arithmetic.instructions))
        #expect(result.environment["products"] == .string(arithmetic.products))
        #expect(result.metrics["gflop_student"] != nil && result.metrics["seconds_student"] != nil)
        // Its curves are kept in the form in which a plug-in tells them: one message a step.
        let said = try JSON.decodeLines(JSONValue.self, from: result.transcript.bytes, source: "transcript")
        #expect(said.compactMap { $0["message"]?["step"]?.int } == [1, 2, 3])
        #expect(said.allSatisfy { $0["message"]?["metrics"]?["loss"]?.double != nil })
    }

    private static let lowRank: [String: JSONValue] = [
        "update": "low_rank", "rank": 4, "alpha": 8, "modules": ["q_proj", "down_proj"],
    ]

    @Test("a low-rank update is written as an adapter of the model, the same one after a kill and a resume")
    func adapter() async throws {
        let shop = try Workshop()
        let whole = try await engine.train(training(shop, Self.lowRank), progress: nil)
        #expect(whole.isAdapter)
        #expect(whole.files.map(\.path) == ["adapter_config.json", "adapter_model.safetensors"])
        try OutputCheck(engine: "native").check(whole.output, model: input().open())
        #expect(whole.metrics["gflop_student"] != nil)

        let other = try Workshop()
        let halt = Mutex(false)
        let request = try training(other, Self.lowRank)
        let second = AsyncStream<Void>.makeStream()
        let task = Task {
            try await engine.train(request) { progress in
                guard progress.completed == 2 else { return }
                second.continuation.finish()
                // Time for the word to arrive; steps of this model take milliseconds.
                while !halt.withLock({ $0 }) { Thread.sleep(forTimeInterval: 0.001) }
            }
        }
        for await _ in second.stream {}
        task.cancel()
        halt.withLock { $0 = true }
        let stopped = await #expect(throws: PawlError.self) { _ = try await task.value }
        #expect(stopped?.code == .cancelled)
        #expect(!Files.exists(request.output) && Files.exists(request.state))
        let resumed = try await engine.train(request, progress: nil)
        #expect(resumed.metrics["resumed"] == 1)
        #expect(resumed.files == whole.files)
    }

    @Test("a low-rank update takes less memory and less time; one that fits no module is refused beforehand")
    func lowRankEstimate() async throws {
        let shop = try Workshop()
        func estimate(_ changes: [String: JSONValue]) async throws -> WorkEstimate {
            let training = try training(shop, changes)
            return try #require(
                try await engine.estimate(
                    EstimateRequest(
                        model: training.model, demonstrations: training.demonstrations,
                        recipe: training.recipe, evaluations: []), progress: nil))
        }
        let (full, low) = (try await estimate([:]), try await estimate(Self.lowRank))
        #expect(low.memoryBytes < full.memoryBytes)
        #expect(low.phases[0].gflop < 0.9 * full.phases[0].gflop && low.phases[0].seconds > 0)
        let error = #expect(throws: PawlError.self) {
            try engine.checkRoom(input(), recipe: recipe(["update": "low_rank", "modules": ["c_attn"]]))
        }
        #expect(error?.message.contains("no linear projection \"c_attn\"") == true)
        #expect(error?.message.contains("q_proj, k_proj, v_proj, o_proj") == true)
    }

    @Test("every item is answered, choices by likelihood")
    func evaluates() async throws {
        let shop = try Workshop()
        let answers = try await engine.evaluate(evaluation(shop), progress: nil).answers
        #expect(answers.map(\.id) == (0..<6).map { "i\($0)" })
        for answer in answers {
            if case .failure(let reason) = answer.outcome { Issue.record("\(answer.id): \(reason)") }
        }
    }

    @Test("an estimate has every phase in order, with time and arithmetic, and the memory at the peak")
    func estimates() async throws {
        let shop = try Workshop()
        let training = try training(shop)
        let phases = ["probe", "baseline", "baseline", "evaluate"]
        func request(_ recipe: JSONValue) throws -> EstimateRequest {
            EstimateRequest(
                model: training.model, demonstrations: training.demonstrations, recipe: recipe,
                evaluations: try phases.map { .init(phase: $0, request: try evaluation(shop)) })
        }
        let estimate = try #require(try await engine.estimate(request(recipe()), progress: nil))
        #expect(estimate.phases.map(\.phase) == ["probe", "baseline", "train", "evaluate"])
        for phase in estimate.phases { #expect(phase.seconds > 0 && phase.gflop > 0) }
        #expect(abs(estimate.phases[1].gflop - 2 * estimate.phases[0].gflop) < 1e-9)
        #expect(estimate.memoryBytes > 0 && estimate.memoryBytes < estimate.machineMemoryBytes)
        let longer = try #require(
            try await engine.estimate(request(recipe(["steps": 9])), progress: nil))
        // Steps differ by the records they take.
        let ratio = longer.phases[2].gflop / estimate.phases[2].gflop
        #expect(ratio > 2.5 && ratio < 3.5)
    }

    @Test("a model that does not fit in memory is refused before any of it is read")
    func tooLarge() async throws {
        let shop = try Workshop()
        let large = shop.root.appending(path: "large")
        try FileManager.default.copyItem(at: Self.model, to: large)
        let config = large.appending(path: "config.json")
        var members = try #require(try JSON.parse(Files.read(config), source: "config.json").object)
        members["hidden_size"] = 65_536
        members["intermediate_size"] = 262_144
        try Files.writeAtomically(JSON.canonical(JSONValue.object(members)), to: config)
        let error = #expect(throws: PawlError.self) {
            try engine.checkRoom(input(large), recipe: recipe())
        }
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains("MB of memory") == true)
        #expect(throws: Never.self) { try engine.checkRoom(input(), recipe: recipe()) }
    }

    /// The parts of an answer, and the whole of it.
    private func answer(_ prompt: String, _ change: (inout GenerationRequest) -> Void = { _ in }) async throws
        -> (
            parts: [String], result: GenerationResult
        )
    {
        var request = GenerationRequest(model: input(), prompt: prompt, maxTokens: 24)
        change(&request)
        let parts = Mutex<[String]>([])
        let result = try await engine.generate(request) { part in parts.withLock { $0.append(part) } }
        return (parts.withLock { $0 }, result)
    }

    @Test("an answer comes in parts that make it up, within its limit, and the same seed gives the same one")
    func generates() async throws {
        let draw = { (request: inout GenerationRequest) in (request.temperature, request.seed) = (1.5, 3) }
        let first = try await answer("family: probe", draw)
        #expect(first.parts.joined() == first.result.text)
        #expect(first.result.tokens.count <= 24 && !first.result.tokens.isEmpty)
        #expect(first.result.finish == (first.result.tokens.count == 24 ? .length : .stop))
        #expect(first.result.firstTokenSeconds > 0 && first.result.firstTokenSeconds <= first.result.seconds)
        #expect(try await answer("family: probe", draw).result.tokens == first.result.tokens)
        let other = try await answer("family: probe") {
            draw(&$0)
            $0.seed = 4
        }
        #expect(other.result.tokens != first.result.tokens)
    }

    @Test("a stop text ends an answer before it; raw text has no template around it")
    func stops() async throws {
        let whole = try await answer("a", { $0.isChat = false }).result
        #expect(whole.promptTokens < (try await answer("a").result.promptTokens))
        let middle = String(try #require(whole.text.dropFirst(whole.text.count / 2).first))
        let cut = try await answer("a") {
            $0.isChat = false
            $0.stop = [middle]
        }
        let expected = try #require(whole.text.range(of: middle)).lowerBound
        #expect(cut.result.text == String(whole.text[..<expected]))
        #expect(cut.parts.joined() == cut.result.text)
        #expect(cut.result.finish == .stop)
    }

    @Test("an error of the reader ends the answer, and what does not fit is refused")
    func refuses() async throws {
        struct Gone: Error {}
        await #expect(throws: Gone.self) {
            _ = try await engine.generate(.init(model: input(), prompt: "a", isChat: false)) { _ in
                throw Gone()
            }
        }
        let error = await #expect(throws: PawlError.self) {
            _ = try await answer("a") { $0.maxTokens = 2048 }
        }
        #expect(error?.message.contains("do not fit the model's 2048") == true)
        await #expect(throws: PawlError.self) { _ = try await answer("a") { $0.topP = 0 } }
    }
}
