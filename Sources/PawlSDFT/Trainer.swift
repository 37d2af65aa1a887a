internal import CKernels
public import Foundation
public import PawlCore
public import PawlModel

/// Teaches a model: samples answers, has the teacher score them, moves the student. Plain fine-tuning learns the
/// demonstrations' tokens in place of a skill's answers; what it rehearses is sampled and scored all the same.
///
/// Same seed, same threads, same machine: the same weights, whether or not the training was killed on the way.
public final class Trainer {
    /// What one step did, as numbers for people and for the record.
    public typealias Metrics = [String: Double]

    private let recipe: TrainingRecipe
    private let chat: Chat
    private let records: [TokenRecord]
    private var plan: StepPlan
    private let learner: any Learner
    private let teacher: Teacher?
    private let optimizer: Optimizer
    /// Room for a micro-batch, kept from step to step: half a gigabyte of fresh pages costs more than a layer.
    private var activations: Activations
    private let state: TrainingState
    private let meter = StepMeter()
    private let accounts: StepAccounts

    /// Checks everything that can be checked before the first step.
    ///
    /// - Parameters:
    ///   - incumbent: the weights to start from; changed in place where all learn, which needs them in fp32.
    ///   - identity: names model, records and recipe; a state of another identity is not used.
    public init(
        _ recipe: TrainingRecipe, _ records: [TrainingRecord], configuration: ModelConfiguration, chat: Chat,
        incumbent: ModelWeights, state: URL, identity: Digest, pool: ComputePool
    ) throws {
        self.recipe = recipe
        self.chat = chat
        let chosen =
            recipe.method == .sft
            ? records.filter { $0.role == .rehearsal || $0.completion != nil } : records
        guard recipe.method == .sdft || chosen.contains(where: { $0.role == .skill }) else {
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
        activations = Activations(configuration, tokens: 0)
        self.state = TrainingState(state, identity: identity)
        let isRehearsing = recipe.rehearsalPerStep > 0 && chosen.contains { $0.role == .rehearsal }
        let samples = recipe.method == .sdft || isRehearsing
        let kept: ModelWeights
        (learner, kept) = try Self.learner(recipe, configuration, incumbent, samples: samples, pool)
        optimizer = Optimizer(learner, recipe, pool)
        accounts = StepAccounts(self.records, recipe, configuration, update: learner.factors?.layout)
        let contexts = recipe.method == .sft ? [] : self.records.filter { $0.role == .skill }.map(\.context)
        let prompts = self.records.map(\.prompt)
        teacher =
            samples
            ? Teacher(
                kept, configuration, recipe, pool,
                beginnings: [Teacher.commonBeginning(contexts), Teacher.commonBeginning(prompts)])
            : nil
    }

    /// Who learns, and the incumbent's weights for a teacher, which nothing changes.
    private static func learner(
        _ recipe: TrainingRecipe, _ c: ModelConfiguration, _ incumbent: ModelWeights, samples: Bool,
        _ pool: ComputePool
    ) throws -> (any Learner, ModelWeights) {
        let positions = recipe.maxContextTokens
        var exact: ModelWeights? = nil
        if case .full(let parameters) = incumbent,
            recipe.update == .lowRank || (samples && recipe.teacherWeights == .frozen)
        {
            exact = FrozenWeights(exactly: parameters, pool).map(ModelWeights.frozen)
        }
        if let layout = try recipe.lowRankLayout(incumbent.layout) {
            let weights = exact ?? incumbent
            let factors = LowRankFactors(layout, seed: recipe.seed)
            return (
                LowRankLearner(weights, factors, c, positions: positions, samples: samples, pool), weights
            )
        }
        guard case .full(let parameters) = incumbent else {
            throw PawlError(.internalError, "weights that are held in bf16 alone do not all learn")
        }
        // An average begins with a copy of its own.
        let isCopied = exact == nil && samples && recipe.teacherWeights == .frozen
        let kept = exact ?? .full(isCopied ? Parameters(copying: parameters) : parameters)
        return (FullLearner(parameters, c, positions: positions, samples: samples, pool), kept)
    }

    /// The factors that learn; nil where all weights do.
    public var factors: LowRankFactors? { learner.factors }

    /// Trains to the end of the recipe; what learnt are the weights that were given to `init`, or ``factors``.
    ///
    /// - Parameter progress: called after every step with the steps done; throws to stop.
    /// - Returns: the last step's metrics, and whether the training went on from a state.
    public func run(_ progress: (Int, Metrics) throws -> Void) throws -> (metrics: Metrics, isResumed: Bool) {
        let first = try state.restore(saved)
        try learner.changed()
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

    private var saved: [(name: String, values: FloatBuffer)] {
        var result = [
            learner.numbers, ("mean", optimizer.mean), ("variance", optimizer.variance),
        ]
        if let average = teacher?.average { result.append(("average", average.weights.buffer)) }
        return result
    }

    private func run(_ step: Int) throws -> Metrics {
        let indices = plan.records(of: step)
        let rollouts = try meter.time(.rollout) { try answers(indices, step) }
        var tally = StepTally()
        let weights = rollouts.map { weight($0, of: rollouts) }
        for part in accounts.microBatches(indices, rollouts.map(\.tokens.count)) {
            try meter.time(.student) {
                try learn(
                    part.map { records[indices[$0]] }, Array(rollouts[part]), Array(weights[part]), &tally)
            }
        }
        let norm = try meter.time(.optimizer) {
            let norm = optimizer.step(learner.numbers.values, learner.gradientNumbers, step: step)
            try learner.changed()
            try teacher?.update(learner)
            return norm
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

    /// First tokens of an answer that carry no loss.
    private func skipped(_ role: TrainingRecord.Role) -> Int {
        recipe.method == .sft && role == .skill ? 0 : recipe.skipTokens
    }

    /// Tokens of an answer that carry loss.
    private func lossTokens(_ rollout: Rollout) -> Int {
        max(0, rollout.tokens.count - skipped(rollout.role))
    }

    /// What each token of an answer counts. The records of a step count alike, and the tokens of an answer; in plain
    /// fine-tuning all demonstrations of a step are one long answer.
    private func weight(_ rollout: Rollout, of rollouts: [Rollout]) -> Float {
        guard recipe.method == .sft, rollout.role == .skill else {
            return 1 / Float(max(1, lossTokens(rollout)) * rollouts.count)
        }
        let demonstrations = rollouts.filter { $0.role == .skill }
        let tokens = demonstrations.reduce(0) { $0 + lossTokens($1) }
        return Float(demonstrations.count) / Float(rollouts.count) / Float(max(1, tokens))
    }

    /// Each record's answer: the demonstration's, or one that the student gives now.
    private func answers(_ indices: [Int], _ step: Int) throws -> [Rollout] {
        var result = indices.map { index -> Rollout? in
            let record = records[index]
            guard let given = record.demonstration, !isSampled(index, step) else { return nil }
            return Rollout(tokens: given, isOwn: false, role: record.role)
        }
        let asked = result.indices.filter { result[$0] == nil }
        guard !asked.isEmpty else { return result.compactMap(\.self) }
        guard let sampler = learner.sampler else {
            throw PawlError(.internalError, "nothing was to be sampled")
        }
        let beginning = Teacher.commonBeginning(asked.map { records[indices[$0]].prompt })
        let prefix = beginning.isEmpty ? nil : try sampler.prefix(beginning)
        let generator = Generator(
            sampler, Sampling(temperature: recipe.temperature), limit: recipe.maxCompletionTokens,
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
        records[index].role == .rehearsal || (recipe.method == .sdft && plan.samples(index, at: step))
    }

    /// Adds the gradient of a few records to the step's; those that learn tokens come before those that have a teacher.
    private func learn(
        _ records: [TokenRecord], _ rollouts: [Rollout], _ weights: [Float], _ tally: inout StepTally
    ) throws {
        let student = learner.student
        let beginning = Teacher.commonBeginning(records.map(\.prompt))
        let batch = SequenceBatch(
            beginning: beginning,
            zip(records, rollouts).map { $0.prompt.dropFirst(beginning.count) + $1.tokens.dropLast() })
        let states = try student.forward(batch, keeping: room(for: batch))
        let runs = records.indices.map {
            let answer = Int(batch.starts[$0 + 1]) + records[$0].prompt.count - beginning.count - 1
            return (first: answer + skipped(records[$0].role), count: lossTokens(rollouts[$0]))
        }
        let demonstrated = recipe.method == .sft ? records.prefix { $0.role == .skill }.count : 0
        let parts = try [0..<demonstrated, demonstrated..<records.count].filter { !$0.isEmpty }.map { part in
            let rows = LossRows(Array(runs[part]), width: student.configuration.hiddenSize, from: states)
            let each = part.flatMap { [Float](repeating: weights[$0], count: runs[$0].count) }
            let target = try target(part, records, rollouts, hasTeacher: part.lowerBound == demonstrated)
            let losses = try FusedLoss(student: student, recipe: recipe).run(
                rows.states, target, weights: each, into: learner.gradients)
            tally.add(losses, each, part.map { runs[$0].count }, Array(rollouts[part]))
            return rows
        }
        states.clear()
        for rows in parts { rows.copy(to: states) }
        try student.backward(activations, hiddenGradient: states, into: learner.gradients)
    }

    private func target(
        _ part: Range<Int>, _ records: [TokenRecord], _ rollouts: [Rollout], hasTeacher: Bool
    ) throws -> FusedLoss.Target {
        let answers = rollouts[part].map(\.tokens)
        guard hasTeacher, let teacher else { return .tokens(answers.flatMap(\.self)) }
        let hidden = try meter.time(.teacher) {
            try teacher.hidden(records[part].map(\.context), answers, skip: recipe.skipTokens)
        }
        return .teacher(hidden, teacher.decoder)
    }

    /// Activations that hold the batch, with some room more so that the next one fits too.
    private func room(for batch: SequenceBatch) -> Activations {
        let (tokens, configuration) = (batch.tokens.count, learner.student.configuration)
        if activations.capacity < tokens {
            // The old ones go before the new ones come.
            activations = Activations(configuration, tokens: 0)
            let room = tokens + tokens / 8
            // Running layers once more changes no bit, so the machine's memory may decide.
            let isLarge = Activations.isRecomputed(configuration, tokens: room)
            activations = Activations(configuration, tokens: room, recomputing: isLarge)
        }
        return activations
    }
}
