internal import CKernels
internal import PawlCore

extension Transformer {
    /// The gradient of every weight, added to `gradients`.
    ///
    /// - Parameters:
    ///   - activations: what the way forward of the same batch kept; used up.
    ///   - hiddenGradient: the loss's gradient with respect to the hidden states after the last norm, [T, D]; used up.
    ///   - prefix: the one of the way forward.
    public func backward(
        _ activations: Activations, hiddenGradient dx: FloatBuffer, prefix: Prefix? = nil,
        into gradients: Parameters
    ) throws {
        let (t, d) = (activations.batch.tokens.count, configuration.hiddenSize)
        let layout = parameters.layout
        pawl_rmsnorm_backward(
            pool.handle, dx.pointer, d, false, gradients.at(layout.finalNorm), dx.pointer, d,
            activations.last.pointer, d,
            parameters.at(layout.finalNorm), activations.lastInverse.pointer, t, 1, d)
        let scratch = BackwardScratch(configuration, t)
        for layer in (0..<configuration.layerCount).reversed() {
            let kept = activations.layer(layer)
            try feedForwardBackward(layout.layers[layer], dx, kept, scratch, gradients, t)
            try attentionBackward(layer, dx, kept, activations.batch, prefix, scratch, gradients)
        }
        try check(
            pawl_embedding_backward(
                pool.handle, gradients.at(layout.embedding), dx.pointer, activations.batch.tokens, t, d,
                configuration.vocabularySize), "embedding")
    }

    /// dx [T, D] goes from behind the second half of a layer to before it.
    private func feedForwardBackward(
        _ layer: ParameterLayout.Layer, _ dx: FloatBuffer, _ kept: LayerActivations,
        _ scratch: BackwardScratch,
        _ gradients: Parameters, _ t: Int
    ) throws {
        let (d, f) = (configuration.hiddenSize, configuration.intermediateSize)
        try weightGradient(gradients.at(layer.down), dx.pointer, kept.product.pointer, rows: t, out: d, in: f)
        try inputGradient(kept.product.pointer, dx.pointer, layer.down, rows: t, out: d, in: f)
        let (gate, up) = (kept.gateUp.pointer, kept.gateUp.pointer + f)
        pawl_swiglu_backward(pool.handle, gate, up, kept.product.pointer, gate, up, 2 * f, t, f)
        renorm(scratch.norm, kept.middle, layer.feedForwardNorm, t)
        try weightGradient(gradients.at(layer.gateUp), gate, scratch.norm.pointer, rows: t, out: 2 * f, in: d)
        try inputGradient(scratch.norm.pointer, gate, layer.gateUp, rows: t, out: 2 * f, in: d)
        pawl_rmsnorm_backward(
            pool.handle, dx.pointer, d, true, gradients.at(layer.feedForwardNorm), scratch.norm.pointer, d,
            kept.middle.pointer, d, parameters.at(layer.feedForwardNorm), kept.middleInverse.pointer, t, 1, d)
    }

    /// dx [T, D] goes from behind the first half of a layer to before it.
    private func attentionBackward(
        _ index: Int, _ dx: FloatBuffer, _ kept: LayerActivations, _ batch: SequenceBatch, _ prefix: Prefix?,
        _ scratch: BackwardScratch, _ gradients: Parameters
    ) throws {
        let c = configuration
        let layer = parameters.layout.layers[index]
        let (t, d, width, querySize) = (
            batch.tokens.count, c.hiddenSize, c.queryKeyValueSize, c.headCount * c.headSize
        )
        if let bias = layer.attentionOutputBias {
            pawl_bias_backward(pool.handle, gradients.at(bias), dx.pointer, d, t, d)
        }
        try weightGradient(
            gradients.at(layer.attentionOutput), dx.pointer, kept.attended.pointer, rows: t, out: d,
            in: querySize)
        try inputGradient(
            scratch.attended.pointer, dx.pointer, layer.attentionOutput, rows: t, out: d, in: querySize)
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
        if let bias = layer.queryKeyValueBias {
            pawl_bias_backward(pool.handle, gradients.at(bias), dq, width, t, width)
        }
        renorm(scratch.norm, kept.input, layer.attentionNorm, t)
        try weightGradient(
            gradients.at(layer.queryKeyValue), dq, scratch.norm.pointer, rows: t, out: width, in: d)
        try inputGradient(scratch.norm.pointer, dq, layer.queryKeyValue, rows: t, out: width, in: d)
        pawl_rmsnorm_backward(
            pool.handle, dx.pointer, d, true, gradients.at(layer.attentionNorm), scratch.norm.pointer, d,
            kept.input.pointer, d, parameters.at(layer.attentionNorm), kept.inputInverse.pointer, t, 1, d)
    }

    private func normHeadsBackward(
        _ layer: ParameterLayout.Layer, _ dq: UnsafeMutablePointer<Float>, _ kept: LayerActivations,
        _ gradients: Parameters, _ t: Int
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
                parameters.at(weight), inverse?.pointer, t, heads, c.headSize)
        }
    }

    /// The normed input of a half layer once more: cheaper to compute than to keep.
    private func renorm(_ out: FloatBuffer, _ x: FloatBuffer, _ weight: Int, _ t: Int) {
        let d = configuration.hiddenSize
        pawl_rmsnorm_forward(
            pool.handle, out.pointer, d, nil, x.pointer, d, parameters.at(weight), t, 1, d,
            configuration.normEpsilon)
    }

    /// dW[out, in] += dYᵀ · X, dY [rows, out], X [rows, in].
    func weightGradient(
        _ dw: UnsafeMutablePointer<Float>, _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, rows: Int,
        out: Int,
        in size: Int
    ) throws {
        try check(
            pawl_product(
                pool.handle, dw, size, dy, out, true, x, size, false, PAWL_F32, out, size, rows, true),
            "product")
    }

    /// The way back through the output projection: from dlogits [R, V] and hidden states [R, D], which are overwritten with
    /// their gradient; the projection's is added to `gradients`.
    public func outputBackward(
        _ dlogits: UnsafePointer<Float>, _ hidden: UnsafeMutablePointer<Float>, rows: Int,
        into gradients: Parameters
    ) throws {
        let (d, v, output) = (
            configuration.hiddenSize, configuration.vocabularySize, parameters.layout.output
        )
        try weightGradient(gradients.at(output), dlogits, hidden, rows: rows, out: v, in: d)
        try inputGradient(hidden, dlogits, output, rows: rows, out: v, in: d)
    }

    /// dX[rows, in] = dY[rows, out] · W for the weight at an offset of the layout.
    func inputGradient(
        _ dx: UnsafeMutablePointer<Float>, _ dy: UnsafePointer<Float>, _ weight: Int, rows: Int, out: Int,
        in size: Int
    ) throws {
        try check(
            pawl_product(
                pool.handle, dx, size, dy, out, false, parameters.at(weight), size, false, PAWL_F32, rows,
                size, out,
                false), "product")
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
