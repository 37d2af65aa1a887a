public import PawlCore

/// Every setting that shapes a training; the complete object goes to the engine.
///
/// In `skill.json` each key is optional; what is left out takes the default stated here. A key that a
/// recipe does not have is refused, with the nearest that it has.
public struct Recipe: Codable, Sendable, Hashable {
    /// How the student learns.
    public enum Method: String, Codable, Sendable, CaseIterable { case sdft, sft }
    /// Which divergence from teacher to student is minimised.
    public enum Divergence: String, Codable, Sendable, CaseIterable {
        case forwardKL = "forward_kl"
        case reverseKL = "reverse_kl"
        case jsd
    }
    /// How the learning rate falls after the warm-up.
    public enum Schedule: String, Codable, Sendable, CaseIterable { case cosine, constant, linear }
    /// Which weights the teacher has.
    public enum TeacherWeights: String, Codable, Sendable, CaseIterable { case frozen, ema }
    /// What is moved: every weight, or the factors of a low-rank update of some, folded into them at the end.
    public enum Update: String, Codable, Sendable, CaseIterable {
        case full
        case lowRank = "low_rank"
    }
    /// Number type of the matrix products; master weights and moments are fp32 always.
    public enum Precision: String, Codable, Sendable, CaseIterable { case float32, bfloat16 }

    /// Self-distillation, or plain fine-tuning as the baseline.
    public var method = Method.sdft
    /// Optimizer steps.
    public var steps = 80
    /// Prompts of one step, rehearsal included.
    public var promptsPerStep = 16
    /// Share of a step's prompts that are rehearsal; 0 is the paper's algorithm.
    public var rehearsalShare = 0.375
    /// Peak learning rate: the knob that governs forgetting.
    public var learningRate = 2e-5
    /// Steps of linear warm-up; when left out 8, or all steps if there are fewer.
    public var warmupSteps = 8
    /// How the learning rate falls after the warm-up.
    public var schedule = Schedule.cosine
    /// AdamW's decoupled weight decay.
    public var weightDecay = 0.0
    /// The gradient is scaled down to this norm.
    public var maxGradientNorm = 1.0
    /// What is minimised.
    public var divergence = Divergence.forwardKL
    /// The teacher's top K tokens, renormalised; 0 is the full vocabulary.
    public var topK = 0
    /// Temperature of the student's sampling.
    public var temperature = 1.0
    /// Share of the skill's responses that the student samples itself; the rest are the demonstrations' own,
    /// scored by the teacher like any other. 1 is the paper's algorithm.
    public var onPolicyFraction = 1.0
    /// Longest response that is sampled, in tokens.
    public var maxCompletionTokens = 64
    /// First tokens of a response that carry no loss.
    public var skipTokens = 3
    /// Which weights the teacher has.
    public var teacherWeights = TeacherWeights.frozen
    /// How far the teacher moves to the student each step (teacher weights `ema`).
    public var emaRate = 0.01
    /// Sequences that go through the model at once.
    public var microBatch = 16
    /// Number type of the matrix products.
    public var precision = Precision.bfloat16
    /// Seed of sampling and order.
    public var seed = 1
    /// Steps between two states from which a killed training continues.
    public var saveEvery = 10
    /// Longest prompt with its response, in tokens; more is an error that names the record.
    public var maxContextTokens = 1024
    /// What is moved.
    public var update = Update.full
    /// Columns of a low-rank update's factor A [rank, in] and rows of B [out, rank] (update `low_rank`).
    public var rank = 16
    /// A low-rank update adds alpha / rank times B A to a weight (update `low_rank`).
    public var alpha = 32.0
    /// Which weights a low-rank update changes, by the end of their modules' names, as PEFT's `target_modules`; none: every
    /// linear projection of attention and feed-forward layers (update `low_rank`).
    public var modules: [String] = []
    /// Settings of one engine's own, handed to it beside the keys above; part of the checkpoint's provenance.
    public var engineOptions: [String: JSONValue] = [:]

