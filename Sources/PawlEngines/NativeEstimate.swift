internal import Foundation
public import PawlCore
internal import PawlModel
internal import PawlSDFT

extension NativeEngine {
    public func estimate(_ request: EstimateRequest, progress: ProgressHandler?) async throws -> WorkEstimate?
    {
        try await StopFlag.running { stop in try estimate(request, stop, progress) }
    }

    private func estimate(_ request: EstimateRequest, _ stop: StopFlag, _ progress: ProgressHandler?) throws
        -> WorkEstimate
    {
        let recipe = try TrainingRecipe(request.recipe)
        let records = try TrainingRecord.read(
            Self.bytes(request.demonstrations), source: request.demonstrations.path.path)
        var need = 0
        let widest = request.evaluations.map(\.request.settings.batchSize).max() ?? 1
        let model = try LoadedModel(
            request.model, for: recipe.update == .full ? .learning : .adapting, threads: threads
        ) { configuration, source in
            let training = try MemoryNeed.training(configuration, recipe, source)
            try training.check("training")
            let evaluation = MemoryNeed.evaluation(configuration, widest)
            try evaluation.check("evaluation")
            need = max(training.bytes, evaluation.bytes)
        }
        let training = try TrainingWork(
            recipe, records, configuration: model.configuration, chat: model.chat)
        let speed = try MachineSpeed(
            model, widths: [recipe.promptsPerStep, widest], stop: { try stop.check() })
        var phases: [WorkEstimate.Phase] = []
        func add(_ name: String, _ seconds: Double, _ operations: Double) {
            if phases.last?.phase != name { phases.append(.init(phase: name, seconds: 0, gflop: 0)) }
            phases[phases.count - 1].seconds += seconds
            phases[phases.count - 1].gflop += operations / 1e9
        }
        let transformer = model.decoder(positions: 1)
        func evaluate(_ evaluation: EstimateRequest.Evaluation) throws {
            try stop.check()
            let request = evaluation.request
            let work = try NativeEvaluation(
                model, items: Self.bytes(request.suite), source: request.suite.path.path, request.settings
            ).work(transformer)
            let drawn = speed.perToken * Double(work.sampledTokens)
            add(
                evaluation.phase,
                speed.reading(work.reading)
                    + speed.sampling(work.sampledTokens, width: request.settings.batchSize),
                work.reading.total + drawn)
        }
        for evaluation in request.evaluations where evaluation.phase != "evaluate" {
            try evaluate(evaluation)
        }
        add("train", speed.training(training, recipe), training.work.total)
        for evaluation in request.evaluations where evaluation.phase == "evaluate" {
            try evaluate(evaluation)
        }
        return WorkEstimate(
            phases: phases, memoryBytes: need, machineMemoryBytes: MemoryNeed.machine,
            gflopPerSecond: speed.readingRate / 1e9)
    }
}

/// How fast this machine runs a model, measured on the model itself in a few seconds.
struct MachineSpeed {
    /// Operations a second when many tokens go through together.
    let readingRate: Double
    /// Seconds of reading four bytes for each weight.
    private let sweep: Double
    private let weights: Int
    /// Tokens a second that so many sequences give together.
    private let samplingRates: [Int: Double]
    /// Operations of a token that is drawn, behind a short text.
    let perToken: Double

    /// Tokens that are read in a measurement: as many as make the products efficient, and no more.
    private static let readTokens = 512
    /// Tokens that each sequence draws in a measurement.
    private static let drawnTokens = 6
    /// Tokens before them.
    private static let promptTokens = 4
    private static let usualContext = 64

    init(_ model: LoadedModel, widths: [Int], stop: () throws -> Void) throws {
        let c = model.configuration
        let transformer = model.decoder(positions: 128)
        func tokens(_ count: Int) -> [Int32] { (0..<count).map { Int32($0 % c.vocabularySize) } }
        let batch = SequenceBatch((0..<Self.readTokens / 64).map { _ in tokens(64) })
        let work = Double(batch.count) * FloatingPointWork.layers(c, tokens: 64)
        // The first run touches fresh memory and compiles products; the faster of two more is the machine's.
        var seconds = Double.infinity
        for run in 0..<3 {
            try stop()
            let elapsed = try Self.time { _ = try transformer.forward(batch) }
            if run > 0 { seconds = min(seconds, elapsed) }
        }
        let rate = work.total / seconds
        readingRate = rate
        weights = ParameterLayout(c).count
        // Who answers reads bf16, in a training and in an evaluation.
        let sampler: Transformer
        switch model.weights {
        case .full(let parameters):
            sweep = Self.shortest { _ = parameters.squaredNorm(model.pool) }
            sampler = Transformer(
                c, parameters, positions: 128, pool: model.pool, precision: .bf16Decoding)
        case .frozen(let frozen):
            // A copy in bf16 reads two bytes of each and writes two.
            sweep = Self.shortest { _ = FrozenWeights(copying: frozen) }
            sampler = transformer
        }
        var rates: [Int: Double] = [:]
        for width in Set(widths) {
            try stop()
            let generator = Generator(sampler, .greedy, limit: Self.drawnTokens, width: width)
            let requests = (0..<width).map { _ in
                Generator.Request(tokens: tokens(Self.promptTokens), name: "")
            }
            let elapsed = try Self.time {
                _ = try generator.generate(requests, isFinished: { _, _ in false })
            }
            let filling = Double(width) * FloatingPointWork.layers(c, tokens: Self.promptTokens).total / rate
            rates[width] = Double(width * Self.drawnTokens) / max(elapsed - filling, 1e-9)
        }
        samplingRates = rates
        perToken =
            (FloatingPointWork.layers(c, tokens: 1, after: Self.usualContext) + .logits(c, rows: 1)).total
    }

    private static func time(_ body: () throws -> Void) rethrows -> Double {
        try ContinuousClock().measure(body) / .seconds(1)
    }

    /// Seconds of the faster of two runs.
    private static func shortest(_ body: () -> Void) -> Double { min(time(body), time(body)) }

    /// Seconds of reading.
    func reading(_ work: FloatingPointWork) -> Double { work.total / readingRate }

    /// Seconds of drawing tokens, so many sequences at a time.
    func sampling(_ tokens: Int, width: Int) -> Double {
        guard tokens > 0, let rate = samplingRates[width] else { return 0 }
        return Double(tokens) / rate
    }

    /// Seconds of a training.
    func training(_ training: TrainingWork, _ recipe: TrainingRecipe) -> Double {
        let drawn = perToken * Double(training.sampledTokens)
        let read =
            max(0, training.work[.rollout].total - drawn) + training.work[.teacher].total
            + training.work[.student].total
        // AdamW and the norm read or write nine numbers for each that learns, the sweep reads one for each weight; what a
        // low-rank update makes of all weights is rounded anew where anything is sampled.
        let rounding = recipe.update == .lowRank && training.sampledTokens > 0 ? 2.0 : 0
        let sweeps = 9 * Double(training.learning) / Double(weights) + rounding
        let optimizer = sweeps * sweep * Double(recipe.steps)
        return read / readingRate + sampling(training.sampledTokens, width: recipe.promptsPerStep) + optimizer
    }
}
