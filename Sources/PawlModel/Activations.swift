/// What the way forward leaves for the way back, one set a layer.
///
/// At 4 bytes a number a token keeps 3 D + 2 (H + 2K) E + ... numbers a layer; see ``LayerActivations``.
public final class Activations {
    private let configuration: ModelConfiguration
    private let tokens: Int
    private var layers: [LayerActivations] = []
    /// The residual stream after the last layer, [T, D], and the last norm's inverse, [T].
    let last: FloatBuffer
    let lastInverse: FloatBuffer
    /// What went through.
    var batch = SequenceBatch([])

    /// Room for a batch of `tokens` tokens.
    public init(_ configuration: ModelConfiguration, tokens: Int) {
        self.configuration = configuration
        self.tokens = tokens
        last = FloatBuffer(tokens * configuration.hiddenSize)
        lastInverse = FloatBuffer(tokens)
        layers = (0..<configuration.layerCount).map { _ in LayerActivations(configuration, tokens) }
    }

    func layer(_ index: Int) -> LayerActivations { layers[index] }
}

/// One layer's activations.
final class LayerActivations {
    /// The residual stream before the layer and between its halves, [T, D] each; the norms' inverses, [T].
    let input, middle, inputInverse, middleInverse: FloatBuffer
    /// Queries, keys and values side by side, rotated, [T, (H + 2K) E].
    let queryKeyValue: FloatBuffer
    /// The same before the heads were normed and turned, with the norms' inverses [T, H] and [T, K] (Qwen3).
    let unnormed, queryInverse, keyInverse: FloatBuffer?
    /// Attention's output [T, H E] and the log of its sums [T, H].
    let attended, logSumExp: FloatBuffer
    /// Gate and up side by side, [T, 2F], and silu(gate) * up, [T, F].
    let gateUp, product: FloatBuffer

    init(_ c: ModelConfiguration, _ t: Int) {
        input = FloatBuffer(t * c.hiddenSize)
        middle = FloatBuffer(t * c.hiddenSize)
        inputInverse = FloatBuffer(t)
        middleInverse = FloatBuffer(t)
        queryKeyValue = FloatBuffer(t * c.queryKeyValueSize)
        unnormed = c.hasQueryKeyNorm ? FloatBuffer(t * c.queryKeyValueSize) : nil
        queryInverse = c.hasQueryKeyNorm ? FloatBuffer(t * c.headCount) : nil
        keyInverse = c.hasQueryKeyNorm ? FloatBuffer(t * c.keyValueHeadCount) : nil
        attended = FloatBuffer(t * c.headCount * c.headSize)
        logSumExp = FloatBuffer(t * c.headCount)
        gateUp = FloatBuffer(t * 2 * c.intermediateSize)
        product = FloatBuffer(t * c.intermediateSize)
    }
}
