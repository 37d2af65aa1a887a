import CKernels
import Foundation
import PawlCore
import Testing

@testable import PawlModel

/// A low-rank update against PEFT, as tools/fixtures/low_rank recorded it.
@Suite("Low-rank updates") struct LowRankTests {
    @Test("The loss and every factor's gradient are PEFT's", arguments: LowRankReference.runs)
    func gradients(name: String) throws {
        let (fixture, reference) = (try ModelFixture(name), try LowRankReference(name))
        let factors = try reference.factors("factor", fixture.parameters.layout)
        let update = LowRankUpdate(factors, fixture.pool)
        let student = Transformer(
            fixture.configuration, fixture.parameters, positions: 256, pool: fixture.pool, update: update)
        let (loss, gradients) = try Self.gradient(fixture, student, factors.layout)
        let expected = try reference.numbers("loss")[0]
        #expect(abs(loss - expected) < 1e-5 * expected, "\(loss) and \(expected)")
        let theirs = try reference.factors("gradient", fixture.parameters.layout)
        #expect(theirs.layout.modules.count == factors.layout.modules.count)
        for (entry, range) in factors.layout.ranges {
            let error = relativeError(
                gradients.buffer.values[range], theirs.buffer.values[range].map(Double.init))
            #expect(error < 1e-5, "\(entry): \(error)")
        }
    }

    @Test(
        "Recomputed layers give the same bits, and weights in bf16 the same as in fp32",
        arguments: LowRankReference.runs)
    func variants(name: String) throws {
        let (fixture, reference) = (try ModelFixture(name), try LowRankReference(name))
        // Weights that bf16 holds.
        let rounded = FrozenWeights(rounding: fixture.parameters, fixture.pool)
        let exact = Parameters(widening: rounded, fixture.pool)
        let factors = try reference.factors("factor", exact.layout)
        let update = LowRankUpdate(factors, fixture.pool)
        let one = try Self.gradient(
            fixture,
            Transformer(fixture.configuration, exact, positions: 256, pool: fixture.pool, update: update),
            factors.layout)
        let other = try Self.gradient(
            fixture,
            Transformer(
                fixture.configuration, frozen: rounded, positions: 256, pool: fixture.pool, update: update),
            factors.layout, recomputing: true)
        // The projections without factors multiply few rows in another kernel where weights are bf16.
        #expect(abs(one.0 - other.0) < 1e-5 * one.0)
        #expect(relativeError(other.1.buffer.values, one.1.buffer.values.map(Double.init)) < 1e-4)
        let again = try Self.gradient(
            fixture,
            Transformer(
                fixture.configuration, frozen: rounded, positions: 256, pool: fixture.pool, update: update),
            factors.layout)
        #expect(Array(again.1.buffer.values) == Array(other.1.buffer.values))
    }

    @Test("Updated weights are handed out as W + scale B A, and no others", arguments: LowRankReference.runs)
    func updated(name: String) throws {
        let (fixture, reference) = (try ModelFixture(name), try LowRankReference(name))
        let factors = try reference.factors("factor", fixture.parameters.layout)
        let student = Transformer(
            fixture.configuration, fixture.parameters, positions: 256, pool: fixture.pool,
            update: LowRankUpdate(factors, fixture.pool))
        let found = Parameters(copying: fixture.parameters)
        try student.forEachUpdated { offset, numbers, count in
            found.at(offset).update(from: numbers, count: count)
        }
        for entry in fixture.parameters.layout.entries {
            let range = entry.offset..<entry.offset + entry.count
            var expected = fixture.parameters.buffer.values[range].map(Double.init)
            let module = factors.layout.modules.first { $0.name + ".weight" == entry.name }
            if let module {
                for row in 0..<module.out {
                    for column in 0..<module.in {
                        let product = (0..<factors.layout.rank).reduce(0.0) { sum, k in
                            sum + Double(factors.at(module.b)[row * factors.layout.rank + k])
                                * Double(factors.at(module.a)[k * module.in + column])
                        }
                        expected[row * module.in + column] += Double(factors.layout.scale) * product
                    }
                }
            }
            #expect(relativeError(found.buffer.values[range], expected) < 1e-6, "\(entry.name)")
        }
    }