    /// The default recipe.
    public init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case method, steps, promptsPerStep = "prompts_per_step", rehearsalShare = "rehearsal_share"
        case learningRate = "learning_rate", warmupSteps = "warmup_steps", schedule
        case weightDecay = "weight_decay", maxGradientNorm = "max_gradient_norm", divergence, topK = "top_k"
        case temperature, onPolicyFraction = "on_policy_fraction"
        case maxCompletionTokens = "max_completion_tokens", skipTokens = "skip_tokens"
        case teacherWeights = "teacher_weights", emaRate = "ema_rate", microBatch = "micro_batch"
        case precision, seed, saveEvery = "save_every", maxContextTokens = "max_context_tokens"
        case update, rank, alpha, modules
        case engineOptions = "engine_options"
    }

    /// Every key of a recipe, as it is written in JSON.
    public static let keys = CodingKeys.allCases.map(\.rawValue)

    public init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func set(_ value: inout Int, _ key: CodingKeys) throws {
            if let given = try container.integerIfPresent(key) { value = given }
        }
        func set(_ value: inout Double, _ key: CodingKeys) throws {
            if let given = try container.decodeIfPresent(Double.self, forKey: key) { value = given }
        }
        func choose<T: RawRepresentable & CaseIterable>(
            _ value: inout T, _ key: CodingKeys
        ) throws where T.RawValue == String {
            guard let text = try container.decodeIfPresent(String.self, forKey: key) else { return }
            guard let choice = T(rawValue: text) else {
                let all = T.allCases.map(\.rawValue).joined(separator: ", ")
                throw decoder.failure(key, "\"\(text)\" is not one of \(all)")
            }
            value = choice
        }
        try choose(&method, .method)
        try set(&steps, .steps)
        try set(&promptsPerStep, .promptsPerStep)
        try set(&rehearsalShare, .rehearsalShare)
        try set(&learningRate, .learningRate)
        warmupSteps = min(warmupSteps, max(steps, 0))
        try set(&warmupSteps, .warmupSteps)
        try choose(&schedule, .schedule)
        try set(&weightDecay, .weightDecay)
        try set(&maxGradientNorm, .maxGradientNorm)
        try choose(&divergence, .divergence)
        try set(&topK, .topK)
        try set(&temperature, .temperature)
        try set(&onPolicyFraction, .onPolicyFraction)
        try set(&maxCompletionTokens, .maxCompletionTokens)
        try set(&skipTokens, .skipTokens)
        try choose(&teacherWeights, .teacherWeights)
        try set(&emaRate, .emaRate)
        try set(&microBatch, .microBatch)
        try choose(&precision, .precision)
        try set(&seed, .seed)
        try set(&saveEvery, .saveEvery)
        try set(&maxContextTokens, .maxContextTokens)
        try choose(&update, .update)
        try set(&rank, .rank)
        try set(&alpha, .alpha)
        modules = try container.decodeIfPresent([String].self, forKey: .modules) ?? []
        engineOptions = try container.decodeIfPresent([String: JSONValue].self, forKey: .engineOptions) ?? [:]
        if let (key, reason) = problem { throw decoder.failure(key, reason) }
    }

    /// Refuses a setting that cannot be trained with; the error names the key, the value and the range.
    public func validate() throws {
        guard let (key, reason) = problem else { return }
        throw PawlError(.invalidArgument, "recipe, field \(key.rawValue): \(reason)")
    }

    /// The first setting that cannot be trained with, and why.
    private var problem: (CodingKeys, String)? {
        let room = "max_completion_tokens (\(maxCompletionTokens))"
        let checks: [(CodingKeys, Bool, String)] = [
            (.steps, steps >= 1, "\(steps) is less than 1"),
            (.promptsPerStep, promptsPerStep >= 1, "\(promptsPerStep) is less than 1"),
            (.rehearsalShare, 0 <= rehearsalShare && rehearsalShare < 1, "\(rehearsalShare) is not in 0..<1"),
            (
                .learningRate, 0 < learningRate && learningRate <= 1,
                "\(learningRate) is not above 0 and at most 1"
            ),
            (.warmupSteps, warmupSteps >= 0, "\(warmupSteps) is less than 0"),
            (.warmupSteps, warmupSteps <= steps, "\(warmupSteps) is more than steps (\(steps))"),
            (.weightDecay, weightDecay >= 0, "\(weightDecay) is less than 0"),
            (.maxGradientNorm, maxGradientNorm > 0, "\(maxGradientNorm) is not above 0"),
            (.topK, topK >= 0, "\(topK) is less than 0"),
            (.temperature, temperature > 0, "\(temperature) is not above 0"),
            (
                .onPolicyFraction, 0 <= onPolicyFraction && onPolicyFraction <= 1,
                "\(onPolicyFraction) is not in 0...1"
            ),
            (.maxCompletionTokens, maxCompletionTokens >= 1, "\(maxCompletionTokens) is less than 1"),
            (.skipTokens, skipTokens >= 0, "\(skipTokens) is less than 0"),
            (
                .skipTokens, skipTokens < maxCompletionTokens,
                "\(skipTokens) leaves nothing to learn of \(room)"
            ),
            (.emaRate, 0 < emaRate && emaRate <= 1, "\(emaRate) is not above 0 and at most 1"),
            (.microBatch, microBatch >= 1, "\(microBatch) is less than 1"),
            (.seed, seed >= 0, "\(seed) is less than 0"),
            (.saveEvery, saveEvery >= 1, "\(saveEvery) is less than 1"),
            (.rank, rank >= 1, "\(rank) is less than 1"),
            (.alpha, alpha > 0, "\(alpha) is not above 0"),
            (.modules, !modules.contains(""), "a name is empty"),
            (.modules, Set(modules).count == modules.count, "a name stands in it twice"),
            (
                .maxContextTokens, maxContextTokens > maxCompletionTokens,
                "\(maxContextTokens) leaves no room for a prompt beside \(room)"
            ),
        ]
        return checks.first { !$0.1 }.map { ($0.0, $0.2) }
    }
}
