public import Foundation
internal import PawlCore

/// The shape of a decoder, from a Hugging Face `config.json`. Whatever would change the result and is not known here is
/// refused by name.
public struct ModelConfiguration: Sendable, Hashable {
    /// The families whose arithmetic is known.
    public enum Family: String, Sendable, CaseIterable { case llama, mistral, qwen2, qwen3 }

    public let family: Family
    /// V.
    public let vocabularySize: Int
    /// D.
    public let hiddenSize: Int
    /// F.
    public let intermediateSize: Int
    public let layerCount: Int
    /// H.
    public let headCount: Int
    /// K.
    public let keyValueHeadCount: Int
    /// E.
    public let headSize: Int
    public let normEpsilon: Float
    /// The longest text that the model was made for, in tokens.
    public let maximumPositions: Int
    /// Whether the output projection is the embedding.
    public let isTied: Bool
    /// A query sees the last so many keys, itself counted; nil: all.
    public let slidingWindow: Int?
    /// Whether queries, keys and values have a bias.
    public let hasQueryKeyValueBias: Bool
    /// Whether the attention's output has a bias.
    public let hasOutputBias: Bool
    /// Whether each head of queries and keys is normed.
    public let hasQueryKeyNorm: Bool
    /// One for each pair of components of a head: E / 2.
    public let inverseFrequencies: [Double]
    /// Tokens that end an answer.
    public let endTokens: [Int32]

    /// Values in a row of the fused projection of queries, keys and values: (H + 2K) E.
    public var queryKeyValueSize: Int { (headCount + 2 * keyValueHeadCount) * headSize }

    /// Reads `config.json` (and the end tokens of `generation_config.json`) of a model directory.
    public init(directory: URL) throws {
        let url = directory.appending(path: "config.json")
        var fields = try ConfigurationFields(
            JSON.parse(Files.read(url), source: url.path), source: url.path)
        try self.init(&fields, endTokens: Self.endTokens(directory))
    }

    init(_ fields: inout ConfigurationFields, endTokens given: [Int32]?) throws {
        let type = try fields.string("model_type")
        guard let family = Family(rawValue: type) else {
            throw fields.error(
                "model_type",
                "\"\(type)\" is not one of \(Family.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self.family = family
        try fields.refuseUnknownMeaning()
        vocabularySize = try fields.size("vocab_size")
        hiddenSize = try fields.size("hidden_size")
        intermediateSize = try fields.size("intermediate_size")
        layerCount = try fields.size("num_hidden_layers")
        headCount = try fields.size("num_attention_heads")
        keyValueHeadCount = try fields.sizeIfPresent("num_key_value_heads") ?? headCount
        guard headCount.isMultiple(of: keyValueHeadCount) else {
            throw fields.error(
                "num_key_value_heads", "\(keyValueHeadCount) does not divide num_attention_heads \(headCount)"
            )
        }
        headSize = try fields.sizeIfPresent("head_dim") ?? hiddenSize / headCount
        guard headSize.isMultiple(of: 2) else { throw fields.error("head_dim", "\(headSize) is odd") }
        normEpsilon = Float(try fields.numberIfPresent("rms_norm_eps") ?? 1e-6)
        maximumPositions = try fields.sizeIfPresent("max_position_embeddings") ?? 2048
        isTied = try fields.flag("tie_word_embeddings", default: false)
        slidingWindow = try Self.window(family, &fields)
        let bias = try fields.flag("attention_bias", default: false)
        guard family == .llama || family == .qwen3 || !bias else {
            throw fields.error("attention_bias", "true is not known for \(family.rawValue)")
        }
        hasQueryKeyValueBias = family == .qwen2 || bias
        hasOutputBias = bias
        hasQueryKeyNorm = family == .qwen3
        inverseFrequencies = try RotaryScaling(&fields).inverseFrequencies(headSize: headSize)
        endTokens = try given ?? fields.tokens("eos_token_id") ?? []
    }

    private static func endTokens(_ directory: URL) throws -> [Int32]? {
        let url = directory.appending(path: "generation_config.json")
        guard Files.exists(url) else { return nil }
        let fields = try ConfigurationFields(JSON.parse(Files.read(url), source: url.path), source: url.path)
        return try fields.tokens("eos_token_id")
    }

    /// Mistral slides over its window; the Qwen families do where a switch says so.
    private static func window(_ family: Family, _ fields: inout ConfigurationFields) throws -> Int? {
        let isOn = family == .mistral ? true : try fields.flag("use_sliding_window", default: false)
        guard let window = try fields.sizeIfPresent("sliding_window"), isOn else { return nil }
        guard family == .mistral else {
            throw fields.error("use_sliding_window", "a window over some layers only is not supported")
        }
        return window
    }
}
