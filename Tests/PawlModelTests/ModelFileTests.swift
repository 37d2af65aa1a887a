import Foundation
import PawlCore
import Testing

@testable import PawlModel

@Suite("Model directories that must be refused")
struct ModelFileTests {
    /// A change of a family's config.json, and the words that the error must hold.
    struct Row: Sendable, CustomTestStringConvertible {
        var family = "llama"
        let field: String
        /// nil takes the field away.
        let value: JSONValue?
        let words: [String]
        var testDescription: String { "\(family): \(field) = \(value.map { "\($0)" } ?? "nothing")" }
    }

    static let rows: [Row] = [
        Row(field: "model_type", value: "gpt2", words: ["model_type", "gpt2", "llama"]),
        Row(field: "architectures", value: ["LlamaForSequenceClassification"], words: ["architectures"]),
        Row(field: "hidden_act", value: "gelu", words: ["hidden_act", "silu"]),
        Row(field: "hidden_size", value: "24", words: ["hidden_size", "whole number"]),
        Row(field: "hidden_size", value: 26, words: ["num_attention_heads", "divide", "26"]),
        Row(field: "hidden_size", value: 2_000_000_000, words: ["hidden_size", "below"]),
        Row(field: "hidden_size", value: nil, words: ["hidden_size", "missing"]),
        Row(field: "num_hidden_layers", value: 0, words: ["num_hidden_layers"]),
        Row(field: "num_key_value_heads", value: 3, words: ["num_key_value_heads", "divide"]),
        Row(
            family: "qwen2", field: "num_key_value_heads", value: nil,
            words: ["num_key_value_heads", "missing"]),
        Row(field: "head_dim", value: 7, words: ["head_dim", "odd"]),
        Row(family: "qwen3", field: "head_dim", value: nil, words: ["q_proj", "[512, 24]"]),
        Row(
            field: "rope_scaling", value: ["rope_type": "yarn", "factor": 2.0], words: ["rope_type", "yarn"]),
        Row(
            field: "rope_scaling", value: ["type": "linear", "factor": 2.0], words: ["rope_type", "linear"]),
        Row(
            field: "rope_scaling", value: ["rope_type": "llama3", "factor": 2.0],
            words: ["rope_scaling", "low_freq_factor", "missing"]),
        Row(
            field: "rope_parameters", value: ["rope_type": "default", "partial_rotary_factor": 0.5],
            words: ["partial_rotary_factor"]),
        Row(field: "quantization_config", value: ["bits": 4], words: ["quantization_config"]),
        Row(field: "mlp_bias", value: true, words: ["mlp_bias"]),
        Row(family: "mistral", field: "attention_bias", value: true, words: ["attention_bias", "mistral"]),
        Row(field: "attention_bias", value: true, words: ["self_attn.q_proj.bias", "missing"]),
        Row(field: "num_local_experts", value: 8, words: ["num_local_experts"]),
        Row(field: "final_logit_softcapping", value: 30.0, words: ["final_logit_softcapping"]),
        Row(
            family: "qwen3", field: "layer_types", value: ["full_attention", "linear_attention"],
            words: ["layer_types", "linear_attention"]),
        Row(
            family: "qwen3", field: "layer_types", value: ["full_attention", "sliding_attention"],
            words: ["layer_types", "sliding_window"]),
        Row(family: "qwen3", field: "layer_types", value: ["full_attention"], words: ["layer_types", "2"]),
        Row(
            family: "mistral", field: "layer_types", value: ["full_attention", "sliding_attention"],
            words: ["layer_types", "mistral"]),
        Row(field: "tie_word_embeddings", value: false, words: ["lm_head.weight", "missing"]),
        Row(field: "vocab_size", value: 97, words: ["embed_tokens", "shape"]),
        Row(field: "vocab_size", value: 200_000_000, words: ["embed_tokens", "shape"]),
        Row(field: "num_hidden_layers", value: 3, words: ["model.layers.2", "missing"]),
        Row(field: "num_hidden_layers", value: 1, words: ["model.layers.1", "not one of a llama model"]),
    ]

    @Test("config.json", arguments: rows)
    func configuration(row: Row) throws {
        try withScratch { folder in
            try Self.copy(row.family, to: folder) { members in members[row.field] = row.value }
            let error = #expect(throws: PawlError.self) { try Self.load(folder) }
            for word in row.words {
                #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
            }
            #expect(error?.message.contains("\n") == false)
        }
    }

