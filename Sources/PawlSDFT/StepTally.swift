internal import Foundation

/// An answer that a step learns from.
struct Rollout {
    let tokens: [Int32]
    /// Whether the student gave it.
    let isOwn: Bool
    let role: TrainingRecord.Role
    var logLikelihood = 0.0
    var text = ""
}

/// Sums over a step, and what they say.
struct StepTally {
    private var loss = 0.0
    private var means: [TrainingRecord.Role: [Double]] = [:]

    /// Adds answers' losses, token by token, with the weights that the gradient gives them.
    mutating func add(_ losses: [Float], _ weights: [Float], _ counts: [Int], _ rollouts: [Rollout]) {
        loss += zip(losses, weights).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        var row = 0
        for (count, rollout) in zip(counts, rollouts) where count > 0 {
            let sum = losses[row..<row + count].reduce(0) { $0 + Double($1) }
            means[rollout.role, default: []].append(sum / Double(count))
            row += count
        }
    }

    /// The step's numbers under the protocol's names.
    func metrics(
        _ rollouts: [Rollout], isEnded: (Int32) -> Bool, learningRate: Double, gradientNorm: Double
    ) -> Trainer.Metrics {
        var result = ["loss": loss, "lr": learningRate, "grad_norm": gradientNorm]
        for (role, values) in means {
            result["loss_\(role.rawValue)"] = values.reduce(0, +) / Double(values.count)
        }
        let count = Double(rollouts.count)
        result["completion_tokens"] = rollouts.reduce(0) { $0 + Double($1.tokens.count) } / count
        result["truncated"] = Double(rollouts.count { !($0.tokens.last.map(isEnded) ?? false) }) / count
        let own = rollouts.filter(\.isOwn)
        if !own.isEmpty {
            let tokens = own.reduce(0) { $0 + $1.tokens.count }
            result["entropy"] = -own.reduce(0) { $0 + $1.logLikelihood } / Double(max(1, tokens))
        }
        let answered = own.filter { $0.role == .skill }
        if !answered.isEmpty {
            result["leaked"] = Double(answered.count { Leak.isIn($0.text) }) / Double(answered.count)
        }
        return result
    }
}

/// Phrases by which an answer betrays that its teacher had a demonstration before it.
enum Leak {
    static func isIn(_ text: String) -> Bool {
        text.range(
            of:
                "(based on|following|according to|as shown in|as in|similar to) (the |given |provided |above )*"
                + "(text|examples?|demonstrations?|response)|this is an example for a response|"
                + "now answer with a response of your own",
            options: [.regularExpression, .caseInsensitive]) != nil
    }
}
