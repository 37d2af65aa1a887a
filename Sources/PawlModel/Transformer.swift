internal import CKernels
internal import Foundation
internal import PawlCore
internal import Synchronization

/// A decoder-only transformer: its weights, and the way forward.
///
/// Dimensions: T tokens of a packed batch, D hidden size, F intermediate size, H query heads, K key/value heads, E head
/// size, V vocabulary, S0 tokens of a shared prefix.
public final class Transformer: Sendable {
    public let configuration: ModelConfiguration
    public let pool: ComputePool
    public let precision: Precision
    let layout: ParameterLayout
    /// The weights in fp32, frozen in bf16, or in groups that other decoders may hold too: one of the three.
    let parameters: Parameters?
    let frozen: FrozenWeights?
    let shared: SharedWeights?
    /// What products read where the precision says bf16.
    let rounded: RoundedWeights?
    /// What is added to the weights.
    let update: LowRankUpdate?
    /// Where frozen weights become fp32 for a product of many rows, and updated weights are made.
    let window: Mutex<FloatBuffer>
    /// cos and sin of every position and frequency, [positions, E/2] each.
    private let cosine: FloatBuffer
    private let sine: FloatBuffer
    /// Positions that the tables cover.
    public let maximumPositions: Int

    /// A decoder over weights that the caller may go on changing between calls (see ``weightsChanged()``).
    ///
    /// - Parameter positions: the longest sequence, prefix included, that will be asked for.
    public convenience init(
        _ configuration: ModelConfiguration, _ parameters: Parameters, positions: Int, pool: ComputePool,
        precision: Precision = .f32
    ) {
        self.init(
            configuration, parameters.layout, parameters, nil,
            precision == .f32 ? nil : RoundedWeights(parameters, pool), nil, positions, pool, precision)
    }

    /// A decoder over weights with a low-rank update. All arithmetic is fp32.
    convenience init(
        _ configuration: ModelConfiguration, _ parameters: Parameters, positions: Int, pool: ComputePool,
        update: LowRankUpdate?
    ) {
        self.init(
            configuration, parameters.layout, parameters, nil, nil, update, positions, pool, .f32)
    }

    /// A decoder over weights that stay as they are. All arithmetic is fp32.
    public convenience init(
        _ configuration: ModelConfiguration, frozen: FrozenWeights, positions: Int, pool: ComputePool,
        update: LowRankUpdate? = nil
    ) {
        self.init(
            configuration, frozen.layout, nil, frozen, frozen.rounded, update, positions, pool,
            .bf16Decoding)
    }

    /// A decoder over weights that other decoders may hold too. All arithmetic is fp32.
    public convenience init(
        _ configuration: ModelConfiguration, shared: SharedWeights, positions: Int, pool: ComputePool
    ) {
        self.init(
            configuration, shared.layout, nil, nil, nil, nil, positions, pool,
            shared.isRounded ? .bf16Decoding : .f32, shared)
    }

    private init(
        _ configuration: ModelConfiguration, _ layout: ParameterLayout, _ parameters: Parameters?,
        _ frozen: FrozenWeights?, _ rounded: RoundedWeights?, _ update: LowRankUpdate?, _ positions: Int,
        _ pool: ComputePool, _ precision: Precision, _ shared: SharedWeights? = nil
    ) {
        self.configuration = configuration
        self.layout = layout
        self.parameters = parameters
        self.frozen = frozen
        self.shared = shared
        self.rounded = rounded
        self.update = update
        self.pool = pool
        self.precision = precision
        let isWhole = frozen == nil && update == nil && shared?.isRounded != true
        window = Mutex(FloatBuffer(isWhole ? 0 : Self.windowNumbers))
        maximumPositions = positions
        let half = configuration.headSize / 2
        cosine = FloatBuffer(positions * half)
        sine = FloatBuffer(positions * half)
        pawl_rope_table(
            cosine.pointer, sine.pointer, configuration.inverseFrequencies, half, 0, positions, 1)
    }

    /// To be called after the weights have changed, before the next use.
    public func weightsChanged() {
        if let parameters { rounded?.update(parameters, pool) }
        update?.factorsChanged(pool)
    }

    /// The first number of a norm or bias at an offset of the layout.
    func vector(_ offset: Int) -> UnsafePointer<Float> {
        if let frozen { return frozen.vector(offset) }
        if let shared { return shared.vector(offset) }
        guard let parameters else { preconditionFailure("a decoder without weights") }
        return UnsafePointer(parameters.at(offset))
    }

