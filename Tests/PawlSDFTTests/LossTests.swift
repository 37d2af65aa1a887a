import CKernels
import Foundation
import PawlCore
import Testing

@testable import PawlModel
@testable import PawlSDFT

@Suite("Losses and steps against PyTorch", .serialized)
struct LossTests {
    /// A student's answer: prompt, the teacher's context in its place, answer.
    typealias Sample = (prompt: [Int32], context: [Int32], answer: [Int32])

    /// What the fixture's script distils on.
    private func samples(_ fixture: ModelFixture) throws -> [Sample] {
        try fixture.sequences().prefix(3).map { sequence in
            let (first, rest) = (sequence.prefix(sequence.count / 2), sequence.dropFirst(sequence.count / 2))
            return (first + [5], [7, 8, 9] + first + [5], rest + [2])
        }
    }

    /// Loss and gradient of rows that predict the answers' tokens from number `skip` on.
    private func gradient(
        _ fixture: ModelFixture, _ samples: [Sample], skip: Int, _ recipe: TrainingRecipe, weights: [Float],
        target: (Int) throws -> FusedLoss.Target
    ) throws -> (loss: Double, gradients: Parameters) {
        let (model, d) = (fixture.transformer, fixture.configuration.hiddenSize)
        let batch = SequenceBatch(samples.map { $0.prompt + $0.answer.dropLast() })
        let kept = Activations(fixture.configuration, tokens: batch.tokens.count)
        let states = try model.forward(batch, keeping: kept)
        let places = samples.enumerated().flatMap { index, sample in
            (skip..<sample.answer.count).map { Int(batch.starts[index]) + sample.prompt.count - 1 + $0 }
        }
        let rows = FloatBuffer(places.count * d)
        for (row, place) in places.enumerated() {
            (rows.pointer + row * d).update(from: states.pointer + place * d, count: d)
        }
        let gradients = Parameters(fixture.parameters.layout)
        let losses = try FusedLoss(student: model, recipe: recipe)
            .run(rows, try target(places.count), weights: weights, into: .weights(gradients))
        states.clear()
        for (row, place) in places.enumerated() {
            (states.pointer + place * d).update(from: rows.pointer + row * d, count: d)
        }
        try model.backward(kept, hiddenGradient: states, into: .weights(gradients))
        return (zip(losses, weights).reduce(0) { $0 + Double($1.0) * Double($1.1) }, gradients)
    }

    @Test(
        "Divergence, gradient norm and a gradient", arguments: ["forward_kl", "reverse_kl", "jsd"], [0, 12])
    func divergence(kind: String, topK: Int) throws {
        for family in ModelFixture.families {
            let fixture = try ModelFixture(family)
            let samples = try samples(fixture)
            let recipe = try TrainingRecipe.sample([
                "divergence": .string(kind), "top_k": .int(Int64(topK)), "temperature": 0.8,
            ])
            let teacher = Teacher(
                .full(fixture.parameters), fixture.configuration, recipe, fixture.pool,
                beginnings: [[7, 8, 9]])
            let weights = samples.flatMap { sample in
                [Float](repeating: 1 / Float(3 * (sample.answer.count - 1)), count: sample.answer.count - 1)
            }
            let (loss, gradients) = try gradient(fixture, samples, skip: 1, recipe, weights: weights) { _ in
                .teacher(
                    try teacher.hidden(samples.map(\.context), samples.map(\.answer), skip: 1),
                    teacher.decoder)
            }
            let name = "\(kind).\(topK)"
            let expected = try fixture.number("\(name).loss")
            #expect(abs(loss - expected) < 1e-4 * abs(expected), "\(family): \(loss) and \(expected)")
            let norm = pawl_squared_norm(
                fixture.pool.handle, gradients.buffer.pointer, gradients.buffer.count
            ).squareRoot()
            #expect(abs(norm - (try fixture.number("\(name).norm"))) < 1e-3 * norm)
            let embedding = gradients.layout.entries[0]
            let ours = UnsafeBufferPointer(start: gradients.buffer.pointer, count: embedding.count)
            #expect(relativeError(ours, try fixture.numbers("\(name).gradient")) < 1e-3)
        }
    }

    @Test("Masked tokens carry no loss", arguments: ["forward_kl", "reverse_kl", "jsd"], [0, 12])
    func masks(kind: String, topK: Int) throws {
        for family in ModelFixture.families {
            let fixture = try ModelFixture(family)
            let samples = try samples(fixture)
            let recipe = try TrainingRecipe.sample([
                "divergence": .string(kind), "top_k": .int(Int64(topK)), "temperature": 0.8,
            ])
            let teacher = Teacher(
                .full(fixture.parameters), fixture.configuration, recipe, fixture.pool, beginnings: [])
            // Every third token that is not skipped, the first counted.
            let weights = samples.flatMap { sample in
                let isKept = (1..<sample.answer.count).map { !($0 - 1).isMultiple(of: 3) }
                let count = max(1, isKept.count { $0 })
                return isKept.map { $0 ? 1 / Float(3 * count) : 0 }
            }
            #expect(weights.contains(0))
            let (loss, gradients) = try gradient(fixture, samples, skip: 1, recipe, weights: weights) { _ in
                let states = try teacher.hidden(samples.map(\.context), samples.map(\.answer), skip: 1)
                return .teacher(states, fixture.transformer)
            }
            let expected = try fixture.number("\(kind).\(topK).masked.loss")
            #expect(abs(loss - expected) < 1e-4 * abs(expected), "\(family): \(loss) and \(expected)")
            let norm = pawl_squared_norm(
                fixture.pool.handle, gradients.buffer.pointer, gradients.buffer.count
            ).squareRoot()
            #expect(
                abs(norm - (try fixture.number("\(kind).\(topK).masked.norm"))) < 1e-3 * norm, "\(family)")
        }
    }

    @Test("Ten steps of AdamW with warm-up, cosine, decay and clipping", arguments: ModelFixture.families)
    func training(family: String) throws {
        let fixture = try ModelFixture(family)
        let recipe = try TrainingRecipe.sample(["method": "sft"])
        let optimizer = Optimizer(
            FullLearner(
                fixture.parameters, fixture.configuration, positions: 256, samples: false, fixture.pool),
            recipe, fixture.pool)
        let samples = try fixture.sequences().map {
            Sample(prompt: [$0[0]], context: [], answer: Array($0.dropFirst()))
        }
        let tokens = samples.flatMap(\.answer)
        let weights = [Float](repeating: 1 / Float(tokens.count), count: tokens.count)
        let expected = try fixture.numbers("trained.losses")
        #expect(expected.count == recipe.steps)
        for step in 0..<recipe.steps {
            let (loss, gradients) = try gradient(fixture, samples, skip: 0, recipe, weights: weights) { _ in
                .tokens(tokens)
            }
            #expect(
                abs(loss - expected[step]) < 1e-4 * expected[step],
                "step \(step): \(loss) and \(expected[step])")
            _ = optimizer.step(fixture.parameters.buffer, gradients.buffer, step: step)
        }
        let embedding = fixture.parameters.layout.entries[0]
        let ours = UnsafeBufferPointer(start: fixture.parameters.buffer.pointer, count: embedding.count)
        #expect(relativeError(ours, try fixture.numbers("trained.embedding")) < 1e-3)
    }
}
