public import PawlModel

/// The parts of a training step that are accounted for apart.
public enum StepPhase: String, Sendable, CaseIterable {
    /// The student answers.
    case rollout
    /// The teacher reads the answers behind its context.
    case teacher
    /// The student's way forward, the loss with the output projections of both, and the way back.
    case student
    /// Clipping, AdamW and the teacher's average.
    case optimizer
}

/// A record and its answer in a step, as numbers of tokens.
public struct StepSequence: Sendable, Hashable {
    /// What the student answers.
    public var prompt: Int
    /// The answer with the token that ends it.
    public var answer: Int
    /// First tokens of the answer that carry no loss.
    public var skipped: Int
    /// Whether the student gives the answer in this step.
    public var isSampled: Bool
    /// What the teacher answers in the prompt's place; nil where the loss asks no teacher.
    public var context: Int?
    /// First tokens of the context that were run before, for all that share them.
    public var sharedContext: Int

    /// Makes a sequence.
    public init(
        prompt: Int, answer: Int, skipped: Int = 0, isSampled: Bool = false, context: Int? = nil,
        sharedContext: Int = 0
    ) {
        self.prompt = prompt
        self.answer = answer
        self.skipped = skipped
        self.isSampled = isSampled
        self.context = context
        self.sharedContext = sharedContext
    }

    /// Tokens of the answer that carry loss.
    public var lossTokens: Int { max(0, answer - skipped) }
}

/// Floating-point operations of training steps, phase by phase.
public struct StepWork: Sendable, Hashable {
    /// What each phase takes.
    public private(set) var phases: [StepPhase: FloatingPointWork] = [:]

    /// Nothing.
    public init() {}

    /// A step over micro-batches.
    ///
    /// - Parameters:
    ///   - batches: the sequences of each micro-batch, and how many tokens all its prompts begin with (run once for them).
    ///   - beginning: tokens that all prompts to be answered begin with (run once).
    ///   - averages: whether the teacher's weights follow the student's.
    ///   - update: the factors that learn in place of all weights.
    ///   - recomputedContext: tokens of shared contexts that are run anew, each after none: the teacher's weights moved.
    public init(
        _ c: ModelConfiguration, _ batches: [(beginning: Int, sequences: [StepSequence])], beginning: Int,
        averages: Bool = false, update: LowRankLayout? = nil, recomputedContext: [Int] = []
    ) {
        var (rollout, teacher, student) = (
            FloatingPointWork(), FloatingPointWork(), FloatingPointWork()
        )
        let sampled = batches.flatMap(\.sequences).filter(\.isSampled)
        if !sampled.isEmpty { rollout += .layers(c, tokens: beginning) }
        for sequence in sampled {
            // The last token of an answer is drawn and not run.
            rollout += .layers(c, tokens: sequence.prompt + sequence.answer - 1 - beginning, after: beginning)
            rollout += .logits(c, rows: sequence.answer)
        }
        for shared in recomputedContext { teacher += .layers(c, tokens: shared) }
        for batch in batches {
            var forward = FloatingPointWork.layers(c, tokens: batch.beginning)
            for sequence in batch.sequences {
                let rows = FloatingPointWork.logits(c, rows: sequence.lossTokens)
                forward +=
                    .layers(
                        c, tokens: sequence.prompt + sequence.answer - 1 - batch.beginning,
                        after: batch.beginning) + rows
                guard let context = sequence.context else { continue }
                let shared = sequence.sharedContext
                teacher += .layers(c, tokens: context + sequence.answer - 1 - shared, after: shared)
                student += rows
            }
            student += forward + (update == nil ? forward.backward : forward.backwardToInputs)
            let tokens = batch.sequences.reduce(batch.beginning) {
                $0 + $1.prompt + $1.answer - 1 - batch.beginning
            }
            if let update { student += update.gradientWork(tokens: tokens) }
        }
        if let update { student += update.foldingWork }
        let weights = Double(ParameterLayout(c).count)
        let learning = update.map { Double($0.count) } ?? weights
        let optimizer = Self.adamWOperations * learning + (averages ? Self.averageOperations * weights : 0)
        phases = [
            .rollout: rollout, .teacher: teacher, .student: student,
            .optimizer: FloatingPointWork(elementwise: optimizer),
        ]
    }

    /// Norm 2, clipping 1, mean 3, variance 4, and 7 from the moments to the new weight.
    static let adamWOperations = 17.0
    /// w += rate (s - w).
    static let averageOperations = 3.0

    /// One phase's operations.
    public subscript(phase: StepPhase) -> FloatingPointWork { phases[phase] ?? FloatingPointWork() }

    /// All operations.
    public var total: Double { phases.values.reduce(0) { $0 + $1.total } }

    public static func += (a: inout StepWork, b: StepWork) { a.phases.merge(b.phases) { $0 + $1 } }
}
