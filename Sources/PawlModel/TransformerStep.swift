internal import CKernels

extension Transformer {
    /// Runs whole prompts and fills a cache for each; the hidden states of their last tokens, [B, D].
    func fill(_ caches: [KeyValueCache], _ prompts: [[Int32]], prefix: Prefix?) throws -> FloatBuffer {
        let (hidden, batch) = try run(prompts, caches, prefix: prefix)
        let d = configuration.hiddenSize
        let last = FloatBuffer(prompts.count * d)
        for index in prompts.indices {
            (last.pointer + index * d).update(
                from: hidden.pointer + (Int(batch.starts[index + 1]) - 1) * d, count: d)
        }
        return last
    }

    /// Runs whole prompts and fills the caches of those that have one; the hidden states of all tokens, [T, D].
    func run(_ prompts: [[Int32]], _ caches: [KeyValueCache?], prefix: Prefix?) throws
        -> (hidden: FloatBuffer, batch: SequenceBatch)
    {
        let batch = SequenceBatch(prompts)
        let stride = configuration.queryKeyValueSize
        let hidden = try forward(batch, prefix: prefix) { layer, rows in
            for (index, cache) in caches.enumerated() {
                cache?.store(
                    rows + Int(batch.starts[index]) * stride, count: prompts[index].count, stride: stride,
                    layer: layer, at: 0)
            }
        }
        for (index, cache) in caches.enumerated() { cache?.length = prompts[index].count }
        return (hidden, batch)
    }

    /// One token more for each of B sequences; their hidden states after the last norm, [B, D].
    func step(_ tokens: [Int32], _ caches: [KeyValueCache], prefix: Prefix?, _ scratch: StepScratch) throws
        -> FloatBuffer
    {
        let c = configuration
        let (b, d, f, width) = (tokens.count, c.hiddenSize, c.intermediateSize, c.queryKeyValueSize)
        let querySize = c.headCount * c.headSize
        let positions = caches.map { Int32((prefix?.length ?? 0) + $0.length) }
        let (x, norm, kept) = (scratch.x, scratch.norm, scratch.kept)
        try embed(tokens, into: x)
        for (index, layer) in layout.layers.enumerated() {
            rmsNorm(norm, x, layer.attentionNorm, rows: b)
            try product(
                kept.queryKeyValue.pointer, norm.pointer, layer.queryKeyValue, rows: b, out: width, in: d)
            if let bias = layer.queryKeyValueBias {
                pawl_bias_add(pool.handle, kept.queryKeyValue.pointer, width, vector(bias), b, width)
            }
            normHeads(layer, kept, b)
            rotate(kept.queryKeyValue.pointer, positions, b)
            for (row, cache) in caches.enumerated() {
                cache.store(
                    kept.queryKeyValue.pointer + row * width + querySize, count: 1, stride: width,
                    layer: index,
                    at: cache.length)
            }
            try attend(kept, caches, prefix, layer: index)
            try product(
                x.pointer, kept.attended.pointer, layer.attentionOutput, rows: b, out: d, in: querySize,
                add: true
            )
            if let bias = layer.attentionOutputBias {
                pawl_bias_add(pool.handle, x.pointer, d, vector(bias), b, d)
            }
            rmsNorm(norm, x, layer.feedForwardNorm, rows: b)
            try product(kept.gateUp.pointer, norm.pointer, layer.gateUp, rows: b, out: 2 * f, in: d)
            pawl_swiglu_forward(
                pool.handle, kept.product.pointer, kept.gateUp.pointer, kept.gateUp.pointer + f, 2 * f, b, f)
            try product(x.pointer, kept.product.pointer, layer.down, rows: b, out: d, in: f, add: true)
        }
        for cache in caches { cache.length += 1 }
        rmsNorm(norm, x, layout.finalNorm, rows: b)
        return norm
    }

    private func rmsNorm(_ out: FloatBuffer, _ x: FloatBuffer, _ weight: Int, rows: Int) {
        let d = configuration.hiddenSize
        pawl_rmsnorm_forward(
            pool.handle, out.pointer, d, nil, x.pointer, d, vector(weight), rows, 1, d,
            configuration.normEpsilon)
    }

    private func attend(_ kept: LayerActivations, _ caches: [KeyValueCache], _ prefix: Prefix?, layer: Int)
        throws
    {
        let c = configuration
        let keys = caches.map { UnsafeRawPointer($0.keys[layer].pointer) as UnsafeRawPointer? }
        let values = caches.map { UnsafeRawPointer($0.values[layer].pointer) as UnsafeRawPointer? }
        let lengths = caches.map { Int32($0.length + 1) }
        try keys.withUnsafeBufferPointer { k in
            try values.withUnsafeBufferPointer { v in
                try lengths.withUnsafeBufferPointer { lengths in
                    var decoding = pawl_decoding(
                        q: UnsafePointer(kept.queryKeyValue.pointer), ldq: c.queryKeyValueSize,
                        k: k.baseAddress,
                        v: v.baseAddress, lengths: lengths.baseAddress, sequences: caches.count,
                        prefix_k: prefix.map { UnsafeRawPointer($0.keys[layer].pointer) },
                        prefix_v: prefix.map { UnsafeRawPointer($0.values[layer].pointer) },
                        prefix_length: prefix?.length ?? 0, type: PAWL_F32, window: c.windows[layer],
                        heads: c.headCount, kv_heads: c.keyValueHeadCount, head_size: c.headSize,
                        scale: 1 / Float(c.headSize).squareRoot())
                    try check(
                        pawl_attention_decode(
                            pool.handle, kept.attended.pointer, c.headCount * c.headSize, &decoding),
                        "attention")
                }
            }
        }
    }
}

/// Room for one step of up to B sequences.
final class StepScratch {
    /// [B, D] each.
    let x, norm: FloatBuffer
    let kept: LayerActivations

    init(_ c: ModelConfiguration, sequences: Int) {
        x = FloatBuffer(sequences * c.hiddenSize)
        norm = FloatBuffer(sequences * c.hiddenSize)
        kept = LayerActivations(c, sequences)
    }
}
