internal import Foundation
public import PawlCore
internal import PawlModel
internal import PawlSDFT
internal import Synchronization

/// The engine in this process: Swift and C on the processor, no Python.
public struct NativeEngine: Engine {
    /// Threads of the arithmetic; 0: one for each processor.
    public var threads: Int

    /// Makes an engine; nothing is loaded yet.
    public init(threads: Int = 0) { self.threads = threads }

    /// Name of the engine, as `--engine` takes it.
    public static let name = "native"

    /// To be raised with every change of kernels, model or decoding that may give a model other digits, so that scores
    /// from before and after are never taken for comparable.
    static let arithmeticRevision = 2

    /// Who it is; known without loading anything.
    public static let description = EngineDescription(
        name: name, version: PawlVersion.current,
        summary:
            "Trains and evaluates Llama, Mistral, Qwen2 and Qwen3 models on the processor, in this process.",
        arithmetic: EngineDescription.Arithmetic(
            revision: arithmeticRevision, instructions: ComputePool.bestInstructionSet, products: "float32"),
        capabilities: EngineCapabilities(
            train: ["sdft", "sft"], evaluate: true, resume: true,
            updates: [EngineCapabilities.full, EngineCapabilities.lowRank]))

    public var readsSources: Bool { true }
    public var estimatesWork: Bool { true }

    public func identify() throws -> EngineDescription { Self.description }

    public func describe() async throws -> EngineDescription { Self.description }

    public func train(_ request: TrainingRequest, progress: ProgressHandler?) async throws -> TrainingResult {
        try await StopFlag.running { stop in try train(request, stop, progress) }
    }

    private func train(_ request: TrainingRequest, _ stop: StopFlag, _ progress: ProgressHandler?) throws
        -> TrainingResult
    {
        let recipe = try TrainingRecipe(request.recipe)
        let records = try TrainingRecord.read(
            Self.bytes(request.demonstrations), source: request.demonstrations.path.path)
        let model = try LoadedModel(
            request.model, for: recipe.update == .full ? .learning : .adapting, threads: threads
        ) { try MemoryNeed.training($0, recipe, $1).check("training") }
        let identity = Digest(
            of: [
                request.model.digest.hex, request.demonstrations.sha256.hex,
                Digest(of: try JSON.canonical(request.recipe)).hex, PawlVersion.current,
                String(Self.arithmeticRevision),
                model.pool.instructionSet,
                String(model.pool.threads),
            ].joined(separator: "\n"))
        let trainer = try Trainer(
            recipe, records, configuration: model.configuration, chat: model.chat, incumbent: model.weights,
            state: request.state, identity: identity, pool: model.pool)
        try Files.remove(request.output)
        var tokens = 0.0
        let record = TranscriptRecorder()
        let outcome = try trainer.run { step, metrics in
            try stop.check()
            tokens += metrics["tokens_read"] ?? 0
            if !metrics.isEmpty {
                record.record(.engine, message: Self.progressMessage(step, of: recipe.steps, metrics))
            }
            progress?(
                Progress("train", Int64(step), of: Int64(recipe.steps), unit: "steps", metrics: metrics))
        }
        if let factors = trainer.factors {
            try AdapterWriter.write(
                factors, alpha: recipe.alpha, modules: recipe.modules, to: request.output)
        } else {
            try ModelWriter.write(
                model.parameters, like: model.source, to: request.output, pool: model.pool)
        }
        var metrics = outcome.metrics.mapValues(JSONValue.double)
        metrics["steps"] = .int(Int64(recipe.steps))
        metrics["resumed"] = .int(outcome.isResumed ? 1 : 0)
        // All steps' together; what an interrupted run had read is not known.
        metrics["tokens_read"] = outcome.isResumed ? nil : .double(tokens)
        return TrainingResult(
            output: request.output, files: try OutputCheck(engine: Self.name).inventory(of: request.output),
            environment: model.environment, metrics: metrics, engine: Self.description,
            transcript: record.transcript)
    }

    /// A step as a plug-in would tell it, so that the curves of a training are kept in one form whoever trained.
    static func progressMessage(_ step: Int, of steps: Int, _ metrics: [String: Double]) -> JSONValue {
        [
            "type": "progress", "step": .int(Int64(step)), "steps": .int(Int64(steps)),
            "metrics": .object(metrics.mapValues(JSONValue.double)),
        ]
    }

    public func checkRoom(_ model: ModelInput, recipe: JSONValue) throws {
        let source = try model.open()
        let configuration = try ModelConfiguration(source)
        let recipe = try TrainingRecipe(recipe)
        _ = try recipe.lowRankLayout(ParameterLayout(configuration))
        try MemoryNeed.training(configuration, recipe, source).check("training")
    }

