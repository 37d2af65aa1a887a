import Foundation
import PawlCore

@testable import PawlModel
@testable import PawlSDFT

/// A whole model directory in miniature: random weights, a real tokenizer of SmolLM2's type, a chat template.
struct TinyModel {
    let directory: URL
    let configuration: ModelConfiguration
    let chat: Chat

    init(in folder: URL) throws {
        directory = folder.appending(path: "model")
        try Files.createDirectory(directory)
        let tokenizer = ModelFixture.root.deletingLastPathComponent().appending(
            path: "tokenizers/smollm2/tokenizer.json")
        try FileManager.default.copyItem(at: tokenizer, to: directory.appending(path: "tokenizer.json"))
        let vocabulary = try Tokenizer(directory: directory).vocabularySize
        let members: [String: JSONValue] = [
            "model_type": "llama", "vocab_size": .int(Int64(vocabulary)), "hidden_size": 16,
            "intermediate_size": 24,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
            "max_position_embeddings": 256,
            "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true, "eos_token_id": 2,
        ]
        let template =
            "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}"
            + "{% if add_generation_prompt %}assistant: {% endif %}"
        try Files.writeAtomically(
            JSON.canonical(JSONValue.object(members)), to: directory.appending(path: "config.json"))
        try Files.writeAtomically(Array(template.utf8), to: directory.appending(path: "chat_template.jinja"))
        configuration = try ModelConfiguration(directory: directory)
        try Self.writeWeights(
            ParameterLayout(configuration), to: directory.appending(path: "model.safetensors"))
        chat = try Chat(directory: directory, configuration: configuration)
    }

    private static func writeWeights(_ layout: ParameterLayout, to url: URL) throws {
        var random = NamedRandom("weights")
        var header: [String: JSONValue] = [:]
        var data: [UInt8] = []
        for entry in layout.entries {
            let start = Int64(data.count)
            for _ in 0..<entry.count {
                let value = Float(random.uniform() - 0.5) * 0.4 + (entry.isMatrix ? 0 : 1)
                withUnsafeBytes(of: value) { data += $0 }
            }
            header[entry.name] = [
                "dtype": "F32", "shape": .array(entry.shape.map { .int(Int64($0)) }),
                "data_offsets": [.int(start), .int(Int64(data.count))],
            ]
        }
        let text = try JSON.canonical(JSONValue.object(header))
        var bytes = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) }
        bytes += text
        try Files.writeAtomically(bytes + data, to: url)
    }

    /// The weights as they stand in the directory.
    func weights(_ pool: ComputePool) throws -> Parameters {
        try Parameters(reading: SafetensorsDirectory(directory), configuration, pool)
    }

    /// Records of both roles.
    static func records() throws -> [TrainingRecord] {
        let lines = (0..<7).map { index in
            let role = index < 5 ? "skill" : "rehearsal"
            let question = #"{"role":"user","content":"question \#(index)"}"#
            let completion = index < 5 ? #","completion":"answer \#(index)""# : ""
            let shown = #"{"role":"user","content":"one"},{"role":"assistant","content":"answer one"},"#
            return
                #"{"id":"\#(index)","role":"\#(role)","prompt":[\#(question)]\#(completion),"teacher":[\#(index < 5 ? shown : "")\#(question)]}"#
        }
        return try TrainingRecord.read(Array(lines.joined(separator: "\n").utf8), source: "records.jsonl")
    }
}
