internal import PawlCore

/// Where each tensor of a model lies in one run of fp32 numbers.
///
/// Queries, keys and values of a layer stand side by side, and so do gate and up: each group is one matrix
/// [(H + 2K) E, D] or [2F, D] to the products, and separate tensors to the files.
public struct ParameterLayout: Sendable {
    /// One tensor under its Hugging Face name.
    public struct Entry: Sendable, Hashable {
        public let name: String
        public let shape: [Int]
        /// Index of its first number.
        public let offset: Int
        /// Numbers in it.
        public let count: Int
        /// Whether AdamW's weight decay applies: matrices only.
        public var isMatrix: Bool { shape.count > 1 }
    }

    /// Every tensor, in the order of its numbers.
    public private(set) var entries: [Entry] = []
    /// Numbers in all.
    public private(set) var count = 0

    let embedding: Int
    let layers: [Layer]
    let finalNorm: Int
    /// The output projection [V, D]; the embedding itself when they are tied.
    let output: Int

    /// Offsets of a layer's tensors; nil for what the family does not have.
    struct Layer: Sendable {
        let attentionNorm, queryKeyValue: Int
        let queryKeyValueBias: Int?
        let queryNorm, keyNorm: Int?
        let attentionOutput: Int
        let attentionOutputBias: Int?
        let feedForwardNorm, gateUp, down: Int
    }

    /// The layout of a model of this shape.
    public init(_ configuration: ModelConfiguration) {
        var entries: [Entry] = []
        var count = 0
        func add(_ name: String, _ shape: Int...) -> Int {
            let size = shape.reduce(1, *)
            entries.append(Entry(name: name, shape: shape, offset: count, count: size))
            count += size
            return count - size
        }
        let c = configuration
        let (d, f) = (c.hiddenSize, c.intermediateSize)
        let (query, keyValue) = (c.headCount * c.headSize, c.keyValueHeadCount * c.headSize)
        embedding = add("model.embed_tokens.weight", c.vocabularySize, d)
        layers = (0..<c.layerCount).map { index in
            let prefix = "model.layers.\(index)."
            func three(_ suffix: String, _ rest: Int...) -> Int {
                let first = entries.count
                for (part, rows) in [("q", query), ("k", keyValue), ("v", keyValue)] {
                    let shape = [rows] + rest
                    let size = shape.reduce(1, *)
                    entries.append(
                        Entry(
                            name: "\(prefix)self_attn.\(part)_proj.\(suffix)", shape: shape, offset: count,
                            count: size))
                    count += size
                }
                return entries[first].offset
            }
            let norm = add(prefix + "input_layernorm.weight", d)
            let projection = three("weight", d)
            let bias = c.hasQueryKeyValueBias ? three("bias") : nil
            let queryNorm = c.hasQueryKeyNorm ? add(prefix + "self_attn.q_norm.weight", c.headSize) : nil
            let keyNorm = c.hasQueryKeyNorm ? add(prefix + "self_attn.k_norm.weight", c.headSize) : nil
            let output = add(prefix + "self_attn.o_proj.weight", d, query)
            let outputBias = c.hasOutputBias ? add(prefix + "self_attn.o_proj.bias", d) : nil
            let secondNorm = add(prefix + "post_attention_layernorm.weight", d)
            let gate = add(prefix + "mlp.gate_proj.weight", f, d)
            _ = add(prefix + "mlp.up_proj.weight", f, d)
            return Layer(
                attentionNorm: norm, queryKeyValue: projection, queryKeyValueBias: bias, queryNorm: queryNorm,
                keyNorm: keyNorm, attentionOutput: output, attentionOutputBias: outputBias,
                feedForwardNorm: secondNorm, gateUp: gate, down: add(prefix + "mlp.down_proj.weight", d, f))
        }
        finalNorm = add("model.norm.weight", d)
        output = c.isTied ? embedding : add("lm_head.weight", c.vocabularySize, d)
        self.entries = entries
        self.count = count
    }
}

extension ParameterLayout {
    /// Tensors that kernels read as one run of numbers, such as queries, keys and values: indices of entries that stand
    /// side by side.
    var groups: [Range<Int>] {
        let each = layers.flatMap { layer in
            [
                layer.attentionNorm, layer.queryKeyValue, layer.queryKeyValueBias, layer.queryNorm,
                layer.keyNorm,
                layer.attentionOutput, layer.attentionOutputBias, layer.feedForwardNorm, layer.gateUp,
                layer.down,
            ].compactMap(\.self)
        }
        let begins = Set(each + [embedding, finalNorm, output])
        let first = entries.indices.filter { begins.contains(entries[$0].offset) }
        return zip(first, first.dropFirst() + [entries.count]).map { $0..<$1 }
    }
}

extension ParameterLayout.Entry {
    /// Checks what was read of the tensor.
    func check(_ shape: [Int], _ dtype: DType, _ bytes: UnsafeRawBufferPointer, _ source: String) throws {
        guard shape == self.shape, bytes.count == dtype.byteCount(shape: shape) else {
            throw failure("\(bytes.count) bytes of shape \(shape) were read", source)
        }
    }

    func failure(_ reason: String, _ source: String) -> PawlError {
        PawlError(.invalidArgument, "\(source): tensor \"\(name)\": \(reason)")
    }
}

extension ParameterLayout {
    /// Checks, before room is made or numbers are read, that a source holds every tensor of the model in its shape and in a
    /// type that has a meaning in fp32, and no tensor that would be left out.
    func check(_ source: some WeightSource, _ configuration: ModelConfiguration) throws {
        let known = Set(source.names)
        for entry in entries {
            func fail(_ code: PawlError.Code, _ reason: String) -> PawlError {
                PawlError(code, "\(source.description): tensor \"\(entry.name)\"\(reason)")
            }
            guard known.contains(entry.name) else { throw fail(.invalidArgument, " is missing") }
            let (shape, dtype) = try source.form(of: entry.name)
            guard shape == entry.shape else {
                throw fail(.invalidArgument, ": its shape is \(shape), config.json makes it \(entry.shape)")
            }
            guard [.f32, .bf16, .f16].contains(dtype) else {
                throw fail(
                    .unsupported,
                    ": weights of type \(dtype.rawValue) are not supported; F32, BF16 and F16 are")
            }
        }
        let surplus = known.subtracting(entries.map(\.name)).filter { !Self.isIgnored($0, configuration) }
        if let first = surplus.min() {
            throw PawlError(
                .unsupported,
                "\(source.description): tensor \"\(first.escaped)\" is not one of a \(configuration.family.rawValue) model"
            )
        }
    }

    /// What old files carry and nothing reads: rotary tables, and an output projection beside a tied embedding.
    private static func isIgnored(_ name: String, _ configuration: ModelConfiguration) -> Bool {
        name.hasSuffix("rotary_emb.inv_freq") || (configuration.isTied && name == "lm_head.weight")
    }
}
