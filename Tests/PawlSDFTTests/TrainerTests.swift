import Foundation
import PawlCore
import Testing

@testable import PawlModel
@testable import PawlSDFT

@Suite("A training as a whole", .serialized)
struct TrainerTests {
    /// Ways to train that keep different things between steps.
    static let ways: [[String: JSONValue]] = [
        [:], ["on_policy_fraction": 0.5], ["teacher_weights": "ema"], ["method": "sft"], ["micro_batch": 3],
    ]

    private struct Killed: Error {}

    /// Trains in `folder`; dies after `deaths` steps of the run.
    private func train(
        _ model: TinyModel, _ changes: [String: JSONValue], state: URL, dies: Int? = nil
    ) throws -> (weights: [Float], losses: [Double], metrics: [Trainer.Metrics]) {
        let pool = try ComputePool(threads: 2)
        let weights = try model.weights(pool)
        let changed = changes.merging(["max_context_tokens": 200, "steps": 7]) { $1 }
        let trainer = try Trainer(
            TrainingRecipe.sample(changed), TinyModel.records(), configuration: model.configuration,
            chat: model.chat,
            incumbent: .full(weights), state: state, identity: Digest(of: "\(changes)"), pool: pool)
        var steps: [Trainer.Metrics] = []
        do {
            _ = try trainer.run { step, metrics in
                if !metrics.isEmpty { steps.append(metrics) }
                if step == dies { throw Killed() }
            }
        } catch is Killed {}
        return (Array(weights.buffer.values), steps.compactMap { $0["loss"] }, steps)
    }

    @Test("A killed training goes on to the same bits", arguments: ways)
    func resume(way: [String: JSONValue]) throws {
        try withFolder { folder in
            let model = try TinyModel(in: folder)
            let whole = try train(model, way, state: folder.appending(path: "whole"))
            let state = folder.appending(path: "killed")
            let first = try train(model, way, state: state, dies: 5)
            let second = try train(model, way, state: state)
            #expect(whole.losses.count == 7 && first.losses.count == 5 && second.losses.count == 4)
            #expect(second.weights == whole.weights)
            #expect(Array(whole.losses.suffix(4)) == second.losses)
            let untrained = try model.weights(ComputePool(threads: 1))
            #expect(whole.weights != Array(untrained.buffer.values))
        }
    }

    @Test("The state of another request is not used")
    func identity() throws {
        try withFolder { folder in
            let model = try TinyModel(in: folder)
            let state = folder.appending(path: "state")
            _ = try train(model, [:], state: state, dies: 5)
            let other = try train(model, ["seed": 2], state: state)
            #expect(other.losses.count == 7)
        }
    }

    @Test("Plain fine-tuning learns its completions")
    func learns() throws {
        try withFolder { folder in
            let losses = try train(
                try TinyModel(in: folder), ["method": "sft", "learning_rate": 0.03, "schedule": "constant"],
                state: folder.appending(path: "state")
            ).losses
            #expect(losses.last ?? 1 < 0.5 * (losses.first ?? 0))
        }
    }

    @Test("Plain fine-tuning rehearses with the incumbent as teacher, from which it starts")
    func rehearses() throws {
        try withFolder { folder in
            let metrics = try train(
                try TinyModel(in: folder), ["method": "sft", "learning_rate": 0.03, "schedule": "constant"],
                state: folder.appending(path: "state")
            ).metrics
            let rehearsed = metrics.map { $0["loss_rehearsal"] ?? .nan }
            #expect(abs(rehearsed[0]) < 1e-6 && rehearsed[3] > 1e-4, "\(rehearsed)")
            // Half of the records are demonstrations, and every record counts alike.
            let halves = metrics.map { (($0["loss_skill"] ?? .nan) + ($0["loss_rehearsal"] ?? .nan)) / 2 }
            #expect(zip(halves, metrics).allSatisfy { abs($0 - ($1["loss"] ?? .nan)) < 0.2 * $0 })
        }
    }

    @Test("Self-distillation moves the student to its teacher")
    func distils() throws {
        try withFolder { folder in
            let losses = try train(
                try TinyModel(in: folder),
                [
                    "learning_rate": 0.01, "schedule": "constant", "on_policy_fraction": 0,
                    "rehearsal_share": 0,
                ],
                state: folder.appending(path: "state")
            ).losses
            #expect(losses.last ?? 1 < 0.8 * (losses.first ?? 0))
        }
    }

    @Test(
        "An answer of an earlier skill may be longer than this recipe's: what is rehearsed the student answers"
    )
    func rehearsedAnswers() throws {
        try withFolder { folder in
            let model = try TinyModel(in: folder)
            let recipe = try TrainingRecipe.sample(["on_policy_fraction": 0.5, "max_completion_tokens": 4])
            func records(_ role: String) throws -> [TrainingRecord] {
                let turn = #"[{"role":"user","content":"one"}]"#
                let line =
                    #"{"id":"1","role":"\#(role)","prompt":\#(turn),"teacher":\#(turn),"completion":"\#(words)"}"#
                return try TrainingRecord.read(Array(line.utf8), source: "records.jsonl")
            }
            let words = String(repeating: "answer ", count: 12)
            #expect(throws: PawlError.self) { try TokenRecord.all(records("skill"), model.chat, recipe) }
            #expect(try TokenRecord.all(records("rehearsal"), model.chat, recipe).count == 1)
        }
    }

    @Test(
        "What does not fit is refused with its record",
        arguments: [
            ["max_context_tokens": 16], ["on_policy_fraction": 0.5, "max_completion_tokens": 1],
            ["max_context_tokens": 300],
        ] as [[String: JSONValue]])
    func refused(changes: [String: JSONValue]) throws {
        try withFolder { folder in
            let model = try TinyModel(in: folder)
            let pool = try ComputePool(threads: 1)
            let error = #expect(throws: PawlError.self) {
                try Trainer(
                    TrainingRecipe.sample(changes), TinyModel.records(), configuration: model.configuration,
                    chat: model.chat, incumbent: .full(model.weights(pool)), state: folder,
                    identity: Digest(of: ""),
                    pool: pool)
            }
            let message = error?.message ?? ""
            #expect(message.contains("record \"") || message.contains("max_context_tokens"), "\(message)")
        }
    }
}

/// A folder that is gone at the end.
func withFolder<R>(_ body: (URL) throws -> R) throws -> R {
    let folder = FileManager.default.temporaryDirectory.appending(path: "pawl-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}
