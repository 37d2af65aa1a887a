import Foundation
import PawlCore
import Testing

@testable import PawlModel
@testable import PawlSDFT

@Suite("Gradient accumulation", .serialized)
struct AccumulationTests {
    /// How the answers of a step come about.
    static let ways: [[String: JSONValue]] = [
        ["on_policy_fraction": 0], ["on_policy_fraction": 1], ["on_policy_fraction": 0.5, "skip_tokens": 2],
        ["method": "sft"], ["divergence": "jsd", "top_k": 20, "teacher_weights": "ema"],
    ]

    /// Loss and norm of the gradient in the first steps of eight prompts, and the weights after them.
    private func train(_ model: TinyModel, _ way: [String: JSONValue], microBatch: Int64) throws
        -> (numbers: [Double], change: [Float])
    {
        let pool = try ComputePool(threads: 2)
        let (weights, before) = (try model.weights(pool), try model.weights(pool))
        var numbers: [Double] = []
        try withFolder { folder in
            let settings: [String: JSONValue] = [
                "steps": 2, "prompts_per_step": 8, "rehearsal_share": 0.25, "micro_batch": .int(microBatch),
                "warmup_steps": 0, "schedule": "constant", "learning_rate": 1e-3,
            ]
            let trainer = try Trainer(
                TrainingRecipe.sample(settings.merging(way) { $1 }), TinyModel.records(),
                configuration: model.configuration, chat: model.chat, incumbent: .full(weights),
                state: folder,
                identity: Digest(of: ""), pool: pool)
            _ = try trainer.run { step, metrics in
                if step > 0 { numbers += [metrics["loss"] ?? .nan, metrics["grad_norm"] ?? .nan] }
            }
        }
        let change = withExtendedLifetime((weights, before)) {
            zip(weights.buffer.values, before.buffer.values).map { $0 - $1 }
        }
        return (numbers, change)
    }

    @Test("A step of 8 prompts is 8 accumulated batches of one", arguments: ways)
    func eight(way: [String: JSONValue]) throws {
        try withFolder { folder in
            let model = try TinyModel(in: folder)
            let together = try train(model, way, microBatch: 8)
            for microBatch in [1, 3] as [Int64] {
                let apart = try train(model, way, microBatch: microBatch)
                #expect(together.numbers.count == 4 && apart.numbers.count == 4)
                for (one, other) in zip(together.numbers, apart.numbers) {
                    #expect(abs(one - other) < 1e-5 * abs(one), "\(one) and \(other)")
                }
                // AdamW's first steps go by the sign of a gradient, also of one that is next to nothing.
                #expect(relativeError(apart.change, together.change.map(Double.init)) < 1e-2)
            }
        }
    }
}
