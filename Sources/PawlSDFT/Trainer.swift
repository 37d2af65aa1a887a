internal import CKernels
public import Foundation
public import PawlCore
public import PawlModel

/// Teaches a model: samples answers, has the teacher score them, moves the student; or plain fine-tuning.
///
/// Same seed, same threads, same machine: the same weights, whether or not the training was killed on the way.
public final class Trainer {
    /// What one step did, as numbers for people and for the record.
    public typealias Metrics = [String: Double]

    private let recipe: TrainingRecipe
    private let chat: Chat
    private let records: [TokenRecord]
    private var plan: StepPlan
    private let student: Transformer
    private let teacher: Teacher?
    private let teacherDecoder: Transformer?
    private let optimizer: Optimizer
    private let gradients: Parameters
    private let state: TrainingState
    private let meter = StepMeter()
    private let accounts: StepAccounts

    /// Checks everything that can be checked before the first step.
    ///
    /// - Parameters:
    ///   - incumbent: the weights to start from; changed in place.
    ///   - identity: names model, records and recipe; a state of another identity is not used.
    public init(
        _ recipe: TrainingRecipe, _ records: [TrainingRecord], configuration: ModelConfiguration, chat: Chat,
        incumbent: Parameters, state: URL, identity: Digest, pool: ComputePool
    ) throws {
        self.recipe = recipe
        self.chat = chat
        let chosen = recipe.method == .sft ? records.filter { $0.completion != nil } : records
        guard !chosen.isEmpty else {
            throw PawlError(
                .invalidArgument, "demonstrations: plain fine-tuning needs records with a completion")
        }
        guard recipe.maxContextTokens <= configuration.maximumPositions else {
            throw PawlError(
                .invalidArgument,
                "recipe, field max_context_tokens: \(recipe.maxContextTokens) is more than the \(configuration.maximumPositions) positions of the model"
            )
        }
        self.records = try TokenRecord.all(chosen, chat, recipe)
        plan = try StepPlan(chosen, recipe)
        accounts = StepAccounts(self.records, recipe, configuration)
        student = Transformer(configuration, incumbent, positions: recipe.maxContextTokens, pool: pool)
        optimizer = Optimizer(incumbent.layout, recipe, pool)
        gradients = Parameters(incumbent.layout)
        self.state = TrainingState(state, identity: identity)
        guard recipe.method == .sdft else {
            (teacher, teacherDecoder) = (nil, nil)
            return
        }
        let decoder = Transformer(
            configuration, Parameters(copying: incumbent), positions: recipe.maxContextTokens, pool: pool)
        let contexts = self.records.filter { $0.role == .skill }.map(\.context)
        teacherDecoder = decoder
        teacher = Teacher(
            decoder, emaRate: recipe.teacherWeights == .ema ? recipe.emaRate : nil,
            beginnings: [
                Teacher.commonBeginning(contexts), Teacher.commonBeginning(self.records.map(\.prompt)),
            ])
    }

    /// Trains to the end of the recipe; the weights are those that were given to `init`.
    ///
    /// - Parameter progress: called after every step with the steps done; throws to stop.
    /// - Returns: the last step's metrics, and whether the training went on from a state.
    public func run(_ progress: (Int, Metrics) throws -> Void) throws -> (metrics: Metrics, isResumed: Bool) {
        let first = try state.restore(saved)
        var metrics: Metrics = [:]
        try progress(first, metrics)
        for step in first..<max(first, recipe.steps) {
            metrics = try run(step)
            guard metrics.values.allSatisfy(\.isFinite) else {
                throw PawlError(
                    .invalidArgument,
                    "step \(step + 1): the training diverged (loss \(metrics["loss"] ?? .nan))",
                    hint: "lower the learning rate")
            }
            try progress(step + 1, metrics)
            if (step + 1) % recipe.saveEvery == 0, step + 1 < recipe.steps { try state.save(step + 1, saved) }
        }
        return (metrics, first > 0)
    }

    private var saved: [(name: String, values: Parameters)] {
        var result = [
            ("weights", student.parameters), ("mean", optimizer.mean), ("variance", optimizer.variance),
        ]
        if recipe.teacherWeights == .ema, let teacher { result.append(("average", teacher.parameters)) }
        return result
    }

    private func run(_ step: Int) throws -> Metrics {
        let indices = plan.records(of: step)
        let rollouts = try meter.time(.rollout) { try answers(indices, step) }
        var tally = StepTally()
        let tokens = rollouts.reduce(0) { $0 + lossTokens($1.tokens) }
        for start in stride(from: 0, to: indices.count, by: recipe.microBatch) {
            let part = start..<min(start + recipe.microBatch, indices.count)
            try meter.time(.student) {
                try learn(
                    part.map { records[indices[$0]] }, part.map { rollouts[$0] }, tokensInStep: tokens, &tally
                )
            }
        }
        let norm = meter.time(.optimizer) {
            defer { teacher?.update(student.parameters) }
            return optimizer.step(student.parameters, gradients, step: step)
        }
        let lengths = rollouts.map { (length: $0.tokens.count, isOwn: $0.isOwn) }
        let account = meter.finish(
            accounts.work(indices, lengths), tokens: accounts.tokens(indices, lengths))
        return tally.metrics(
            rollouts, isEnded: { self.chat.endTokens.contains($0) },
            learningRate: recipe.learningRate(at: step),
            gradientNorm: norm
        ).merging(account) { $1 }
    }

