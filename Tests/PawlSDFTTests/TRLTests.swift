import Foundation
import PawlCore
import Testing

@testable import PawlModel
@testable import PawlSDFT

/// Whole steps of TRL's SDFTTrainer with given answers, as tools/fixtures/trl_step recorded them.
@Suite("Steps of self-distillation against TRL", .serialized)
struct TRLTests {
    /// The settings of the paper's own code; and accumulation, a frozen teacher, and other divergences.
    static let runs = ["official", "accumulated", "frozen", "reverse", "jsd"]
    private static let root = ModelFixture.root.deletingLastPathComponent().appending(path: "trl-step")

    private struct Run: Decodable {
        let recipe: JSONValue
        let records: [Tokens]
        let steps: [Step]
    }

    /// What TRL's trainer was given: the student's prompt, the teacher's, the answer.
    private struct Tokens: Decodable, Equatable {
        let prompt: [Int32]
        let context: [Int32]
        let answer: [Int32]
    }

    private struct Step: Decodable {
        let loss: Double
        let norm: Double
    }

    @Test("The same loss and norm of the gradient, step after step", arguments: runs)
    func steps(name: String) throws {
        let all = try JSON.decode(
            [String: Run].self, from: Files.read(Self.root.appending(path: "runs.json")), source: "runs.json")
        let run = try #require(all[name])
        let recipe = try TrainingRecipe(run.recipe)
        let directory = Self.root.appending(path: "model")
        let configuration = try ModelConfiguration(directory: directory)
        let chat = try Chat(directory: directory, configuration: configuration)
        let records = try TrainingRecord.read(
            Files.read(Self.root.appending(path: "records.jsonl")), source: "records.jsonl")
        let tokens = try TokenRecord.all(records, chat, recipe).map {
            Tokens(prompt: $0.prompt, context: $0.context, answer: $0.demonstration ?? [])
        }
        #expect(tokens == run.records)
        // One answer is shorter than the tokens that carry no loss.
        #expect(tokens.contains { $0.answer.count < 3 })

        let pool = try ComputePool(threads: 2)
        let before = try Parameters(reading: SafetensorsDirectory(directory), configuration, pool)
        let weights = Parameters(copying: before)
        var found: [Trainer.Metrics] = []
        try withFolder { folder in
            let trainer = try Trainer(
                recipe, records, configuration: configuration, chat: chat, incumbent: .full(weights),
                state: folder,
                identity: Digest(of: name), pool: pool)
            _ = try trainer.run { step, metrics in if step > 0 { found.append(metrics) } }
        }
        #expect(found.count == 3 && run.steps.count == 3)
        for (metrics, expected) in zip(found, run.steps) {
            let (loss, norm) = (try #require(metrics["loss"]), try #require(metrics["grad_norm"]))
            #expect(abs(loss - expected.loss) < 1e-4 * expected.loss, "\(loss) and \(expected.loss)")
            #expect(abs(norm - expected.norm) < 1e-4 * expected.norm, "\(norm) and \(expected.norm)")
        }
        guard name == "official" else { return }
        let theirs = try Parameters(
            reading: SafetensorsDirectory(Self.root.appending(path: "after")), configuration, pool)
        func change(_ weights: Parameters) -> [Float] {
            withExtendedLifetime((weights, before)) {
                zip(weights.buffer.values, before.buffer.values).map { $0 - $1 }
            }
        }
        #expect(relativeError(change(weights), change(theirs).map(Double.init)) < 1e-2)
    }
}
