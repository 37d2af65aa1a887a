import Foundation
import PawlCore
import PawlModel
import Testing

@testable import PawlEngines

@Suite("Adapters that engines write")
struct AdapterTests {
    private static let update: [String: JSONValue] = ["update": "low_rank", "rank": 2, "alpha": 4]

    @Test("a plug-in's adapter is taken in the place of a model, and again when its files are checked later")
    func plugin() async throws {
        let shop = try Workshop()
        let result = try await Fixtures.engine("stub").train(
            try shop.training(recipe: Self.update), progress: nil)
        #expect(result.isAdapter && result.files.count == 2)
        try TrainingResult.check(result.output, holds: result.files, of: "stub")
        let model = try await Fixtures.engine("stub").train(try shop.training("b"), progress: nil)
        #expect(!model.isAdapter)
    }

    @Test("an engine that does not know low-rank updates is not asked to train one")
    func unknown() async throws {
        let shop = try Workshop()
        let engine = try Fixtures.engine("stub")
        var capabilities = engine.manifest.capabilities
        capabilities.updates = nil
        let error = #expect(throws: PawlError.self) {
            try capabilities.checkUpdate(.object(Self.update), engine: "old")
        }
        #expect(error?.code == .unsupported)
        #expect(
            error?.message == "recipe, field update: engine \"old\" does not know \"low_rank\", only full")
        #expect(throws: Never.self) { try capabilities.checkUpdate([:], engine: "old") }
        let training = try shop.training(recipe: ["update": "sparse"])
        let refused = try await failure { try await engine.train(training, progress: nil) }
        #expect(refused.message.contains("does not know \"sparse\""))
        #expect(throws: PawlError.self) { try engine.checkRoom(training.model, recipe: training.recipe) }
    }

    /// One thing that is wrong with an adapter, and the words that the error must hold.
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let words: String
        var configuration: [String: JSONValue] = [:]
        var factors: @Sendable (inout [String: ([Int], [Float])]) -> Void = { _ in }
    }

    static let rows: [Row] = [
        Row(
            testDescription: "another kind of adapter", words: "peft_type is \"IA3\"",
            configuration: ["peft_type": "IA3"]),
        Row(testDescription: "biases", words: "bias is \"all\"", configuration: ["bias": "all"]),
        Row(
            testDescription: "no truth", words: "use_rslora is neither true nor false",
            configuration: ["use_rslora": 1]),
        Row(
            testDescription: "magnitudes of their own", words: "use_dora is true",
            configuration: ["use_dora": true]),
        Row(testDescription: "no rank", words: "r is not a whole number", configuration: ["r": .null]),
        Row(
            testDescription: "ranks of single modules", words: "rank_pattern is",
            configuration: ["rank_pattern": ["mlp": 4]]),
        Row(
            testDescription: "a tensor that is no factor", words: "\"lm_head.weight\" is no factor",
            factors: { $0["lm_head.weight"] = ([1, 1], [0]) }),
        Row(
            testDescription: "a factor of another rank", words: "has the shape [3, 32], but r is 2",
            factors: { $0[name("lora_A")] = ([3, 32], [Float](repeating: 0, count: 96)) }),
        Row(
            testDescription: "one factor alone", words: "has lora_A alone",
            factors: { $0[name("lora_B")] = nil }),
        Row(testDescription: "no factors", words: "holds no factors", factors: { $0 = [:] }),
        Row(
            testDescription: "a factor of another size than the weight",
            words: "make [40, 32], its weight in the model has the shape [32, 32]",
            factors: { $0[name("lora_B")] = ([40, 2], [Float](repeating: 0, count: 80)) }),
        Row(
            testDescription: "a module that the model does not have",
            words: "the module model.layers.7.mlp is not one of the model",
            factors: { factors in
                for factor in ["lora_A", "lora_B"] {
                    factors["base_model.model.model.layers.7.mlp.\(factor).weight"] = factors[name(factor)]
                }
            }),
        Row(
            testDescription: "a number that is none", words: "holds a NaN or an infinity",
            factors: { $0[name("lora_B")]?.1[5] = -.infinity }),
    ]

    private static func name(_ factor: String) -> String {
        "base_model.model.model.layers.0.mlp.\(factor).weight"
    }

    private func write(_ row: Row?, to folder: URL) throws {
        try Files.createDirectory(folder)
        var members: [String: JSONValue] = ["peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none"]
        members.merge(row?.configuration ?? [:]) { $1 }
        try Files.writeAtomically(
            JSON.canonical(JSONValue.object(members)), to: folder.appending(path: "adapter_config.json"))
        var factors = [
            Self.name("lora_A"): ([2, 32], [Float](repeating: 0.5, count: 64)),
            Self.name("lora_B"): ([32, 2], [Float](repeating: 0.25, count: 64)),
        ]
        row?.factors(&factors)
        var (header, data): ([String: JSONValue], [UInt8]) = ([:], [])
        for (name, (shape, numbers)) in factors.sorted(by: { $0.key < $1.key }) {
            let start = data.count
            for number in numbers { withUnsafeBytes(of: number) { data += $0 } }
            header[name] = [
                "dtype": "F32", "shape": .array(shape.map { .int(Int64($0)) }),
                "data_offsets": [.int(Int64(start)), .int(Int64(data.count))],
            ]
        }
        let text = try JSON.canonical(JSONValue.object(header))
        try Files.writeAtomically(
            withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text + data,
            to: folder.appending(path: "adapter_model.safetensors"))
    }

    @Test("what cannot be folded into the model is refused with its reason", arguments: rows)
    func refused(row: Row) throws {
        let shop = try Workshop()
        let folder = shop.root.appending(path: "adapter")
        try write(row, to: folder)
        let check = OutputCheck(engine: "mine")
        let model = try ModelInput(directory: Fixtures.base.get(), digest: Digest(of: "base")).open()
        let error = #expect(throws: PawlError.self) { try check.check(folder, model: model) }
        #expect(error?.message.contains(row.words) == true, "\(error?.message ?? "")")
        #expect(error?.code == .engine && error?.message.hasPrefix("engine \"mine\": the adapter: ") == true)
    }

    @Test("a plain adapter passes")
    func passes() throws {
        let shop = try Workshop()
        let folder = shop.root.appending(path: "adapter")
        try write(nil, to: folder)
        let model = try ModelInput(directory: Fixtures.base.get(), digest: Digest(of: "base")).open()
        #expect(throws: Never.self) { try OutputCheck(engine: "mine").check(folder, model: model) }
        let adapter = try Adapter(folder)
        #expect(adapter.rank == 2 && adapter.scale == 2)
        #expect(adapter.modules.map(\.weight) == ["model.layers.0.mlp.weight"])
    }

    @Test("the scale is alpha over the rank, or over its root where the adapter says so")
    func scale() throws {
        let shop = try Workshop()
        let folder = shop.root.appending(path: "adapter")
        try write(
            Row(testDescription: "", words: "", configuration: ["lora_alpha": 3, "use_rslora": true]),
            to: folder)
        // 3 / √2 = 2.1213203435..., of which this is the nearest fp32 number.
        #expect(try Adapter(folder).scale == 2.1213202)
    }
}
