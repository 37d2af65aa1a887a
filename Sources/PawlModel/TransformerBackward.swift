internal import CKernels
internal import PawlCore

extension Transformer {
    /// The gradient of every weight, or of every factor, added to `gradients`.
    ///
    /// - Parameters:
    ///   - activations: what the way forward of the same batch kept; used up.
    ///   - hiddenGradient: the loss's gradient with respect to the hidden states after the last norm, [T, D]; used up.
    ///   - prefix: the one of the way forward.
    public func backward(
        _ activations: Activations, hiddenGradient dx: FloatBuffer, prefix: Prefix? = nil,
        into gradients: Gradients
    ) throws {
        let (t, d) = (activations.batch.tokens.count, configuration.hiddenSize)
        guard t > 0, dx.count >= t * d else {
            throw PawlError(
                .internalError, "a gradient of \(dx.count) numbers for a batch of \(t) tokens of \(d)")
        }
        pawl_rmsnorm_backward(
            pool.handle, dx.pointer, d, false, gradients.at(layout.finalNorm), dx.pointer, d,
            activations.last.pointer, d, vector(layout.finalNorm), activations.lastInverse.pointer, t,
            1, d)
        let scratch = BackwardScratch(configuration, t)
        let again = activations.isRecomputing ? FloatBuffer(t * d) : nil
        for layer in (0..<configuration.layerCount).reversed() {
            let kept = activations.layer(layer)
            if let again {
                again.pointer.update(from: kept.input.pointer, count: t * d)
                try expand(layer, again, scratch.norm, kept, activations.batch, prefix)
            }
            try feedForwardBackward(layout.layers[layer], dx, kept, scratch, gradients, t)
            try attentionBackward(layer, dx, kept, activations.batch, prefix, scratch, gradients)
        }
        guard let embedding = gradients.at(layout.embedding) else { return }
        for (row, token) in activations.batch.tokens.enumerated() where token == configuration.paddingToken {
            (dx.pointer + row * d).update(repeating: 0, count: d)
        }
        try check(
            pawl_embedding_backward(
                pool.handle, embedding, dx.pointer, activations.batch.tokens, t, d,
                configuration.vocabularySize), "embedding")
    }

    /// dx [T, D] goes from behind the second half of a layer to before it.
    private func feedForwardBackward(
        _ layer: ParameterLayout.Layer, _ dx: FloatBuffer, _ kept: LayerActivations,
        _ scratch: BackwardScratch,
        _ gradients: Gradients, _ t: Int
    ) throws {
        let (d, f) = (configuration.hiddenSize, configuration.intermediateSize)
        let product = kept.product.pointer
        pawl_swiglu_forward(
            pool.handle, product, kept.gateUp.pointer, kept.gateUp.pointer + f, 2 * f, t, f)
        try productBackward(
            layer.down, dy: dx.pointer, x: product, dx: product, rows: t, out: d, in: f, into: gradients)
        let (gate, up) = (kept.gateUp.pointer, kept.gateUp.pointer + f)
        pawl_swiglu_backward(pool.handle, gate, up, product, gate, up, 2 * f, t, f)
        let norm = scratch.norm.pointer
        renorm(scratch.norm, kept.middle, layer.feedForwardNorm, t)
        try productBackward(
            layer.gateUp, dy: gate, x: norm, dx: norm, rows: t, out: 2 * f, in: d, into: gradients)
        pawl_rmsnorm_backward(
            pool.handle, dx.pointer, d, true, gradients.at(layer.feedForwardNorm), norm, d,
            kept.middle.pointer, d, vector(layer.feedForwardNorm), kept.middleInverse.pointer, t, 1, d)
    }

    /// dx [T, D] goes from behind the first half of a layer to before it.
    private func attentionBackward(
        _ index: Int, _ dx: FloatBuffer, _ kept: LayerActivations, _ batch: SequenceBatch, _ prefix: Prefix?,
        _ scratch: BackwardScratch, _ gradients: Gradients
    ) throws {
        let c = configuration
        let layer = layout.layers[index]
        let (t, d, width, querySize) = (
            batch.tokens.count, c.hiddenSize, c.queryKeyValueSize, c.headCount * c.headSize
        )
        if let bias = layer.attentionOutputBias.flatMap(gradients.at) {
            pawl_bias_backward(pool.handle, bias, dx.pointer, d, t, d)
        }
        try productBackward(
            layer.attentionOutput, dy: dx.pointer, x: kept.attended.pointer, dx: scratch.attended.pointer,
            rows: t, out: d, in: querySize, into: gradients)
        let dq = scratch.queryKeyValue.pointer
        let dk = dq + querySize
        let dv = dk + c.keyValueHeadCount * c.headSize
        try withAttention(kept, batch, prefix, layer: index) { attention in
            try check(
                pawl_attention_backward(
                    pool.handle, dq, width, dk, width, dv, width, scratch.attended.pointer, querySize,
                    kept.attended.pointer, querySize, kept.logSumExp.pointer, &attention), "attention")
        }
        rotate(dq, batch.positions(after: prefix?.length ?? 0), t, backwards: true)
        normHeadsBackward(layer, dq, kept, gradients, t)
        if let bias = layer.queryKeyValueBias.flatMap(gradients.at) {
            pawl_bias_backward(pool.handle, bias, dq, width, t, width)
        }
        renorm(scratch.norm, kept.input, layer.attentionNorm, t)
        let norm = scratch.norm.pointer
        try productBackward(
            layer.queryKeyValue, dy: dq, x: norm, dx: norm, rows: t, out: width, in: d, into: gradients)
        pawl_rmsnorm_backward(
            pool.handle, dx.pointer, d, true, gradients.at(layer.attentionNorm), norm, d,
            kept.input.pointer, d, vector(layer.attentionNorm), kept.inputInverse.pointer, t, 1, d)
    }

    private func normHeadsBackward(
        _ layer: ParameterLayout.Layer, _ dq: UnsafeMutablePointer<Float>, _ kept: LayerActivations,
        _ gradients: Gradients, _ t: Int
    ) {
        guard let query = layer.queryNorm, let key = layer.keyNorm, let raw = kept.unnormed else { return }
        let c = configuration
        let width = c.queryKeyValueSize
        for (first, heads, weight, inverse) in [
            (0, c.headCount, query, kept.queryInverse),
            (c.headCount * c.headSize, c.keyValueHeadCount, key, kept.keyInverse),
        ] {
            pawl_rmsnorm_backward(
                pool.handle, dq + first, width, false, gradients.at(weight), dq + first, width,
                raw.pointer + first, width,
                vector(weight), inverse?.pointer, t, heads, c.headSize)
        }
    }

    /// The normed input of a half layer once more: cheaper to compute than to keep.
    private func renorm(_ out: FloatBuffer, _ x: FloatBuffer, _ weight: Int, _ t: Int) {
        let d = configuration.hiddenSize
        pawl_rmsnorm_forward(
            pool.handle, out.pointer, d, nil, x.pointer, d, vector(weight), t, 1, d,
            configuration.normEpsilon)
    }
}

/// Room that each layer of the way back uses anew.
private final class BackwardScratch {
    /// [T, D]; [T, H E]; [T, (H + 2K) E].
    let norm, attended, queryKeyValue: FloatBuffer

    init(_ c: ModelConfiguration, _ t: Int) {
        norm = FloatBuffer(t * c.hiddenSize)
        attended = FloatBuffer(t * c.headCount * c.headSize)
        queryKeyValue = FloatBuffer(t * c.queryKeyValueSize)
    }
}
