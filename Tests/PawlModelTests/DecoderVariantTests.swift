import CKernels
import Foundation
import PawlCore
import Testing

@testable import PawlModel

@Suite("Ways of running a decoder that must not change what it computes", .serialized)
struct DecoderVariantTests {
    @Test("Logits at the end of a long text agree within 1e-4", arguments: ModelFixture.families)
    func long(family: String) throws {
        let fixture = try ModelFixture(family)
        let logits = try fixture.logits([fixture.tokens("long.tokens")])
        let expected = try fixture.numbers("long.logits")
        #expect(largestDifference(logits.values.suffix(expected.count), expected) < 1e-4)
    }

    @Test("Behind a prefix, gradients are PyTorch's", arguments: ModelFixture.families)
    func prefixGradients(family: String) throws {
        let fixture = try ModelFixture(family)
        let prefix = try fixture.transformer.prefix(fixture.tokens("sequence.0"))
        let gradients = try TransformerTests.gradient(
            fixture, [fixture.tokens("sequence.2")], prefix: prefix
        ).1
        let entries = fixture.parameters.layout.entries.filter { $0.name.contains("layers.0.") }
        #expect(entries.count >= 9)
        for entry in entries {
            let ours = UnsafeBufferPointer(start: gradients.at(entry.offset), count: entry.count)
            let error = relativeError(ours, try fixture.numbers("prefix.gradient.\(entry.name)"))
            #expect(error < 1e-5, "\(entry.name): \(error)")
        }
    }

    @Test(
        "A beginning that is run once for all has the gradient of one that each runs",
        arguments: ModelFixture.families)
    func sharedBeginning(family: String) throws {
        let fixture = try ModelFixture(family)
        let beginning = try fixture.tokens("sequence.0")
        let rests = try [fixture.tokens("sequence.1"), [7], fixture.tokens("sequence.2")]
        let batches = [
            SequenceBatch(beginning: beginning, rests), SequenceBatch(rests.map { beginning + $0 }),
        ]
        let results = try zip(batches, [1, 0]).map { batch, first in
            // Each rest's tokens are predicted from the place before them, which is the beginning's last for the first.
            var (places, targets): ([Int], [Int32]) = ([], [])
            for (index, rest) in rests.enumerated() {
                let start = Int(batch.starts[index + first]) + (first == 1 ? 0 : beginning.count)
                let last = first == 1 ? beginning.count - 1 : start - 1
                places += [last] + (start..<start + rest.count - 1)
                targets += rest
            }
            return try TransformerTests.gradient(fixture, batch, places, targets)
        }
        #expect(abs(results[0].0 - results[1].0) < 1e-6 * results[1].0)
        for entry in fixture.parameters.layout.entries {
            let (ours, expected) = (results[0].1, results[1].1)
            let error = relativeError(
                UnsafeBufferPointer(start: ours.at(entry.offset), count: entry.count),
                UnsafeBufferPointer(start: expected.at(entry.offset), count: entry.count).map(Double.init))
            #expect(error < 1e-5, "\(entry.name): \(error)")
        }
    }

    @Test(
        "Recomputed activations give the same bits, also behind a prefix", arguments: ModelFixture.families)
    func recomputation(family: String) throws {
        let fixture = try ModelFixture(family)
        let sequences = try fixture.sequences()
        let prefix = try fixture.transformer.prefix([3, 4, 5])
        let recomputed = Activations(fixture.configuration, tokens: 64, recomputing: true)
        for prefix in [nil, prefix] {
            let kept = try TransformerTests.gradient(fixture, sequences, prefix: prefix).1
            let again = try TransformerTests.gradient(
                fixture, sequences, prefix: prefix, keeping: recomputed
            ).1
            #expect(kept.buffer.values.elementsEqual(again.buffer.values))
        }
    }