    @Test("A begins uniform within 1 / sqrt(in), from the seed, and B zero")
    func beginning() throws {
        let fixture = try ModelFixture("llama")
        let layout = try LowRankLayout(fixture.parameters.layout, rank: 8, alpha: 16, modules: [])
        #expect(layout.modules.count == 14 && layout.scale == 2)
        let factors = LowRankFactors(layout, seed: 1)
        for module in layout.modules {
            let bound = 1 / Float(module.in).squareRoot()
            let a = factors.buffer.values[module.a..<module.a + 8 * module.in]
            #expect(a.allSatisfy { abs($0) <= bound } && a.contains { abs($0) > 0.8 * bound })
            let mean = a.reduce(0, +) / Float(a.count)
            // Three standard errors of a mean of uniform numbers.
            #expect(abs(mean) < 3 * bound / (3 * Float(a.count)).squareRoot(), "\(module.name)")
            #expect(
                factors.buffer.values[module.b..<module.b + 8 * module.out].allSatisfy { $0 == 0 })
        }
        let (same, other) = (LowRankFactors(layout, seed: 1), LowRankFactors(layout, seed: 2))
        withExtendedLifetime((factors, same, other)) {
            #expect(Array(factors.buffer.values) == Array(same.buffer.values))
            #expect(Array(factors.buffer.values) != Array(other.buffer.values))
        }
    }

    @Test("Modules go by the end of their names; an unknown one and a rank too high are refused")
    func layout() throws {
        let weights = try ModelFixture("llama").parameters.layout
        func names(_ modules: [String]) throws -> [String] {
            try LowRankLayout(weights, rank: 2, alpha: 2, modules: modules).modules.map(\.name)
        }
        #expect(
            try names(["up_proj", "model.layers.1.self_attn.q_proj"])
                == [
                    "model.layers.0.mlp.up_proj", "model.layers.1.self_attn.q_proj",
                    "model.layers.1.mlp.up_proj",
                ])
        let unknown = #expect(throws: PawlError.self) { try names(["q_proj", "proj"]) }
        #expect(
            unknown?.message
                == "recipe, field modules: the model has no linear projection \"proj\"; it has q_proj, k_proj, "
                + "v_proj, o_proj, gate_proj, up_proj, down_proj")
        // Keys have 12 rows.
        let high = #expect(throws: PawlError.self) {
            try LowRankLayout(weights, rank: 13, alpha: 2, modules: ["q_proj", "k_proj"])
        }
        #expect(high?.message.contains("13 is not between 1 and the smaller extent of") == true)
        #expect(high?.message.contains("k_proj [12, 24]") == true)
    }

    /// The mean cross-entropy of every next token of the fixture's sequences, and the factors' gradients.
    private static func gradient(
        _ fixture: ModelFixture, _ student: Transformer, _ layout: LowRankLayout, recomputing: Bool = false
    ) throws -> (Double, LowRankFactors) {
        let batch = SequenceBatch(try fixture.sequences())
        let d = fixture.configuration.hiddenSize
        var (targets, places): ([Int32], [Int]) = ([], [])
        for (index, sequence) in try fixture.sequences().enumerated() {
            targets += sequence.dropFirst()
            places += (0..<sequence.count - 1).map { Int(batch.starts[index]) + $0 }
        }
        let kept = Activations(
            fixture.configuration, tokens: batch.tokens.count, recomputing: recomputing)
        let hidden = try student.forward(batch, keeping: kept)
        let rows = FloatBuffer(targets.count * d)
        for (row, place) in places.enumerated() {
            (rows.pointer + row * d).update(from: hidden.pointer + place * d, count: d)
        }
        let (count, v) = (targets.count, fixture.configuration.vocabularySize)
        let logits = FloatBuffer(count * v)
        try student.logits(rows.pointer, rows: count, into: logits.pointer)
        var losses = [Float](repeating: 0, count: count)
        let weights = [Float](repeating: 1 / Float(count), count: count)
        try check(
            pawl_cross_entropy(
                fixture.pool.handle, &losses, logits.pointer, logits.pointer, targets, weights, count, v),
            "loss")
        let gradients = LowRankFactors(layout)
        try student.outputBackward(logits.pointer, rows.pointer, rows: count, into: .factors(gradients))
        hidden.clear()
        for (row, place) in places.enumerated() {
            (hidden.pointer + place * d).update(from: rows.pointer + row * d, count: d)
        }
        try student.backward(kept, hiddenGradient: hidden, into: .factors(gradients))
        return (losses.reduce(0) { $0 + Double($1) } / Double(count), gradients)
    }
}

extension LowRankLayout {
    /// Every factor with its place.
    var ranges: [(String, Range<Int>)] {
        modules.flatMap { module in
            [
                ("\(module.name) A", module.a..<module.a + rank * module.in),
                ("\(module.name) B", module.b..<module.b + rank * module.out),
            ]
        }
    }
}