    /// Runs sequences through the model.
    ///
    /// - Parameters:
    ///   - prefix: what every sequence follows; it gets no gradient.
    ///   - keeping: activations for ``backward(_:hiddenGradient:prefix:into:)``; nil when nothing is learned.
    ///   - onKeysValues: called for each layer with its rotated keys and values, rows of (H + 2K) E apart.
    /// - Returns: the hidden states after the last norm, [T, D].
    public func forward(
        _ batch: SequenceBatch, prefix: Prefix? = nil, keeping: Activations? = nil,
        onKeysValues: ((Int, UnsafePointer<Float>) -> Void)? = nil
    ) throws -> FloatBuffer {
        try checkRoom(batch, prefix, keeping)
        let (t, d) = (batch.tokens.count, configuration.hiddenSize)
        let x = FloatBuffer(t * d)
        try embed(batch.tokens, into: x)
        let scratch = keeping?.layer(0) ?? LayerActivations(configuration, t)
        let norm = FloatBuffer(t * d)
        for layer in 0..<configuration.layerCount {
            let kept = keeping?.layer(layer) ?? scratch
            kept.input.copy(from: x)
            try expand(layer, x, norm, kept, batch, prefix)
            onKeysValues?(
                layer, kept.queryKeyValue.pointer + configuration.headCount * configuration.headSize)
            try product(
                x.pointer, kept.product.pointer, layout.layers[layer].down, rows: t, out: d,
                in: configuration.intermediateSize, add: true)
        }
        keeping?.last.copy(from: x)
        pawl_rmsnorm_forward(
            pool.handle, norm.pointer, d, keeping?.lastInverse.pointer, x.pointer, d,
            vector(layout.finalNorm), t, 1, d, configuration.normEpsilon)
        keeping?.batch = batch
        return norm
    }

    /// The embeddings of T tokens, [T, D].
    func embed(_ tokens: [Int32], into x: FloatBuffer) throws {
        let offset = layout.embedding
        let (table, type) =
            parameters.map { (UnsafeRawPointer($0.at(offset)), PAWL_F32) }
            ?? shared.map { ($0.at(offset).bytes, $0.isRounded ? PAWL_BF16 : PAWL_F32) }
            ?? rounded.map { (UnsafeRawPointer($0.at(offset)), PAWL_BF16) } ?? (nil, PAWL_F32)
        try check(
            pawl_embedding_forward(
                pool.handle, x.pointer, table, type, tokens, tokens.count, configuration.hiddenSize,
                configuration.vocabularySize), "embedding")
    }

    /// One layer but for its last product, `down`: x [T, D] becomes the residual stream between the layer's halves, and
    /// `kept` holds all that the way back needs.
    func expand(
        _ index: Int, _ x: FloatBuffer, _ norm: FloatBuffer, _ kept: LayerActivations, _ batch: SequenceBatch,
        _ prefix: Prefix?
    ) throws {
        let c = configuration
        let layer = layout.layers[index]
        let (t, d, f, width) = (batch.tokens.count, c.hiddenSize, c.intermediateSize, c.queryKeyValueSize)
        let querySize = c.headCount * c.headSize
        pawl_rmsnorm_forward(
            pool.handle, norm.pointer, d, kept.inputInverse.pointer, x.pointer, d,
            vector(layer.attentionNorm), t, 1, d, c.normEpsilon)
        try product(kept.queryKeyValue.pointer, norm.pointer, layer.queryKeyValue, rows: t, out: width, in: d)
        if let bias = layer.queryKeyValueBias {
            pawl_bias_add(pool.handle, kept.queryKeyValue.pointer, width, vector(bias), t, width)
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
            pawl_bias_add(pool.handle, x.pointer, d, vector(bias), t, d)
        }
        kept.middle.copy(from: x)
        pawl_rmsnorm_forward(
            pool.handle, norm.pointer, d, kept.middleInverse.pointer, x.pointer, d,
            vector(layer.feedForwardNorm), t, 1, d, c.normEpsilon)
        try product(kept.gateUp.pointer, norm.pointer, layer.gateUp, rows: t, out: 2 * f, in: d)
        pawl_swiglu_forward(
            pool.handle, kept.product.pointer, kept.gateUp.pointer, kept.gateUp.pointer + f, 2 * f, t, f)
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
                pool.handle, x, width, inverse?.pointer, x, width, vector(weight), t, heads,
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
                prefix_length: prefix?.length ?? 0, first_is_shared: batch.isFirstShared,
                window: c.windows[layer], heads: c.headCount,
                kv_heads: c.keyValueHeadCount, head_size: c.headSize,
                scale: 1 / Float(c.headSize).squareRoot())
            return try body(&attention)
        }
    }

    /// Refuses what would read or write beyond the tables and buffers.
    private func checkRoom(_ batch: SequenceBatch, _ prefix: Prefix?, _ keeping: Activations?) throws {
        try checkPositions((prefix?.length ?? 0) + batch.longest)
        if let keeping, batch.tokens.count > keeping.capacity {
            throw PawlError(
                .internalError,
                "a batch of \(batch.tokens.count) tokens does not fit activations for \(keeping.capacity)")
        }
        guard prefix == nil || prefix?.keys.count == configuration.layerCount else {
            throw PawlError(.internalError, "a prefix of another model")
        }
        guard prefix == nil || !batch.isFirstShared else {
            throw PawlError(.internalError, "a batch with a beginning of its own behind a prefix")
        }
    }

    /// Refuses a sequence, prefix included, that is longer than the tables of positions.
    func checkPositions(_ longest: Int) throws {
        guard longest <= maximumPositions else {
            throw PawlError(
                .invalidArgument,
                "a sequence of \(longest) tokens is longer than the \(maximumPositions) that were provided for"
            )
        }
    }
}
