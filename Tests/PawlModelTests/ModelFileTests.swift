import Foundation
import PawlCore
import Testing

@testable import PawlModel

@Suite("Model directories that must be refused")
struct ModelFileTests {
    /// A change of config.json, and the words that the error must hold.
    struct Row: Sendable, CustomTestStringConvertible {
        let field: String
        let value: JSONValue
        let words: [String]
        var testDescription: String { "\(field) = \(value)" }
    }

    static let rows: [Row] = [
        Row(field: "model_type", value: "gpt2", words: ["model_type", "gpt2", "llama"]),
        Row(field: "hidden_act", value: "gelu", words: ["hidden_act", "silu"]),
        Row(field: "hidden_size", value: "24", words: ["hidden_size", "whole number"]),
        Row(field: "num_hidden_layers", value: 0, words: ["num_hidden_layers"]),
        Row(field: "num_key_value_heads", value: 3, words: ["num_key_value_heads", "divide"]),
        Row(
            field: "rope_scaling", value: ["rope_type": "yarn", "factor": 2.0], words: ["rope_type", "yarn"]),
        Row(field: "quantization_config", value: ["bits": 4], words: ["quantization_config"]),
        Row(field: "mlp_bias", value: true, words: ["mlp_bias"]),
        Row(field: "num_local_experts", value: 8, words: ["num_local_experts"]),
        Row(field: "vocab_size", value: 97, words: ["embed_tokens", "shape"]),
        Row(field: "num_hidden_layers", value: 3, words: ["model.layers.2", "missing"]),
        Row(field: "num_hidden_layers", value: 1, words: ["model.layers.1", "not one of a llama model"]),
    ]

    @Test("config.json", arguments: rows)
    func configuration(row: Row) throws {
        try withScratch { folder in
            let source = ModelFixture.root.appending(path: "llama")
            let url = source.appending(path: "config.json")
            var members = try JSON.parse(Files.read(url), source: "config").object ?? [:]
            members[row.field] = row.value
            try Files.writeAtomically(
                JSON.canonical(JSONValue.object(members)), to: folder.appending(path: "config.json"))
            try FileManager.default.copyItem(
                at: source.appending(path: "model.safetensors"),
                to: folder.appending(path: "model.safetensors"))
            let error = #expect(throws: PawlError.self) { try Self.load(folder) }
            for word in row.words {
                #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
            }
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

    private static func load(_ folder: URL) throws {
        let configuration = try ModelConfiguration(directory: folder)
        _ = try Parameters(reading: SafetensorsDirectory(folder), configuration, ComputePool(threads: 1))
    }
}
