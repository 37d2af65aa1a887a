internal import CKernels
internal import Foundation
internal import PawlCore

/// A decoder-only transformer: its weights, and the way forward.
///
/// Dimensions: T tokens of a packed batch, D hidden size, F intermediate size, H query heads, K key/value heads, E head
/// size, V vocabulary, S0 tokens of a shared prefix.
public final class Transformer: Sendable {
    public let configuration: ModelConfiguration
    public let parameters: Parameters
    public let pool: ComputePool
    /// cos and sin of every position and frequency, [positions, E/2] each.
    private let cosine: FloatBuffer
    private let sine: FloatBuffer
    /// Positions that the tables cover.
    public let maximumPositions: Int

    /// A decoder over weights that the caller may go on changing between calls.
    ///
    /// - Parameter positions: the longest sequence, prefix included, that will be asked for.
    public init(
        _ configuration: ModelConfiguration, _ parameters: Parameters, positions: Int, pool: ComputePool
    ) {
        self.configuration = configuration
        self.parameters = parameters
        self.pool = pool
        maximumPositions = positions
        let half = configuration.headSize / 2
        cosine = FloatBuffer(positions * half)
        sine = FloatBuffer(positions * half)
        pawl_rope_table(
            cosine.pointer, sine.pointer, configuration.inverseFrequencies, half, 0, positions, 1)
    }

    /// Runs sequences through the model.
    ///
    /// - Parameters:
    ///   - prefix: what every sequence follows; it gets no gradient.
    ///   - keeping: activations for ``backward(_:hiddenGradient:into:)``; nil when nothing is learned.
    ///   - onKeysValues: called for each layer with its rotated keys and values, rows of (H + 2K) E apart.
    /// - Returns: the hidden states after the last norm, [T, D].
    public func forward(
        _ batch: SequenceBatch, prefix: Prefix? = nil, keeping: Activations? = nil,
        onKeysValues: ((Int, UnsafePointer<Float>) -> Void)? = nil
    ) throws -> FloatBuffer {
        try checkPositions(batch, prefix)
        let (t, d) = (batch.tokens.count, configuration.hiddenSize)
        let x = FloatBuffer(t * d)
        try check(
            pawl_embedding_forward(
                pool.handle, x.pointer, parameters.at(parameters.layout.embedding), PAWL_F32, batch.tokens, t,
                d,
                configuration.vocabularySize), "embedding")
        let scratch = keeping == nil ? LayerActivations(configuration, t) : nil
        let norm = FloatBuffer(t * d)
        for layer in 0..<configuration.layerCount {
            let kept = try keeping?.layer(layer) ?? scratch.unwrapped()
            kept.input.copy(from: x)
            try runLayer(layer, x, norm, kept, batch, prefix)
            onKeysValues?(
                layer, kept.queryKeyValue.pointer + configuration.headCount * configuration.headSize)
        }
        keeping?.last.copy(from: x)
        pawl_rmsnorm_forward(
            pool.handle, norm.pointer, d, keeping?.lastInverse.pointer, x.pointer, d,
            parameters.at(parameters.layout.finalNorm), t, 1, d, configuration.normEpsilon)
        keeping?.batch = batch
        return norm
    }

    /// One layer, x [T, D] in place; fills what the way back needs.
    func runLayer(
        _ index: Int, _ x: FloatBuffer, _ norm: FloatBuffer, _ kept: LayerActivations, _ batch: SequenceBatch,
        _ prefix: Prefix?
    ) throws {
        let c = configuration
        let layer = parameters.layout.layers[index]
        let (t, d, f, width) = (batch.tokens.count, c.hiddenSize, c.intermediateSize, c.queryKeyValueSize)
        let querySize = c.headCount * c.headSize
        pawl_rmsnorm_forward(
            pool.handle, norm.pointer, d, kept.inputInverse.pointer, x.pointer, d,
            parameters.at(layer.attentionNorm), t, 1, d, c.normEpsilon)
        try product(kept.queryKeyValue.pointer, norm.pointer, layer.queryKeyValue, rows: t, out: width, in: d)
        if let bias = layer.queryKeyValueBias {
            pawl_bias_add(pool.handle, kept.queryKeyValue.pointer, width, parameters.at(bias), t, width)
        }
        normHeads(layer, kept, t)
        rotate(kept.queryKeyValue.pointer, batch.positions(after: prefix?.length ?? 0), t)
        try withAttention(kept, batch, prefix, layer: index) { attention in
            try check(
                pawl_attention_forward(
                    pool.handle, kept.attended.pointer, querySize, kept.logSumExp.pointer, &attention),
                "attention")
        }
        try product(
            x.pointer, kept.attended.pointer, layer.attentionOutput, rows: t, out: d, in: querySize, add: true
        )
        if let bias = layer.attentionOutputBias {
            pawl_bias_add(pool.handle, x.pointer, d, parameters.at(bias), t, d)
        }
        kept.middle.copy(from: x)
        pawl_rmsnorm_forward(
            pool.handle, norm.pointer, d, kept.middleInverse.pointer, x.pointer, d,
            parameters.at(layer.feedForwardNorm), t, 1, d, c.normEpsilon)
        try product(kept.gateUp.pointer, norm.pointer, layer.gateUp, rows: t, out: 2 * f, in: d)
        pawl_swiglu_forward(
            pool.handle, kept.product.pointer, kept.gateUp.pointer, kept.gateUp.pointer + f, 2 * f, t, f)
        try product(x.pointer, kept.product.pointer, layer.down, rows: t, out: d, in: f, add: true)
    }

