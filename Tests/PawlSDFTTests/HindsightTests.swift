import Foundation
import PawlCore
import Testing

@testable import PawlModel
@testable import PawlSDFT

@Suite("Distillation from what a user said next")
struct HindsightTests {
    /// A record as the host composes it: the teacher sees the response, the correction, and the question again.
    private static let record =
        #"{"id":"line-1-turn-1","role":"skill","prompt":[{"role":"user","content":"capital of Australia"}],"completion":"Sydney","teacher":["#
        + #"{"role":"user","content":"capital of Australia"},{"role":"assistant","content":"Sydney"},"#
        + #"{"role":"user","content":"No, Canberra. Again: capital of Australia"}]}"#

    @Test("The teacher's context is the conversation with its follow-up, token by token")
    func context() throws {
        try withFolder { folder in
            let model = try TinyModel(in: folder)
            let recipe = try TrainingRecipe.sample(["rehearsal_share": 0])
            let records = try TrainingRecord.read(Array(Self.record.utf8), source: "records.jsonl")
            let tokens = try #require(try TokenRecord.all(records, model.chat, recipe).first)
            let context =
                "user: capital of Australia\nassistant: Sydney\n"
                + "user: No, Canberra. Again: capital of Australia\nassistant: "
            #expect(tokens.context == model.chat.textTokens(context))
            #expect(tokens.prompt == model.chat.textTokens("user: capital of Australia\nassistant: "))
        }
    }

    @Test(
        "The student is drawn to the teacher in hindsight, whether it answers itself or the logged answer is scored",
        arguments: [0.0, 1])
    func learns(onPolicy: Double) throws {
        try withFolder { folder in
            let model = try TinyModel(in: folder)
            let pool = try ComputePool(threads: 2)
            let recipe = try TrainingRecipe.sample([
                "rehearsal_share": 0, "on_policy_fraction": .double(onPolicy), "skip_tokens": 0,
                "learning_rate": 0.01,
                "steps": 40, "warmup_steps": 1, "schedule": "constant", "prompts_per_step": 4,
            ])
            let records = try TrainingRecord.read(Array(Self.record.utf8), source: "records.jsonl")
            var losses: [Double] = []
            let trainer = try Trainer(
                recipe, records, configuration: model.configuration, chat: model.chat,
                incumbent: .full(model.weights(pool)), state: folder.appending(path: "state"),
                identity: Digest(of: "hindsight"), pool: pool)
            _ = try trainer.run { step, metrics in
                if step > 0, let loss = metrics["loss"] { losses.append(loss) }
            }
            #expect(losses.count == 40)
            let (first, last) = (losses.prefix(8).reduce(0, +), losses.suffix(8).reduce(0, +))
            #expect(first > 0 && last < 0.7 * first, "\(losses)")
        }
    }
}