    public func evaluate(_ request: EvaluationRequest, progress: ProgressHandler?) async throws
        -> EvaluationResult
    {
        let results = try await evaluate([request], progress: progress)
        guard let result = results.first else { throw PawlError(.internalError, "no evaluation result") }
        return result
    }

    /// Answers several suites; a model that several ask for is loaded once.
    public func evaluate(_ requests: [EvaluationRequest], progress: ProgressHandler?) async throws
        -> [EvaluationResult]
    {
        try await StopFlag.running { stop in try evaluate(requests, stop, progress) }
    }

    private func evaluate(
        _ requests: [EvaluationRequest], _ stop: StopFlag, _ progress: ProgressHandler?
    ) throws -> [EvaluationResult] {
        guard requests.allSatisfy({ $0.task == nil }) else {
            throw PawlError(.unsupported, "engine \"native\" cannot score a suite by a task")
        }
        var loaded: LoadedModel?
        return try requests.enumerated().map { index, request in
            let model: LoadedModel
            if let known = loaded, known.input == request.model {
                model = known
            } else {
                loaded = nil
                model = try LoadedModel(request.model, for: .answering, threads: threads) {
                    configuration, _ in
                    try MemoryNeed.evaluation(configuration, request.settings.batchSize).check("evaluation")
                }
                loaded = model
            }
            let place = requests.count > 1 ? " \(index + 1)/\(requests.count)" : ""
            let evaluation = try NativeEvaluation(
                model, items: Self.bytes(request.suite), source: request.suite.path.path, request.settings)
            let answers = try evaluation.run { done, total in
                try stop.check()
                progress?(
                    Progress("evaluate" + place, Int64(done), of: Int64(total), unit: "items"))
            }
            return EvaluationResult(
                answers: answers, sha256: Digest(of: try JSON.canonicalLines(answers)),
                environment: model.environment,
                metrics: [:], engine: Self.description, transcript: Transcript(bytes: []))
        }
    }

    /// The bytes of a file that the host wrote, checked against its digest.
    static func bytes(_ file: FileInput) throws -> [UInt8] {
        let bytes = try Files.read(file.path)
        let digest = Digest(of: bytes)
        guard digest == file.sha256 else {
            throw PawlError(
                .evidenceInvalid,
                "\(file.path.path) has the SHA-256 \(digest.hex), the request says \(file.sha256.hex)")
        }
        return bytes
    }
}

/// A model that was read, with the threads that run it.
final class LoadedModel {
    let input: ModelInput
    let source: any ModelSource
    let configuration: ModelConfiguration
    let chat: Chat
    /// Weights that all learn are held in fp32; others in bf16 where they are stored so, and in fp32 else.
    let weights: ModelWeights
    let pool: ComputePool

    /// What the model is for: to answer, to learn with all its weights, or to learn a low-rank update.
    enum Use { case answering, learning, adapting }

    /// - Parameter check: looks at the configuration before the weights are read.
    init(
        _ input: ModelInput, for use: Use, threads: Int,
        check: (ModelConfiguration, any ModelSource) throws -> Void
    ) throws {
        self.input = input
        source = try input.open()
        configuration = try ModelConfiguration(source)
        try check(configuration, source)
        chat = try Chat(source, configuration: configuration)
        pool = try ComputePool(threads: threads)
        if use != .learning, let frozen = try FrozenWeights.read(source, configuration, pool) {
            weights = .frozen(frozen)
        } else {
            weights = .full(try Parameters(reading: source, configuration, pool))
        }
    }

    /// The weights in fp32, of a model that was read to learn with all of them.
    var parameters: Parameters {
        get throws {
            guard case .full(let parameters) = weights else {
                throw PawlError(.internalError, "weights that were not read to learn were to be")
            }
            return parameters
        }
    }

    /// A decoder for texts of up to `positions` tokens.
    func decoder(positions: Int) -> Transformer {
        Transformer(configuration, weights, positions: positions, pool: pool)
    }

    /// What the model ran on: part of the evidence.
    var environment: [String: JSONValue] {
        [
            "device": "cpu", "instructions": .string(pool.instructionSet),
            "threads": .int(Int64(pool.threads)),
            "products": "float32", "pawl": .string(PawlVersion.current),
        ]
    }
}

/// Says to work on other threads that nobody wants its result any more.
final class StopFlag: Sendable {
    private let isSet = Atomic(false)

    /// Runs blocking work that looks at the flag, which is set when the task is cancelled.
    static func running<T: Sendable>(_ work: @escaping @Sendable (StopFlag) throws -> T) async throws -> T {
        let stop = StopFlag()
        return try await withTaskCancellationHandler {
            try await Parallel.blocking { try work(stop) }
        } onCancel: {
            stop.isSet.store(true, ordering: .relaxed)
        }
    }

    func check() throws {
        if isSet.load(ordering: .relaxed) { throw PawlError(.cancelled, "cancelled") }
    }
}
