internal import Dispatch
public import PawlCore
internal import PawlModel
public import PawlRegistry
internal import Synchronization

/// Checkpoints that are held in memory, read straight from the store; equal tensors are there once.
///
/// What was asked for longest ago goes when the memory is needed, unless it is answering right now.
public final class ModelShelf: Sendable {
    private let registry: Registry
    private let limits: ServingLimits
    private let pool: ComputePool
    private let weights = WeightPool()
    private let state = Mutex(State())
    /// Models are read one after the other: each takes all processors, and may find tensors of the one before.
    private let reading = DispatchQueue(label: "pawl.models", qos: .userInitiated)

    private struct State {
        /// The latest asked for comes last.
        var models: [ServedModel] = []
        var texts: [Digest: WeakText] = [:]
    }

    private struct WeakText {
        weak var text: ServedModel.Text?
    }

    /// An empty shelf.
    ///
    /// - Parameter threads: of all models' arithmetic; 0: one for each processor.
    public init(_ registry: Registry, _ limits: ServingLimits, threads: Int = 0) throws {
        self.registry = registry
        self.limits = limits
        pool = try PatientThread.value("pawl.pool") { try ComputePool(threads: threads) }
    }

    /// The models that are held, the latest asked for last, and the memory of all their weights, in bytes.
    public var contents: (models: [ServedModel], bytes: Int) {
        (state.withLock { $0.models }, weights.bytes)
    }

    /// A checkpoint's model, read from the store unless it is held.
    ///
    /// Fails with `overloaded` when the memory for it is taken by models that are answering.
    public func model(_ checkpoint: Digest) async throws -> ServedModel {
        if let held = held(checkpoint) { return held }
        return try await withCheckedThrowingContinuation { continuation in
            reading.async { continuation.resume(with: Result { try self.read(checkpoint) }) }
        }
    }

    private func held(_ checkpoint: Digest) -> ServedModel? {
        state.withLock { state in
            guard let place = state.models.firstIndex(where: { $0.checkpoint == checkpoint }) else {
                return nil
            }
            let model = state.models.remove(at: place)
            state.models.append(model)
            return model
        }
    }

    private func read(_ checkpoint: Digest) throws -> ServedModel {
        if let held = held(checkpoint) { return held }
        guard try registry.checkpoint(checkpoint).collected == nil else {
            throw PawlError(
                .notFound, "checkpoint \(checkpoint.short) was collected: its weights are gone",
                hint: "pawl log lists what there is")
        }
        let source = try StoredModel(registry.store, checkpoint)
        let configuration = try ModelConfiguration(source)
        let text = try text(source, configuration)
        try makeRoom(for: checkpoint, source, configuration)
        let model = ServedModel(
            checkpoint, configuration, text, try weights.weights(source, configuration, pool),
            context: limits.context, pool)
        state.withLock { $0.models.append(model) }
        return model
    }

    /// The tokenizer and template of a model; equal files are read once.
    private func text(_ source: StoredModel, _ configuration: ModelConfiguration) throws -> ServedModel.Text {
        let files = [
            "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json",
            "config.json",
        ]
        let names = try files.map { Digest(of: try source.file($0) ?? []).hex }
        let name = Digest(of: names.joined(separator: "\n"))
        if let text = state.withLock({ $0.texts[name]?.text }) { return text }
        let text = ServedModel.Text(try Chat(source, configuration: configuration))
        state.withLock { state in
            state.texts = state.texts.filter { $0.value.text != nil }
            state.texts[name] = WeakText(text: text)
        }
        return text
    }

    /// Gives up models that answer nobody, the longest unasked first, until a checkpoint's weights have room.
    private func makeRoom(
        for checkpoint: Digest, _ source: StoredModel, _ configuration: ModelConfiguration
    ) throws {
        // What goes may be what the new model would have shared.
        var missing = try weights.missingBytes(source, configuration)
        func lacks() -> Bool { weights.bytes + missing > limits.weightBytes }
        var busy: [ServedModel] = []
        defer { state.withLock { $0.models.insert(contentsOf: busy, at: 0) } }
        search: while lacks() {
            switch giveUpOldest() {
            case .none: break search
            case .busy(let model): busy.append(model)
            case .freed: missing = try weights.missingBytes(source, configuration)
            }
        }
        guard lacks() else { return }
        let (held, limit) = (weights.bytes / 1_000_000, limits.weightBytes / 1_000_000)
        guard !busy.isEmpty else {
            throw PawlError(
                .unsupported,
                "checkpoint \(checkpoint.short) takes \(missing / 1_000_000) MB, models may take \(limit) MB",
                hint: "give the server more memory for models")
        }
        throw PawlError(
            .overloaded,
            "checkpoint \(checkpoint.short) takes \(missing / 1_000_000) MB more, and models that are answering hold \(held) of \(limit) MB",
            hint: "ask again in a while, or ask a checkpoint that is loaded")
    }

    /// What became of a model that was to go.
    private enum Outcome { case none, freed, busy(ServedModel) }

    private func giveUpOldest() -> Outcome {
        weak var oldest: ServedModel?
        let isEmpty = state.withLock { state in
            guard !state.models.isEmpty else { return true }
            oldest = state.models.removeFirst()
            return false
        }
        if isEmpty { return .none }
        // Somebody who answers with it holds it.
        return oldest.map(Outcome.busy) ?? .freed
    }
}
