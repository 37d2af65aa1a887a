internal import Foundation
public import PawlCore
public import PawlModel

/// Every setting of a training, as the host wrote it: complete, and named as in `skill.json`.
public struct TrainingRecipe: Decodable, Sendable, Hashable {
    /// How the student learns.
    public enum Method: String, Decodable, Sendable { case sdft, sft }
    /// Which divergence from teacher to student is minimised.
    public enum Divergence: String, Decodable, Sendable {
        case forwardKL = "forward_kl"
        case reverseKL = "reverse_kl"
        case jsd
    }
    /// How the learning rate falls after the warm-up.
    public enum Schedule: String, Decodable, Sendable { case cosine, constant, linear }
    /// Which weights the teacher has.
    public enum TeacherWeights: String, Decodable, Sendable { case frozen, ema }
    /// What is moved: every weight, or the factors of a low-rank update of some.
    public enum Update: String, Decodable, Sendable {
        case full
        case lowRank = "low_rank"
    }
    /// Number type of the matrix products; master weights and moments are fp32 always.
    public enum Precision: String, Decodable, Sendable { case float32, bfloat16 }

    public let method: Method
    public let steps: Int
    public let promptsPerStep: Int
    public let rehearsalShare: Double
    public let learningRate: Double
    public let warmupSteps: Int
    public let schedule: Schedule
    public let weightDecay: Double
    public let maxGradientNorm: Double
    public let divergence: Divergence
    /// The teacher's likeliest tokens that count, renormalised; 0: the whole vocabulary.
    public let topK: Int
    public let temperature: Double
    /// Share of a skill's answers that the student samples; the rest are the demonstrations' own.
    public let onPolicyFraction: Double
    public let maxCompletionTokens: Int
    /// First tokens of an answer that carry no loss.
    public let skipTokens: Int
    public let teacherWeights: TeacherWeights
    public let emaRate: Double
    public let microBatch: Int
    public let precision: Precision
    public let seed: Int
    public let saveEvery: Int
    public let maxContextTokens: Int
    public let update: Update
    /// Columns of each factor A of a low-rank update; the product of the factors counts alpha / rank.
    public let rank: Int
    public let alpha: Double
    /// Which weights get factors, by the end of their modules' names; none: every projection of attention and feed-forward
    /// layers.
    public let modules: [String]

    private enum CodingKeys: String, CodingKey {
        case method, steps, schedule, divergence, temperature, precision, seed, update, rank, alpha, modules
        case promptsPerStep = "prompts_per_step", rehearsalShare = "rehearsal_share"
        case learningRate = "learning_rate", warmupSteps = "warmup_steps", weightDecay = "weight_decay"
        case maxGradientNorm = "max_gradient_norm", topK = "top_k", onPolicyFraction = "on_policy_fraction"
        case maxCompletionTokens = "max_completion_tokens", skipTokens = "skip_tokens"
        case teacherWeights = "teacher_weights", emaRate = "ema_rate", microBatch = "micro_batch"
        case saveEvery = "save_every", maxContextTokens = "max_context_tokens"
    }

    /// What recipes from before there were low-rank updates leave out.
    private static let fullUpdate: [String: JSONValue] = [
        "update": "full", "rank": 16, "alpha": 32, "modules": [],
    ]

    /// Reads a recipe and refuses what cannot be trained with; the error names the key, the value and the range.
    public init(_ value: JSONValue) throws {
        // Foundation's decoder names no field when a whole number has a fraction.
        let whole: [CodingKeys] = [
            .steps, .promptsPerStep, .warmupSteps, .topK, .maxCompletionTokens, .skipTokens, .microBatch,
            .seed, .saveEvery, .maxContextTokens, .rank,
        ]
        for key in whole {
            guard let given = value[key.rawValue], given.int == nil else { continue }
            throw PawlError(.invalidArgument, "recipe, field \(key.rawValue): must be a whole number")
        }
        let complete = JSONValue.object((value.object ?? [:]).merging(Self.fullUpdate) { given, _ in given })
        self = try JSON.decode(Self.self, from: JSON.canonical(complete), source: "recipe")
        let checks: [(CodingKeys, Bool, String)] = [
            (.steps, steps >= 1, "at least 1"),
            (.promptsPerStep, promptsPerStep >= 1, "at least 1"),
            (.rehearsalShare, (0...1).contains(rehearsalShare), "between 0 and 1"),
            (.learningRate, learningRate > 0 && learningRate.isFinite, "above 0"),
            (.warmupSteps, warmupSteps >= 0, "at least 0"),
            (.weightDecay, weightDecay >= 0, "at least 0"),
            (.maxGradientNorm, maxGradientNorm > 0, "above 0"),
            (.topK, topK >= 0, "at least 0"),
            (.temperature, temperature > 0, "above 0"),
            (.onPolicyFraction, (0...1).contains(onPolicyFraction), "between 0 and 1"),
            (.maxCompletionTokens, maxCompletionTokens >= 1, "at least 1"),
            (.skipTokens, (0..<maxCompletionTokens).contains(skipTokens), "below max_completion_tokens"),
            (.emaRate, (0...1).contains(emaRate), "between 0 and 1"),
            (.microBatch, microBatch >= 1, "at least 1"),
            (.saveEvery, saveEvery >= 1, "at least 1"),
            (.rank, rank >= 1, "at least 1"),
            (.alpha, alpha > 0 && alpha.isFinite, "above 0"),
            (.maxContextTokens, maxContextTokens > maxCompletionTokens, "above max_completion_tokens"),
        ]
        if let (key, _, range) = checks.first(where: { !$0.1 }) {
            let given = try value[key.rawValue].map {
                String(decoding: try JSON.canonical($0), as: UTF8.self)
            }
            throw PawlError(
                .invalidArgument, "recipe, field \(key.rawValue): \(given ?? "what is given") is not \(range)"
            )
        }
    }

    /// Tokens that make the student's products as fast as they get. More of them together would only take memory: each
    /// leaves 0.7 MB of activations in a model of 135 million weights.
    public static let tokensTogether = 1024

    /// Prompts of a step that are rehearsed.
    public var rehearsalPerStep: Int {
        Int((Double(promptsPerStep) * rehearsalShare).rounded(.toNearestOrEven))
    }

    /// Where a low-rank update's factors lie; nil when all weights learn.
    ///
    /// Fails when a module is not one of the model's, or the rank is above the smaller extent of a weight.
    public func lowRankLayout(_ weights: ParameterLayout) throws -> LowRankLayout? {
        guard update == .lowRank else { return nil }
        return try LowRankLayout(weights, rank: rank, alpha: alpha, modules: modules)
    }

    /// The learning rate of a step (counted from 0): linear warm-up, then the schedule down to 0.
    public func learningRate(at step: Int) -> Double {
        if step < warmupSteps { return learningRate * Double(step + 1) / Double(warmupSteps) }
        let done = min(1, Double(step - warmupSteps) / Double(max(1, steps - warmupSteps)))
        return switch schedule {
        case .constant: learningRate
        case .linear: learningRate * (1 - done)
        case .cosine: learningRate * 0.5 * (1 + cos(.pi * done))
        }
    }
}
