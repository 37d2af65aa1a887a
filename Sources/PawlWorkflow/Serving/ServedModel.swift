public import PawlCore
public import PawlModel

/// A checkpoint in memory, ready to answer.
public final class ServedModel: Sendable {
    /// Which it is.
    public let checkpoint: Digest
    /// Its shape.
    public let configuration: ModelConfiguration
    /// Its tokenizer and chat template; models with equal files hold one.
    public var chat: Chat { text.chat }
    /// Its weights; models with equal tensors hold them once.
    public let weights: SharedWeights
    let decoder: Transformer
    private let text: Text

    /// A tokenizer and chat template that models share.
    final class Text: Sendable {
        let chat: Chat
        init(_ chat: Chat) { self.chat = chat }
    }

    init(
        _ checkpoint: Digest, _ configuration: ModelConfiguration, _ text: Text, _ weights: SharedWeights,
        context: Int, _ pool: ComputePool
    ) {
        self.checkpoint = checkpoint
        self.configuration = configuration
        self.text = text
        self.weights = weights
        decoder = Transformer(
            configuration, shared: weights, positions: min(configuration.maximumPositions, context),
            pool: pool)
    }

    /// The longest text, prompt and answer together, in tokens.
    public var context: Int { decoder.maximumPositions }
}
