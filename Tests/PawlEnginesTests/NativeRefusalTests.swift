import Foundation
import PawlCore
import Testing

@testable import PawlEngines

/// Input that the native engine must refuse with words that say what is wrong, before anything is trained.
@Suite("Wrong input to the native engine")
struct NativeRefusalTests {
    /// A way to spoil a training, and the words that the error must hold.
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let words: [String]
        var config: [String: JSONValue] = [:]
        var recipe: [String: JSONValue] = [:]
        var records: @Sendable ([String]) -> [String] = { $0 }
        /// Changes the bytes of model.safetensors.
        var weights: @Sendable (inout [UInt8]) throws -> Void = { _ in }
    }

    static let rows: [Row] = [
        Row(
            testDescription: "records that were cut off", words: ["records.jsonl", "line 3"],
            records: { $0.dropLast() + [String($0[2].dropLast(20))] }),
        Row(
            testDescription: "a prompt longer than the context",
            words: ["record \"1\"", "its prompt has", "fit"],
            records: { $0.prefix(1) + [record(1, prompt: long)] }),
        Row(
            testDescription: "a demonstration longer than the context",
            words: ["record \"1\"", "its teacher prompt has", "fit"],
            records: { $0.prefix(1) + [record(1, teacher: long)] }),
        Row(
            testDescription: "a given answer longer than an answer may be",
            words: ["record \"1\"", "its completion has", "max_completion_tokens 8"],
            recipe: ["on_policy_fraction": 0.5, "max_completion_tokens": 8],
            records: { $0.prefix(1) + [record(1, completion: long)] }),
        Row(
            testDescription: "a context longer than the model's",
            words: ["max_context_tokens", "4096", "2048 positions"], recipe: ["max_context_tokens": 4096]),
        Row(
            testDescription: "a tokenizer with more tokens than the model",
            words: ["tokenizer.json has 384 tokens", "vocab_size is 300"], config: ["vocab_size": 300]),
        Row(
            testDescription: "an embedding of another size than the vocabulary",
            words: ["model.embed_tokens.weight", "[384, 64]", "[500, 64]"], config: ["vocab_size": 500]),
        Row(
            testDescription: "a missing tensor", words: ["\"model.norm.weight\" is missing"],
            weights: { bytes in
                let name = Array("model.norm.weight".utf8)
                let place = try #require(
                    bytes.indices.first { bytes[$0...].starts(with: name) }, "no such tensor")
                bytes[place] = UInt8(ascii: "x")
            }),
        Row(
            testDescription: "weights that are no numbers", words: ["\"model.norm.weight\"", "NaN"],
            weights: { $0.replaceSubrange($0.count - 2..<$0.count, with: [0xC0, 0x7F]) }),
        Row(
            testDescription: "weights that were cut off", words: ["model.safetensors", "cut off"],
            weights: { $0.removeLast(100) }),
        Row(
            testDescription: "a model too large for memory",
            words: ["training needs about", "this machine has"],
            config: ["hidden_size": 524_288, "intermediate_size": 1_048_576, "num_hidden_layers": 100]),
        Row(
            testDescription: "a model as large as a file can say", words: ["training needs about"],
            config: [
                "hidden_size": 1_048_575, "intermediate_size": 4_194_303, "num_hidden_layers": 4095,
                "num_attention_heads": 4095, "num_key_value_heads": 4095, "head_dim": 4094,
                "vocab_size": 268_435_455,
            ]),
    ]

    private static let long = String(repeating: "seven ", count: 200)

    private static func record(
        _ number: Int, prompt: String = "word", completion: String = "word", teacher: String = "word"
    ) -> String {
        func turn(_ text: String) -> String { #"[{"role":"user","content":"\#(text)"}]"# }
        return
            #"{"id":"\#(number)","role":"skill","prompt":\#(turn(prompt)),"completion":"\#(completion)","teacher":\#(turn(teacher))}"#
    }

    /// A training of the tiny model in tools/fixtures/trl_step's fixture, spoilt.
    private func training(_ row: Row, _ workshop: Workshop) throws -> TrainingRequest {
        let model = workshop.root.appending(path: "model")
        try FileManager.default.copyItem(at: Fixtures.root.appending(path: "trl-step/model"), to: model)
        let (config, weights) = (
            model.appending(path: "config.json"), model.appending(path: "model.safetensors")
        )
        let members = try JSON.parse(Files.read(config), source: "config").object ?? [:]
        try Files.writeAtomically(
            JSON.canonical(JSONValue.object(members.merging(row.config) { $1 })), to: config)
        var bytes = try Files.read(weights)
        try row.weights(&bytes)
        try Files.writeAtomically(bytes, to: weights)
        let recipe: [String: JSONValue] = [
            "method": "sdft", "steps": 2, "prompts_per_step": 2, "rehearsal_share": 0, "learning_rate": 1e-3,
            "warmup_steps": 0, "schedule": "constant", "weight_decay": 0, "max_gradient_norm": 1,
            "divergence": "forward_kl", "top_k": 0, "temperature": 1, "on_policy_fraction": 1,
            "max_completion_tokens": 8, "skip_tokens": 0, "teacher_weights": "frozen", "ema_rate": 0.1,
            "micro_batch": 2, "precision": "float32", "seed": 1, "save_every": 1, "max_context_tokens": 256,
        ]
        let records = row.records((0..<3).map { Self.record($0) })
        return TrainingRequest(
            model: ModelInput(directory: model, digest: Digest(of: "model")),
            demonstrations: try workshop.file("records.jsonl", records.joined(separator: "\n")),
            recipe: .object(recipe.merging(row.recipe) { $1 }),
            output: workshop.workdir.appending(path: "output"),
            state: workshop.workdir.appending(path: "state"), workdir: workshop.workdir)
    }

    @Test("is refused before any training", arguments: rows)
    func refused(row: Row) async throws {
        let workshop = try Workshop()
        let request = try training(row, workshop)
        let error = try await failure {
            try await NativeEngine(threads: 1).train(request) { _ in Issue.record("training began") }
        }
        for word in row.words { #expect(error.message.contains(word), "\(error.message)") }
        #expect(!error.message.contains("\n"))
        #expect(!Files.exists(request.output) && !Files.exists(request.state))
    }

    @Test("The same training without a fault ends")
    func faultless() async throws {
        let workshop = try Workshop()
        let request = try training(Row(testDescription: "", words: []), workshop)
        let result = try await NativeEngine(threads: 1).train(request, progress: nil)
        #expect(result.metrics["steps"] == 2)
        #expect(Files.exists(request.output.appending(path: "model.safetensors")))
    }

    @Test("Records that changed after they were named are refused")
    func changed() async throws {
        let workshop = try Workshop()
        let request = try training(Row(testDescription: "", words: []), workshop)
        try Files.writeAtomically(Array(Self.record(9).utf8), to: request.demonstrations.path)
        let error = try await failure { try await NativeEngine(threads: 1).train(request, progress: nil) }
        #expect(error.code == .evidenceInvalid && error.message.contains("records.jsonl"))
    }

    @Test("An evaluation refuses the same models", arguments: rows.filter { $0.recipe.isEmpty }.suffix(7))
    func evaluation(row: Row) async throws {
        let workshop = try Workshop()
        let model = try training(row, workshop).model
        let request = EvaluationRequest(
            model: model, suite: try workshop.file("requests.jsonl", #"{"id":"1","prompt":"one"}"#),
            settings: EvaluationSettings(), workdir: workshop.workdir)
        let error = try await failure { try await NativeEngine(threads: 1).evaluate(request, progress: nil) }
        for word in row.words {
            let expected = word.replacingOccurrences(of: "training needs", with: "evaluation needs")
            #expect(error.message.contains(expected), "\(error.message)")
        }
    }
}
