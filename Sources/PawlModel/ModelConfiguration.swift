public import Foundation
internal import PawlCore

/// The shape of a decoder, from a Hugging Face `config.json`. Whatever would change the result and is not known here is
/// refused by name.
public struct ModelConfiguration: Sendable, Hashable {
    /// The families whose arithmetic is known.
    public enum Family: String, Sendable, CaseIterable {
        case llama, mistral, qwen2, qwen3

        /// The class that a file names when the weights are those of a language model.
        var architecture: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() + "ForCausalLM" }
    }

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
    /// Keys that a query of each layer sees, the last ones, itself counted; 0: all.
    public let windows: [Int]
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
    /// The token whose embedding learns nothing from being read, as in the families' references, which take `pad_token_id`
    /// out of the embedding's gradient even where real text holds that token (SmolLM2 ends its turns with it). A tied
    /// output projection still teaches it.
    public let paddingToken: Int32?

    /// Values in a row of the fused projection of queries, keys and values: (H + 2K) E.
    public var queryKeyValueSize: Int { (headCount + 2 * keyValueHeadCount) * headSize }

    /// Reads `config.json` (and the end tokens of `generation_config.json`) of a model directory.
    public init(directory: URL) throws { try self.init(DirectoryFiles(directory: directory)) }

    /// Reads the same files wherever a model lies.
    public init(_ files: some ModelFiles) throws {
        let (bytes, name) = try files.required("config.json")
        var fields = try ConfigurationFields(JSON.parse(bytes, source: name), source: name)
        try self.init(&fields, endTokens: Self.endTokens(files))
    }

    init(_ fields: inout ConfigurationFields, endTokens given: [Int32]?) throws {
        let type = try fields.string("model_type")
        guard let family = Family(rawValue: type) else {
            throw fields.error(
                "model_type",
                "\"\(type)\" is not one of \(Family.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self.family = family
        try fields.refuseUnknownMeaning(family)
        vocabularySize = try fields.size("vocab_size", below: 1 << 28)
        hiddenSize = try fields.size("hidden_size", below: 1 << 20)
        intermediateSize = try fields.size("intermediate_size", below: 1 << 22)
        layerCount = try fields.size("num_hidden_layers", below: 1 << 12)
        headCount = try fields.size("num_attention_heads", below: 1 << 12)
        (keyValueHeadCount, headSize) = try Self.heads(family, fields, hiddenSize, headCount)
        normEpsilon = Float(try fields.numberIfPresent("rms_norm_eps") ?? 1e-6)
        maximumPositions = try fields.sizeIfPresent("max_position_embeddings") ?? 2048
        isTied = try fields.flag("tie_word_embeddings", default: false)
        windows = try AttentionWindows(family, fields).sizes(layerCount)
        let bias = try fields.flag("attention_bias", default: false)
        guard family == .llama || family == .qwen3 || !bias else {
            throw fields.error("attention_bias", "true is not known for \(family.rawValue)")
        }
        hasQueryKeyValueBias = family == .qwen2 || bias
        hasOutputBias = bias
        hasQueryKeyNorm = family == .qwen3
        inverseFrequencies = try RotaryScaling(&fields).inverseFrequencies(headSize: headSize)
        endTokens = try given ?? fields.tokens("eos_token_id") ?? []
        paddingToken = Self.paddingToken(fields, vocabularySize)
    }

    private static func endTokens(_ files: some ModelFiles) throws -> [Int32]? {
        let path = "generation_config.json"
        guard let bytes = try files.file(path) else { return nil }
        let name = files.name(of: path)
        let fields = try ConfigurationFields(JSON.parse(bytes, source: name), source: name)
        return try fields.tokens("eos_token_id")
    }

    private static func paddingToken(_ fields: ConfigurationFields, _ vocabularySize: Int) -> Int32? {
        guard let token = fields.members["pad_token_id"]?.int else { return nil }
        // Old files have -1, which the references count from the end.
        let place = token < 0 ? token + vocabularySize : token
        return (0..<vocabularySize).contains(place) ? Int32(place) : nil
    }

    /// K and E. What a file leaves out is what the family's reference assumes, or is asked for.
    private static func heads(
        _ family: Family, _ fields: ConfigurationFields, _ hiddenSize: Int, _ headCount: Int
    ) throws -> (Int, Int) {
        let isGiven = fields.members["num_key_value_heads"] != nil
        guard family == .llama || isGiven else { throw fields.error("num_key_value_heads", "is missing") }
        let count = try fields.sizeIfPresent("num_key_value_heads", below: 1 << 12) ?? headCount
        guard headCount.isMultiple(of: count) else {
            throw fields.error(
                "num_key_value_heads", "\(count) does not divide num_attention_heads \(headCount)")
        }
        let standard = family == .qwen3 ? 128 : nil
        let given = try fields.sizeIfPresent("head_dim", below: 1 << 12) ?? standard
        guard given != nil || hiddenSize.isMultiple(of: headCount) else {
            throw fields.error(
                "num_attention_heads", "\(headCount) does not divide hidden_size \(hiddenSize)")
        }
        let size = given ?? hiddenSize / headCount
        guard size.isMultiple(of: 2) else { throw fields.error("head_dim", "\(size) is odd") }
        return (count, size)
    }
}
