import CKernels
import Foundation
import PawlCore
import Testing

@testable import PawlModel
@testable import PawlSDFT

@Suite("Training of a low-rank update", .serialized)
struct LowRankTrainingTests {
    /// Ways to train that keep different things between steps.
    static let ways: [[String: JSONValue]] = [
        [:], ["on_policy_fraction": 0.5, "modules": ["q_proj", "up_proj"]], ["teacher_weights": "ema"],
        ["method": "sft"], ["method": "sft", "rehearsal_share": 0], ["micro_batch": 3],
    ]

    private struct Killed: Error {}

    private struct Outcome {
        var factors: [Float] = []
        var losses: [Double] = []
        var metrics: [Trainer.Metrics] = []
    }

    /// Trains in `folder`; dies after `dies` steps of the run. Fails when the weights themselves change.
    private func train(
        _ model: TinyModel, _ changes: [String: JSONValue], state: URL, dies: Int? = nil,
        isFrozen: Bool = false
    ) throws -> Outcome {
        let pool = try ComputePool(threads: 2)
        let weights = try model.weights(pool)
        let kept = Parameters(copying: weights)
        let low: [String: JSONValue] = ["update": "low_rank", "rank": 4, "alpha": 8, "steps": 7]
        let trainer = try Trainer(
            TrainingRecipe.sample(low.merging(changes) { $1 }), TinyModel.records(),
            configuration: model.configuration, chat: model.chat,
            incumbent: isFrozen ? .frozen(FrozenWeights(rounding: weights, pool)) : .full(weights),
            state: state, identity: Digest(of: "\(changes)"), pool: pool)
        var result = Outcome()
        do {
            _ = try trainer.run { step, metrics in
                if !metrics.isEmpty { result.metrics.append(metrics) }
                if step == dies { throw Killed() }
            }
        } catch is Killed {}
        let factors = try #require(trainer.factors)
        withExtendedLifetime((factors, weights, kept)) {
            result.factors = Array(factors.buffer.values)
            #expect(Array(weights.buffer.values) == Array(kept.buffer.values))
        }
        result.losses = result.metrics.compactMap { $0["loss"] }
        return result
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
            #expect(second.factors == whole.factors)
            #expect(Array(whole.losses.suffix(4)) == second.losses)
            let other = try train(
                model, way.merging(["seed": 2]) { $1 }, state: folder.appending(path: "other"))
            #expect(other.factors != whole.factors)
        }
    }

    @Test("Self-distillation and plain fine-tuning move the student, over weights in fp32 and in bf16")
    func learns() throws {
        try withFolder { folder in
            let model = try TinyModel(in: folder)
            for isFrozen in [false, true] {
                let distilled = try train(
                    model,
                    [
                        "learning_rate": 0.03, "schedule": "constant", "on_policy_fraction": 0,
                        "rehearsal_share": 0,
                    ],
                    state: folder.appending(path: "sdft-\(isFrozen)"), isFrozen: isFrozen
                ).losses
                #expect(distilled.last ?? 1 < 0.8 * (distilled.first ?? 0), "\(distilled)")
                let tuned = try train(
                    model,
                    [
                        "method": "sft", "learning_rate": 0.03, "schedule": "constant", "steps": 25,
                        "rehearsal_share": 0,
                    ],
                    state: folder.appending(path: "sft-\(isFrozen)"), isFrozen: isFrozen
                ).losses
                #expect(tuned.last ?? 1 < 0.8 * (tuned.first ?? 0), "\(tuned)")
            }
        }
    }

    @Test("The first step starts from the incumbent: rehearsal has no loss yet")
    func beginning() throws {
        try withFolder { folder in
            let rehearsed = try train(
                try TinyModel(in: folder), ["method": "sft", "learning_rate": 0.03, "schedule": "constant"],
                state: folder.appending(path: "state")
            ).metrics.map { $0["loss_rehearsal"] ?? .nan }
            #expect(abs(rehearsed[0]) < 1e-6 && rehearsed[3] > 1e-5, "\(rehearsed)")
        }
    }

    @Test("Ten steps of AdamW from PEFT's beginning end in PEFT's factors", arguments: LowRankReference.runs)
    func training(name: String) throws {
        let (fixture, reference) = (try ModelFixture(name), try LowRankReference(name))
        let recipe = try TrainingRecipe.sample(["method": "sft"])
        let factors = try reference.factors("begin", fixture.parameters.layout)
        let learner = LowRankLearner(
            .full(fixture.parameters), factors, fixture.configuration, positions: 256, samples: false,
            fixture.pool)
        let optimizer = Optimizer(learner, recipe, fixture.pool)
        let expected = try reference.numbers("trained.losses")
        #expect(expected.count == recipe.steps)
        for step in 0..<recipe.steps {
            let loss = try Self.learn(fixture, learner, recipe)
            #expect(
                abs(loss - expected[step]) < 1e-4 * expected[step],
                "step \(step): \(loss) and \(expected[step])")
            _ = optimizer.step(learner.numbers.values, learner.gradientNumbers, step: step)
            try learner.changed()
        }
        let theirs = try reference.factors("end", fixture.parameters.layout)
        withExtendedLifetime((factors, theirs)) {
            let error = relativeError(factors.buffer.values, theirs.buffer.values.map(Double.init))
            #expect(error < 1e-3, "\(error)")
        }
    }

    /// Adds the gradient of the mean cross-entropy of every next token of the fixture's sequences; that mean.
    private static func learn(_ fixture: ModelFixture, _ learner: LowRankLearner, _ recipe: TrainingRecipe)
        throws -> Double
    {
        let sequences = try fixture.sequences()
        let batch = SequenceBatch(sequences.map { Array($0.dropLast()) })
        let kept = Activations(fixture.configuration, tokens: batch.tokens.count)
        let states = try learner.student.forward(batch, keeping: kept)
        let targets = sequences.flatMap { $0.dropFirst() }
        let weights = [Float](repeating: 1 / Float(targets.count), count: targets.count)
        let losses = try FusedLoss(student: learner.student, recipe: recipe)
            .run(states, .tokens(targets), weights: weights, into: learner.gradients)
        try learner.student.backward(kept, hiddenGradient: states, into: learner.gradients)
        return losses.reduce(0) { $0 + Double($1) } / Double(targets.count)
    }

    @Test("Who answers, and an average teacher, read the weights with the update folded in")
    func folded() throws {
        let fixture = try ModelFixture("llama")
        let reference = try LowRankReference("llama")
        let factors = try reference.factors("factor", fixture.parameters.layout)
        let learner = LowRankLearner(
            .full(fixture.parameters), factors, fixture.configuration, positions: 256, samples: true,
            fixture.pool)
        try learner.changed()
        let folded = Parameters(copying: fixture.parameters)
        try learner.student.forEachUpdated { offset, numbers, count in
            folded.at(offset).update(from: numbers, count: count)
        }
        let batch = SequenceBatch(try fixture.sequences())
        let sampler = try #require(learner.sampler)
        let answered = try sampler.forward(batch)
        let expected = try Transformer(
            fixture.configuration, frozen: FrozenWeights(rounding: folded, fixture.pool), positions: 256,
            pool: fixture.pool
        ).forward(batch)
        withExtendedLifetime((answered, expected)) {
            #expect(Array(answered.values) == Array(expected.values))
        }
        let average = Parameters(copying: fixture.parameters)
        try learner.average(into: average, rate: 0.25)
        withExtendedLifetime((average, folded, fixture.parameters)) {
            let exact = zip(fixture.parameters.buffer.values, folded.buffer.values).map {
                0.75 * Double($0) + 0.25 * Double($1)
            }
            #expect(relativeError(average.buffer.values, exact) < 1e-6)
            #expect(relativeError(average.buffer.values, folded.buffer.values.map(Double.init)) > 1e-3)
        }
    }

    @Test(
        "A recipe that fits no model is refused before anything is trained",
        arguments: [
            (["rank": 9], "recipe, field rank: 9 is not between 1 and the smaller extent of"),
            (["rank": 0], "recipe, field rank: 0 is not at least 1"),
            (["rank": 1.5], "recipe, field rank: must be a whole number"),
            (["alpha": 0], "recipe, field alpha: 0 is not above 0"),
            (
                ["modules": ["lm_head"]],
                "recipe, field modules: the model has no linear projection \"lm_head\""
            ),
        ] as [([String: JSONValue], String)])
    func refused(changes: [String: JSONValue], reason: String) throws {
        try withFolder { folder in
            let model = try TinyModel(in: folder)
            let error = #expect(throws: PawlError.self) {
                try train(model, changes, state: folder.appending(path: "state"))
            }
            #expect(error?.message.hasPrefix(reason) == true, "\(error?.message ?? "")")
        }
    }

    /// What Tests/python/test_adapters.py loads with PEFT; written anew when PAWL_RECORD_SNAPSHOTS is 1.
    private static let recorded = ModelFixture.root.deletingLastPathComponent()
        .appending(path: "low-rank/llama/adapter")

    @Test("An adapter directory holds the factors, and what PEFT asks for; its bytes are the recorded ones")
    func adapter() throws {
        try withFolder { folder in
            let fixture = try ModelFixture("llama")
            let reference = try LowRankReference("llama")
            let factors = try reference.factors("factor", fixture.parameters.layout)
            let output = folder.appending(path: "adapter")
            try AdapterWriter.write(factors, alpha: 8, modules: [], to: output)
            let names = ["adapter_config.json", "adapter_model.safetensors"]
            if ProcessInfo.processInfo.environment["PAWL_RECORD_SNAPSHOTS"] == "1" {
                try Files.remove(Self.recorded)
                try FileManager.default.copyItem(at: output, to: Self.recorded)
            }
            for name in names {
                #expect(
                    try Files.read(output.appending(path: name))
                        == Files.read(Self.recorded.appending(path: name)))
            }
            let url = output.appending(path: names[0])
            let configuration = try JSON.parse(Files.read(url), source: url.path)
            #expect(configuration["peft_type"] == "LORA" && configuration["task_type"] == "CAUSAL_LM")
            #expect(configuration["r"]?.int == 4 && configuration["lora_alpha"]?.int == 8)
            #expect(configuration["target_modules"]?.array?.count == 7)
            let file = try SafetensorsDirectory(output)
            #expect(file.names.count == 2 * factors.layout.modules.count)
            for module in factors.layout.modules {
                let name = "base_model.model.\(module.name).lora_B.weight"
                try file.read(name) { shape, dtype, bytes in
                    #expect(shape == [module.out, 4] && dtype == .f32)
                    let numbers = UnsafeRawBufferPointer(
                        start: factors.at(module.b), count: module.out * 4 * MemoryLayout<Float>.size)
                    #expect(bytes.elementsEqual(numbers))
                }
                let (shape, _) = try file.form(of: "base_model.model.\(module.name).lora_A.weight")
                #expect(shape == [4, module.in])
            }
        }
    }
}