    /// Tokens of an answer that carry loss.
    private func lossTokens(_ answer: [Int32]) -> Int {
        recipe.method == .sft ? answer.count : max(0, answer.count - recipe.skipTokens)
    }

    /// Each record's answer: the demonstration's, or one that the student gives now.
    private func answers(_ indices: [Int], _ step: Int) throws -> [Rollout] {
        var result = indices.map { index -> Rollout? in
            let record = records[index]
            guard let given = record.demonstration, recipe.method == .sft || !isSampled(index, step) else {
                return nil
            }
            return Rollout(tokens: given, isOwn: false, role: record.role)
        }
        let asked = result.indices.filter { result[$0] == nil }
        guard !asked.isEmpty else { return result.compactMap(\.self) }
        let beginning = Teacher.commonBeginning(asked.map { records[indices[$0]].prompt })
        let prefix = beginning.isEmpty ? nil : try student.prefix(beginning)
        let generator = Generator(
            student, Sampling(temperature: recipe.temperature), limit: recipe.maxCompletionTokens,
            width: asked.count,
            prefix: prefix)
        let requests = asked.map {
            Generator.Request(
                tokens: Array(records[indices[$0]].prompt.dropFirst(beginning.count)),
                name: "\(recipe.seed)/rollout/\(step)/\($0)")
        }
        let given = try generator.generate(
            requests, isFinished: { _, tokens in tokens.last.map(self.chat.endTokens.contains) ?? false })
        for (place, answer) in zip(asked, given) {
            result[place] = Rollout(
                tokens: answer.tokens, isOwn: true, role: records[indices[place]].role,
                logLikelihood: answer.logLikelihood, text: chat.text(answer.tokens))
        }
        return result.compactMap(\.self)
    }

    private func isSampled(_ index: Int, _ step: Int) -> Bool {
        records[index].role == .rehearsal || plan.samples(index, at: step)
    }

    /// Adds the gradient of a few records to the step's.
    private func learn(
        _ records: [TokenRecord], _ rollouts: [Rollout], tokensInStep: Int, _ tally: inout StepTally
    ) throws {
        let skip = recipe.method == .sft ? 0 : recipe.skipTokens
        let d = student.configuration.hiddenSize
        let answers = rollouts.map(\.tokens)
        let batch = SequenceBatch(zip(records, answers).map { $0.prompt + $1.dropLast() })
        let kept = Activations(student.configuration, tokens: batch.tokens.count)
        let states = try student.forward(batch, keeping: kept)
        let counts = answers.map(lossTokens)
        let rows = FloatBuffer(counts.reduce(0, +) * d)
        let places = records.indices.map { Int(batch.starts[$0]) + records[$0].prompt.count - 1 + skip }
        Self.move(counts, places, d) { row, place, size in
            (rows.pointer + row).update(from: states.pointer + place, count: size)
        }
        let weights = zip(counts, records).flatMap { count, _ in
            let weight =
                recipe.method == .sft
                ? 1 / Float(max(1, tokensInStep)) : 1 / Float(max(1, count) * recipe.promptsPerStep)
            return [Float](repeating: weight, count: count)
        }
        let loss = FusedLoss(student: student, recipe: recipe)
        let losses = try loss.run(rows, try target(records, answers, skip), weights: weights, into: gradients)
        tally.add(losses, weights, counts, rollouts)
        states.clear()
        Self.move(counts, places, d) { row, place, size in
            (states.pointer + place).update(from: rows.pointer + row, count: size)
        }
        try student.backward(kept, hiddenGradient: states, into: gradients)
    }

    private func target(_ records: [TokenRecord], _ answers: [[Int32]], _ skip: Int) throws
        -> FusedLoss.Target
    {
        guard let teacher, let teacherDecoder else { return .tokens(answers.flatMap(\.self)) }
        let hidden = try meter.time(.teacher) {
            try teacher.hidden(records.map(\.context), answers, skip: skip)
        }
        return .teacher(hidden, teacherDecoder)
    }

    /// Goes through the runs of rows that carry loss: offset among them, offset in the batch, numbers.
    private static func move(
        _ counts: [Int], _ places: [Int], _ d: Int, _ body: (Int, Int, Int) throws -> Void
    ) rethrows {
        var row = 0
        for (count, place) in zip(counts, places) {
            try body(row * d, place * d, count * d)
            row += count
        }
    }
}