    @Test("Which layers slide")
    func windows() throws {
        func windows(_ family: String, _ changes: [String: JSONValue?]) throws -> [Int] {
            try withScratch { folder in
                try Self.copy(family, to: folder) { members in
                    for (field, value) in changes { members[field] = value }
                }
                return try ModelConfiguration(directory: folder).windows
            }
        }
        #expect(try windows("llama", ["sliding_window": 9]) == [0, 0])
        #expect(try windows("mistral", [:]) == [7, 7])
        #expect(try windows("mistral", ["sliding_window": .some(.null)]) == [0, 0])
        #expect(try windows("mistral", ["sliding_window": nil]) == [4096, 4096])
        #expect(try windows("qwen2", ["sliding_window": 9]) == [0, 0])
        #expect(try windows("qwen2-window", [:]) == [0, 5, 5])
        #expect(try windows("qwen2-window", ["max_window_layers": 0]) == [5, 5, 5])
        #expect(try windows("qwen2-window", ["max_window_layers": nil]) == [0, 0, 0])
        let kinds: JSONValue = ["sliding_attention", "full_attention", "sliding_attention"]
        #expect(try windows("qwen2-window", ["layer_types": kinds]) == [5, 0, 5])
    }

    @Test("The token for padding, also counted from the end; one that is no token is none")
    func padding() throws {
        func token(_ value: JSONValue?) throws -> Int32? {
            try withScratch { folder in
                try Self.copy("llama", to: folder) { $0["pad_token_id"] = value }
                return try ModelConfiguration(directory: folder).paddingToken
            }
        }
        #expect(try token(7) == 7)
        #expect(try token(-1) == 95)
        #expect(try token(96) == nil)
        #expect(try token(.some(.null)) == nil)
        #expect(try token(nil) == nil)
    }

    @Test(
        "Damaged weights",
        arguments: [
            ("cut off", "cut off"), ("cut in the header", "cut off"), ("empty", "not a safetensors file"),
            ("no file", "no *.safetensors file"), ("integers", "I32"), ("two files", "stands in two files"),
        ])
    func damage(kind: String, words: String) throws {
        try withScratch { folder in
            try Self.copy("llama", to: folder) { _ in }
            let url = folder.appending(path: "model.safetensors")
            var bytes = try Files.read(url)
            switch kind {
            case "cut off": bytes.removeLast(100)
            case "cut in the header": bytes.removeLast(bytes.count - 50)
            case "empty": bytes = []
            case "no file": try Files.remove(url)
            case "integers":
                // A type of the same size: the header keeps its length.
                let text = String(decoding: bytes.dropFirst(8).prefix(4096), as: UTF8.self)
                let place = try #require(text.range(of: "\"F32\""))
                let offset = 8 + text.utf8.distance(from: text.startIndex, to: place.lowerBound)
                bytes.replaceSubrange(offset..<offset + 5, with: Array("\"I32\"".utf8))
            default: try Files.writeAtomically(bytes, to: folder.appending(path: "other.safetensors"))
            }
            if kind != "no file" { try Files.writeAtomically(bytes, to: url) }
            let error = #expect(throws: PawlError.self) { try Self.load(folder) }
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
    }

    @Test("A link to a model's directory is read as the directory")
    func link() throws {
        try withScratch { folder in
            let link = folder.appending(path: "link")
            try FileManager.default.createSymbolicLink(
                at: link, withDestinationURL: ModelFixture.root.appending(path: "llama"))
            let (through, direct) = (
                try SafetensorsDirectory(link),
                try SafetensorsDirectory(ModelFixture.root.appending(path: "llama"))
            )
            #expect(through.names == direct.names)
            #expect(try through.otherEntries().map(\.path) == direct.otherEntries().map(\.path))
        }
    }

    @Test("A NaN among the weights names its tensor")
    func notANumber() throws {
        try withScratch { folder in
            let source = ModelFixture.root.appending(path: "llama")
            try FileManager.default.copyItem(
                at: source.appending(path: "config.json"), to: folder.appending(path: "config.json"))
            var bytes = try Files.read(source.appending(path: "model.safetensors"))
            bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: [0, 0, 0xC0, 0x7F])
            try Files.writeAtomically(bytes, to: folder.appending(path: "model.safetensors"))
            let error = #expect(throws: PawlError.self) { try Self.load(folder) }
            #expect(error?.message.contains("model.norm.weight") == true)
            #expect(error?.message.contains("NaN") == true)
        }
    }

    /// A model directory with a changed config.json.
    private static func copy(
        _ family: String, to folder: URL, _ change: (inout [String: JSONValue]) -> Void
    ) throws {
        let source = ModelFixture.root.appending(path: family)
        var members =
            try JSON.parse(Files.read(source.appending(path: "config.json")), source: "config").object ?? [:]
        change(&members)
        try Files.writeAtomically(
            JSON.canonical(JSONValue.object(members)), to: folder.appending(path: "config.json"))
        try FileManager.default.copyItem(
            at: source.appending(path: "model.safetensors"), to: folder.appending(path: "model.safetensors"))
    }

    private static func load(_ folder: URL) throws {
        let configuration = try ModelConfiguration(directory: folder)
        _ = try Parameters(reading: SafetensorsDirectory(folder), configuration, ComputePool(threads: 1))
    }
}
