internal import PawlCore

/// What the way forward leaves for the way back.
///
/// A set of ``LayerActivations`` for each layer, or, when they are recomputed, the residual stream before each layer and
/// one set that all share: then the way back runs each layer forward once more, to the same bits.
public final class Activations {
    /// The most tokens that a batch may have.
    public let capacity: Int
    /// Whether layers are run once more on the way back.
    public let isRecomputing: Bool
    private let layers: [LayerActivations]
    /// The residual stream before each layer, [T, D], where layers share one set.
    private let inputs: [FloatBuffer]
    /// The residual stream after the last layer, [T, D], and the last norm's inverse, [T].
    let last, lastInverse: FloatBuffer
    /// What went through.
    var batch = SequenceBatch([])

    /// Room for any batch of at most `tokens` tokens; it may serve one batch after another.
    public init(_ configuration: ModelConfiguration, tokens: Int, recomputing: Bool = false) {
        capacity = tokens
        isRecomputing = recomputing
        let c = configuration
        last = FloatBuffer(tokens * c.hiddenSize)
        lastInverse = FloatBuffer(tokens)
        let product = FloatBuffer(tokens * c.intermediateSize)
        layers = (0..<(recomputing ? 1 : c.layerCount)).map { _ in
            LayerActivations(c, tokens, product: product)
        }
        inputs = recomputing ? (0..<c.layerCount).map { _ in FloatBuffer(tokens * c.hiddenSize) } : []
    }

    /// The place of a layer's activations; its `input` is the layer's own.
    func layer(_ index: Int) -> LayerActivations {
        guard isRecomputing else { return layers[index] }
        layers[0].input = inputs[index]
        return layers[0]
    }

    /// Whether layers are better run once more than kept: a batch of `tokens` tokens would take more than a quarter of the
    /// memory that there is.
    public static func isRecomputed(_ configuration: ModelConfiguration, tokens: Int) -> Bool {
        bytes(configuration, tokens: tokens) > MachineMemory.bytes / 4
    }

    /// Memory that a batch of `tokens` tokens takes, in bytes.
    public static func bytes(_ configuration: ModelConfiguration, tokens: Int, recomputing: Bool = false)
        -> Int
    {
        let c = configuration
        let layer = LayerActivations.numbersPerToken(c)
        let all = recomputing ? layer + c.layerCount * c.hiddenSize : c.layerCount * layer
        return (all + c.intermediateSize + c.hiddenSize + 1) * tokens * MemoryLayout<Float>.size
    }
}

/// One layer's activations.
final class LayerActivations {
    /// The residual stream before the layer, [T, D].
    var input: FloatBuffer
    /// The residual stream between the layer's halves, [T, D]; the norms' inverses, [T].
    let middle, inputInverse, middleInverse: FloatBuffer
    /// Queries, keys and values side by side, rotated, [T, (H + 2K) E].
    let queryKeyValue: FloatBuffer
    /// The same before the heads were normed and turned, with the norms' inverses [T, H] and [T, K] (Qwen3).
    let unnormed, queryInverse, keyInverse: FloatBuffer?
    /// Attention's output [T, H E] and the log of its sums [T, H].
    let attended, logSumExp: FloatBuffer
    /// Gate and up side by side, [T, 2F].
    let gateUp: FloatBuffer
    /// silu(gate) * up, [T, F]; layers share one, as it is cheaper to compute once more than to keep.
    let product: FloatBuffer

    init(_ c: ModelConfiguration, _ t: Int, product: FloatBuffer? = nil) {
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
        self.product = product ?? FloatBuffer(t * c.intermediateSize)
    }

    /// Numbers that a token keeps in all buffers that layers do not share.
    static func numbersPerToken(_ c: ModelConfiguration) -> Int {
        let norms = c.hasQueryKeyNorm ? c.queryKeyValueSize + c.headCount + c.keyValueHeadCount : 0
        return 2 * c.hiddenSize + 2 + c.queryKeyValueSize + norms + c.headCount * (c.headSize + 1) + 2
            * c.intermediateSize
    }
}