    @Test("Activations serve a smaller batch after a larger one", arguments: [false, true])
    func reuse(recomputing: Bool) throws {
        let fixture = try ModelFixture("qwen3")
        let sequences = try fixture.sequences()
        let kept = Activations(fixture.configuration, tokens: 40, recomputing: recomputing)
        _ = try TransformerTests.gradient(fixture, sequences, keeping: kept)
        let small = try TransformerTests.gradient(fixture, [sequences[2]], keeping: kept).1
        let fresh = try TransformerTests.gradient(fixture, [sequences[2]]).1
        #expect(small.buffer.values.elementsEqual(fresh.buffer.values))
        #expect(throws: PawlError.self) {
            try TransformerTests.gradient(fixture, sequences + sequences, keeping: kept)
        }
    }

    @Test("Recomputation takes less memory, by the layers' number")
    func memory() throws {
        let configuration = try ModelFixture("llama").configuration
        let kept = Activations.bytes(configuration, tokens: 100)
        let again = Activations.bytes(configuration, tokens: 100, recomputing: true)
        // D 24, F 40, (H + 2K) E 48, H E 24, H 4, 2 layers.
        let layer = 48 + 2 + 48 + 24 + 4 + 80
        #expect(kept == 400 * (2 * layer + 40 + 25))
        #expect(again == 400 * (layer + 2 * 24 + 40 + 25))
    }

    @Test(
        "Rounded products are those of PyTorch on rounded weights and inputs",
        arguments: ModelFixture.families)
    func rounding(family: String) throws {
        let fixture = try ModelFixture(family)
        let sequences = try fixture.sequences()
        let expected = try fixture.numbers("rounded.logits")
        // 17 tokens: as many rows as make a product round its input too.
        let rounded = try fixture.logits([sequences[0]], precision: .bf16)
        let exact = try fixture.logits([sequences[0]])
        #expect(rounded.count == expected.count)
        let (near, far) = (relativeError(rounded.values, expected), relativeError(exact.values, expected))
        #expect(near < 1e-3 && near < 0.5 * far, "\(near), without rounding \(far)")
        let gradients = try TransformerTests.gradient(fixture, sequences, precision: .bf16).1
        let plain = try TransformerTests.gradient(fixture, sequences).1
        let error = relativeError(gradients.buffer.values, plain.buffer.values.map(Double.init))
        #expect(error > 1e-5 && error < 0.1, "\(error)")
    }

    @Test("Decoding from bf16 is exact for weights that are bf16", arguments: ModelFixture.families)
    func decoding(family: String) throws {
        let fixture = try ModelFixture(family)
        let (numbers, count) = (fixture.parameters.buffer.pointer, fixture.parameters.buffer.count)
        #expect(!fixture.parameters.isExactInBF16)
        var rounded = [UInt16](repeating: 0, count: count)
        pawl_bf16_from_f32(fixture.pool.handle, &rounded, numbers, count)
        pawl_f32_from_bf16(fixture.pool.handle, numbers, rounded, count)
        #expect(fixture.parameters.isExactInBF16)
        numbers[count - 1] = numbers[count - 1].nextUp
        #expect(!fixture.parameters.isExactInBF16)
        numbers[count - 1] = numbers[count - 1].nextDown
        let requests = try fixture.sequences().map { Generator.Request(tokens: $0, name: "1") }
        let answers = try [Precision.f32, .bf16Decoding].map { precision in
            try Generator(fixture.decoder(precision), Sampling(), limit: 20, width: 4)
                .generate(requests, isFinished: { _, _ in false })
        }
        #expect(answers[0].map(\.tokens) == answers[1].map(\.tokens))
        for (plain, bf16) in zip(answers[0], answers[1]) {
            #expect(plain.logLikelihood == bf16.logLikelihood)
        }
    }

    @Test("Changed weights reach the rounded ones when they are said to have changed")
    func change() throws {
        let fixture = try ModelFixture("llama")
        let decoder = fixture.decoder(.bf16)
        func hidden(_ decoder: Transformer) throws -> [Float] {
            let states = try decoder.forward(SequenceBatch([[5, 6, 7]]))
            return withExtendedLifetime(states) { Array(states.values) }
        }
        let before = try hidden(decoder)
        let numbers = fixture.parameters.buffer
        pawl_scale(fixture.pool.handle, numbers.pointer, 1.5, numbers.count)
        decoder.weightsChanged()
        let after = try hidden(decoder)
        let fresh = try hidden(fixture.decoder(.bf16))
        #expect(after == fresh)
        #expect(after != before)
    }
}
