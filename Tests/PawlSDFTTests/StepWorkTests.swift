import Foundation
import PawlCore
import Testing

@testable import PawlModel
@testable import PawlSDFT

/// Against what PyTorch counts in the same steps (tools/fixtures/flops).
@Suite("How much arithmetic a step is")
struct StepWorkTests {
    private struct Recorded: Decodable {
        struct Lengths: Decodable {
            let prompt, context, answer: Int
        }
        struct Count: Decodable {
            let products, attention: Double
        }
        let skipped: Int
        let sequences: [Lengths]
        let families: [String: [String: [String: Count]]]
    }

    private static let recorded = Result {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/work.json")
        return try JSON.decode(Recorded.self, from: Files.read(file), source: file.path)
    }

    private func expect(_ work: StepWork, _ counts: [String: Recorded.Count], _ note: String) {
        for (phase, count) in counts {
            guard let name = StepPhase(rawValue: phase) else {
                Issue.record("\(phase) is no phase")
                continue
            }
            #expect(work[name].products == count.products, "\(note), \(phase)")
            #expect(work[name].attention == count.attention, "\(note), \(phase)")
        }
    }

    @Test("is what PyTorch counts, phase by phase", arguments: ["llama", "mistral", "qwen3"])
    func counted(family: String) throws {
        let recorded = try Self.recorded.get()
        let model = try ModelFixture(family)
        let counts = try #require(recorded.families[family])
        let distilled = recorded.sequences.map {
            StepSequence(
                prompt: $0.prompt, answer: $0.answer, skipped: recorded.skipped, isSampled: true,
                context: $0.context)
        }
        let shown = recorded.sequences.map { StepSequence(prompt: $0.prompt, answer: $0.answer) }
        let work = { StepWork(model.configuration, [(beginning: 0, sequences: $0)], beginning: 0) }
        expect(work(distilled), try #require(counts["sdft"]), "sdft")
        expect(work(shown), try #require(counts["sft"]), "sft")
        #expect(
            work(shown)[.optimizer].elementwise == 17 * Double(ParameterLayout(model.configuration).count))
    }

    @Test(
        "Tokens that go through together, in parts or behind a prefix are the same arithmetic",
        arguments: ["llama", "mistral"])
    func parts(family: String) throws {
        let c = try ModelFixture(family).configuration
        let whole = FloatingPointWork.layers(c, tokens: 30)
        #expect(.layers(c, tokens: 11) + .layers(c, tokens: 19, after: 11) == whole)
        #expect((0..<30).reduce(FloatingPointWork()) { $0 + .layers(c, tokens: 1, after: $1) } == whole)
    }

    @Test("What prompts and contexts share is counted once")
    func shared() throws {
        let c = try ModelFixture("llama").configuration
        let one = StepSequence(prompt: 20, answer: 5, isSampled: true, context: 40, sharedContext: 30)
        let work = StepWork(c, [(beginning: 12, sequences: [one, one])], beginning: 12)
        let alone = StepWork(
            c, [(beginning: 0, sequences: [one, one])], beginning: 0, averages: true, recomputedContext: [30])
        let saved = FloatingPointWork.layers(c, tokens: 12)
        #expect(alone[.rollout].total - work[.rollout].total == saved.total)
        #expect(alone[.student].total - work[.student].total == 3 * saved.total)
        #expect(alone[.teacher].total - work[.teacher].total == FloatingPointWork.layers(c, tokens: 30).total)
    }

    @Test("A low-rank update spares the weights' gradient, and adds the factors' and the folding")
    func lowRank() throws {
        let c = try ModelFixture("llama").configuration
        let layout = try LowRankLayout(ParameterLayout(c), rank: 3, alpha: 3, modules: ["q_proj", "up_proj"])
        let sequence = StepSequence(prompt: 20, answer: 5, isSampled: true, context: 40)
        let batch = [(beginning: 12, sequences: [sequence, sequence])]
        let full = StepWork(c, batch, beginning: 12)
        let low = StepWork(c, batch, beginning: 12, update: layout)
        #expect(low[.rollout] == full[.rollout] && low[.teacher] == full[.teacher])
        // 12 tokens once, and 12 more of each sequence: its last token is not run.
        let tokens = 12.0 + 2 * 12
        let forward =
            FloatingPointWork.layers(c, tokens: 12) + 2 * .layers(c, tokens: 12, after: 12)
            + 2 * .logits(c, rows: 5)
        let (d, f, query) = (24.0, 40.0, 24.0)
        let layers = Double(c.layerCount)
        // X Aᵀ and dY B; then the gradients of A and of B, which take as much.
        let sides = layers * (2 * 2 * tokens * 3 * d + 2 * tokens * 3 * (query + f))
        let folding = layers * 2 * 3 * d * (query + f)
        let expected = full[.student].products - forward.products + 2 * sides + folding
        #expect(abs(low[.student].products - expected) < 1e-9 * expected)
        #expect(low[.student].attention == full[.student].attention)
        #expect(low[.optimizer].elementwise == 17 * layers * 3 * (2 * d + query + f))
    }

    @Test("A micro-batch of too many tokens goes through the student in equal parts")
    func microBatches() throws {
        /// Records of 300 tokens each, which begin with the same ones.
        func accounts(shared: Int) throws -> StepAccounts {
            let records = (0..<10).map { number in
                let prompt = (0..<Int32(300)).map { $0 < shared ? $0 : 1000 * Int32(number + 1) + $0 }
                return TokenRecord(
                    id: "\(number)", role: .skill, prompt: prompt, context: prompt, demonstration: nil)
            }
            return StepAccounts(
                records, try .sample(["micro_batch": 8]), try ModelFixture("llama").configuration)
        }
        let (indices, lengths) = (Array(0..<10), [Int](repeating: 30, count: 10))
        // 8 times 330 tokens are three times what is efficient.
        #expect(try accounts(shared: 0).microBatches(indices, lengths) == [0..<2, 2..<5, 5..<8, 8..<10])
        #expect(try accounts(shared: 250).microBatches(indices, lengths) == [0..<8, 8..<10])
        let long = [Int](repeating: 2000, count: 10)
        #expect(try accounts(shared: 0).microBatches(indices, long) == indices.map { $0..<$0 + 1 })
    }

    @Test("A training says of each step where its time went and how much it computed")
    func metered() throws {
        try withFolder { folder in
            let model = try TinyModel(in: folder)
            let pool = try ComputePool(threads: 2)
            let recipe = try TrainingRecipe.sample(["steps": 3])
            let records = try TinyModel.records()
            let trainer = try Trainer(
                recipe, records, configuration: model.configuration, chat: model.chat,
                incumbent: .full(model.weights(pool)), state: folder.appending(path: "state"),
                identity: Digest(of: "metered"), pool: pool)
            var steps: [Trainer.Metrics] = []
            let start = ContinuousClock.now
            _ = try trainer.run { _, metrics in if !metrics.isEmpty { steps.append(metrics) } }
            let elapsed = (ContinuousClock.now - start) / .seconds(1)
            #expect(steps.count == 3)
            var seconds = 0.0
            for metrics in steps {
                for phase in StepPhase.allCases {
                    let spent = try #require(metrics["seconds_\(phase.rawValue)"])
                    #expect(spent > 0)
                    #expect(try #require(metrics["gflop_\(phase.rawValue)"]) > 0)
                    seconds += spent
                }
                #expect(try #require(metrics["tokens_per_second"]) > 0)
            }
            #expect(seconds <= elapsed)
        }
    }

    @Test(
        "The count before a training bounds what its steps then compute, and is exact where nothing is sampled"
    )
    func planned() throws {
        try withFolder { folder in
            let model = try TinyModel(in: folder)
            let records = try TinyModel.records()
            for own in [0, 1] {
                let recipe = try TrainingRecipe.sample([
                    "steps": 4, "rehearsal_share": own == 0 ? 0 : 0.5, "on_policy_fraction": .int(Int64(own)),
                ])
                let pool = try ComputePool(threads: 2)
                let planned = try TrainingWork(
                    recipe, records, configuration: model.configuration, chat: model.chat)
                let trainer = try Trainer(
                    recipe, records, configuration: model.configuration, chat: model.chat,
                    incumbent: .full(model.weights(pool)), state: folder.appending(path: "state-\(own)"),
                    identity: Digest(of: "planned"), pool: pool)
                var counted: [StepPhase: Double] = [:]
                _ = try trainer.run { _, metrics in
                    for phase in StepPhase.allCases {
                        counted[phase, default: 0] += metrics["gflop_\(phase.rawValue)"] ?? 0
                    }
                }
                for phase in StepPhase.allCases {
                    let (before, after) = (planned.work[phase].total / 1e9, counted[phase] ?? 0)
                    if own == 0 {
                        #expect(abs(before - after) <= 1e-9 * before, "\(phase)")
                    } else {
                        // Random answers end by chance, and skill answers are guessed from the demonstrations.
                        #expect(after > 0.3 * before && after < 3 * before, "\(phase)")
                    }
                }
            }
        }
    }
}
