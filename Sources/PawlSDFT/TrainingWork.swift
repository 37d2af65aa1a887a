internal import PawlCore
public import PawlModel

/// What a training will compute, counted from its records before it starts.
public struct TrainingWork: Sendable {
    /// Operations of all steps, and of contexts that are run once for all of them.
    public let work: StepWork
    /// Prompts' and answers' tokens that the student reads in all steps.
    public let tokens: Int
    /// Tokens that the student gives, one step of its sampling after the other.
    public let sampledTokens: Int
    /// Numbers that the optimizer moves.
    public let learning: Int

    /// Goes through the steps' own records. An answer that the student will give is taken to be as long as the
    /// demonstrations are on average; without a demonstration, as long as the recipe allows.
    ///
    /// Fails as the training would, when a record does not fit.
    public init(
        _ recipe: TrainingRecipe, _ records: [TrainingRecord], configuration: ModelConfiguration, chat: Chat
    ) throws {
        let all = try TokenRecord.all(records, chat, recipe)
        var plan = try StepPlan(records, recipe)
        let update = try recipe.lowRankLayout(ParameterLayout(configuration))
        let accounts = StepAccounts(all, recipe, configuration, update: update)
        let given = all.compactMap(\.demonstration?.count)
        let usual = given.isEmpty ? recipe.maxCompletionTokens : given.reduce(0, +) / given.count
        var (work, tokens, sampled) = (StepWork(), 0, 0)
        for step in 0..<recipe.steps {
            let indices = plan.records(of: step)
            let answers = indices.map { index -> (length: Int, isOwn: Bool) in
                let record = all[index]
                if let demonstration = record.demonstration, record.role == .skill,
                    recipe.method == .sft || !plan.samples(index, at: step)
                {
                    return (demonstration.count, false)
                }
                let length = record.demonstration == nil ? recipe.maxCompletionTokens : usual
                return (min(length, recipe.maxCompletionTokens), true)
            }
            work += accounts.work(indices, answers)
            tokens += accounts.tokens(indices, answers)
            sampled += answers.reduce(0) { $0 + ($1.isOwn ? $1.length : 0) }
        }
        (self.work, self.tokens, sampledTokens) = (work, tokens, sampled)
        learning = update?.count ?? ParameterLayout(configuration).count
    }
}

/// From a step's records and answers to its work.
struct StepAccounts {
    private let records: [TokenRecord]
    private let recipe: TrainingRecipe
    private let configuration: ModelConfiguration
    /// What learns in place of all weights.
    private let update: LowRankLayout?
    /// What contexts begin with, longest first.
    private let beginnings: [[Int32]]

    init(
        _ records: [TokenRecord], _ recipe: TrainingRecipe, _ configuration: ModelConfiguration,
        update: LowRankLayout? = nil
    ) {
        self.update = update
        self.records = records
        self.recipe = recipe
        self.configuration = configuration
        let contexts = records.filter { $0.role == .skill }.map(\.context)
        beginnings = [Teacher.commonBeginning(contexts), Teacher.commonBeginning(records.map(\.prompt))]
            .filter { !$0.isEmpty }.sorted { $0.count > $1.count }
    }

    /// The operations of a step over records with answers of such lengths.
    func work(_ indices: [Int], _ answers: [(length: Int, isOwn: Bool)]) -> StepWork {
        let sequences = zip(indices, answers).map { index, answer in
            sequence(records[index], answer.length, answer.isOwn)
        }
        let own = zip(indices, answers).filter(\.1.isOwn).map { records[$0.0].prompt }
        let batches = microBatches(indices, answers.map(\.length)).map { part in
            (
                beginning: Teacher.commonBeginning(part.map { records[indices[$0]].prompt }).count,
                sequences: Array(sequences[part])
            )
        }
        let averages = recipe.teacherWeights == .ema && sequences.contains { $0.context != nil }
        return StepWork(
            configuration, batches, beginning: Teacher.commonBeginning(own).count, averages: averages,
            update: update,
            recomputedContext: averages ? Set(sequences.map(\.sharedContext)).filter { $0 > 0 } : [])
    }

    /// Which of a step's records, with answers of such lengths, go through the student together: as many as the recipe
    /// allows, in equal parts where those have more tokens than ``TrainingRecipe/tokensTogether``.
    func microBatches(_ indices: [Int], _ lengths: [Int]) -> [Range<Int>] {
        stride(from: 0, to: indices.count, by: recipe.microBatch).flatMap { start in
            let whole = start..<min(start + recipe.microBatch, indices.count)
            let prompts = whole.map { records[indices[$0]].prompt }
            let beginning = Teacher.commonBeginning(prompts).count
            let tokens = zip(prompts, lengths[whole]).reduce(beginning) { $0 + $1.0.count - beginning + $1.1 }
            let parts = min(
                whole.count, (tokens + TrainingRecipe.tokensTogether - 1) / TrainingRecipe.tokensTogether)
            return (0..<parts).map { part in
                start + whole.count * part / parts..<start + whole.count * (part + 1) / parts
            }
        }
    }

    /// Prompts' and answers' tokens of a step.
    func tokens(_ indices: [Int], _ answers: [(length: Int, isOwn: Bool)]) -> Int {
        zip(indices, answers).reduce(0) { $0 + records[$1.0].prompt.count + $1.1.length }
    }

    private func sequence(_ record: TokenRecord, _ answer: Int, _ isOwn: Bool) -> StepSequence {
        let hasTeacher = recipe.method == .sdft || (isOwn && record.role == .rehearsal)
        let context = record.context
        let shared = beginnings.first { $0.count < context.count && context.starts(with: $0) }?.count ?? 0
        return StepSequence(
            prompt: record.prompt.count, answer: answer, skipped: hasTeacher ? recipe.skipTokens : 0,
            isSampled: isOwn, context: hasTeacher ? context.count : nil,
            sharedContext: hasTeacher ? shared : 0)
    }
}