    /// Qwen3's norm of each head, before the rotation; keeps what was normed.
    func normHeads(_ layer: ParameterLayout.Layer, _ kept: LayerActivations, _ t: Int) {
        guard let query = layer.queryNorm, let key = layer.keyNorm, let raw = kept.unnormed else { return }
        let c = configuration
        let width = c.queryKeyValueSize
        raw.copy(from: kept.queryKeyValue)
        for (first, heads, weight, inverse) in [
            (0, c.headCount, query, kept.queryInverse),
            (c.headCount * c.headSize, c.keyValueHeadCount, key, kept.keyInverse),
        ] {
            let x = kept.queryKeyValue.pointer + first
            pawl_rmsnorm_forward(
                pool.handle, x, width, inverse?.pointer, x, width, parameters.at(weight), t, heads,
                c.headSize,
                c.normEpsilon)
        }
    }

    /// Turns queries and keys, which stand side by side, by their positions; `backwards` is the inverse, for gradients.
    func rotate(
        _ queryKeyValue: UnsafeMutablePointer<Float>, _ positions: [Int32], _ t: Int, backwards: Bool = false
    ) {
        let c = configuration
        let turn = backwards ? pawl_rope_backward : pawl_rope_forward
        turn(
            pool.handle, queryKeyValue, c.queryKeyValueSize, positions, cosine.pointer, sine.pointer, t,
            c.headCount + c.keyValueHeadCount, c.headSize)
    }

    /// Describes the attention of a layer to the kernels.
    func withAttention<R>(
        _ kept: LayerActivations, _ batch: SequenceBatch, _ prefix: Prefix?, layer: Int,
        _ body: (inout pawl_attention) throws -> R
    ) rethrows -> R {
        let c = configuration
        let width = c.queryKeyValueSize
        let q = UnsafePointer(kept.queryKeyValue.pointer)
        let k = q + c.headCount * c.headSize
        return try batch.starts.withUnsafeBufferPointer { starts in
            var attention = pawl_attention(
                q: q, k: k, v: k + c.keyValueHeadCount * c.headSize, ldq: width, ldk: width, ldv: width,
                starts: starts.baseAddress, sequences: batch.count,
                prefix_k: prefix.map { UnsafePointer($0.keys[layer].pointer) },
                prefix_v: prefix.map { UnsafePointer($0.values[layer].pointer) },
                prefix_length: prefix?.length ?? 0, window: c.slidingWindow ?? 0, heads: c.headCount,
                kv_heads: c.keyValueHeadCount, head_size: c.headSize,
                scale: 1 / Float(c.headSize).squareRoot())
            return try body(&attention)
        }
    }

    /// C[rows, out] (+)= A[rows, in] · Wᵀ for the weight at an offset of the layout.
    func product(
        _ c: UnsafeMutablePointer<Float>, _ a: UnsafePointer<Float>, _ weight: Int, rows: Int, out: Int,
        in size: Int,
        add: Bool = false
    ) throws {
        let w = parameters.at(weight)
        if rows <= Self.fewRows && !add {
            pawl_small_product(pool.handle, c, out, a, size, w, PAWL_F32, rows, out, size)
            return
        }
        try check(
            pawl_product(pool.handle, c, out, a, size, false, w, size, true, PAWL_F32, rows, out, size, add),
            "product")
    }

    /// Up to here the weights' way from memory is what a product costs, and the kernel for it wins.
    private static let fewRows = 8

    /// Logits [rows, V] of hidden states [rows, D].
    public func logits(_ hidden: UnsafePointer<Float>, rows: Int, into logits: UnsafeMutablePointer<Float>)
        throws
    {
        try product(
            logits, hidden, parameters.layout.output, rows: rows, out: configuration.vocabularySize,
            in: configuration.hiddenSize)
    }

    private func checkPositions(_ batch: SequenceBatch, _ prefix: Prefix?) throws {
        let longest = (prefix?.length ?? 0) + batch.longest
        guard longest <= maximumPositions else {
            throw PawlError(
                .invalidArgument,
                "a sequence of \(longest) tokens is longer than the \(maximumPositions) that were provided for"
            )
        }
    }
}

extension Optional {
    /// The value of something that is there by construction.
    func unwrapped() throws -> Wrapped {
        guard let self else { throw PawlError(.internalError, "an activation is missing") }
        return self
    }
}
