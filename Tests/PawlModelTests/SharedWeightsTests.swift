import Foundation
import PawlCore
import Testing

@testable import PawlModel

/// A model of a directory whose tensors have names by content, some of them changed.
private struct NamedModel: WeightSource {
    let source: SafetensorsDirectory
    /// Tensors that are another's: each number's lowest bit is flipped.
    var changed: Set<String> = []
    /// Whether tensors are handed out in bf16 (rounded by cutting), as most models are stored.
    var isRounded = false
    var hasDigests = true

    var description: String { "a model" }
    var names: [String] { source.names }

    func form(of name: String) throws -> (shape: [Int], dtype: DType) {
        (try source.form(of: name).shape, isRounded ? .bf16 : .f32)
    }

    func digest(of name: String) throws -> Digest? {
        guard hasDigests else { return nil }
        var bytes: [UInt8] = []
        try read(name) { bytes = Array("\($0) \($1)".utf8) + Array($2) }
        return Digest(of: bytes)
    }

    func read(_ name: String, _ body: ([Int], DType, UnsafeRawBufferPointer) throws -> Void) throws {
        try source.read(name) { shape, _, bytes in
            var words = bytes.bindMemory(to: UInt32.self).map {
                isRounded ? [UInt16($0 >> 16)] : [UInt16($0 & 0xFFFF), UInt16($0 >> 16)]
            }
            if changed.contains(name) { for index in words.indices { words[index][0] ^= 1 } }
            try words.flatMap(\.self).withUnsafeBytes { try body(shape, isRounded ? .bf16 : .f32, $0) }
        }
    }
}

@Suite("Weights that models share")
struct SharedWeightsTests {
    /// Hidden states of sequences that go through few and many rows at a time, and their logits.
    private static func results(_ decoder: Transformer, _ fixture: ModelFixture) throws -> [[Float]] {
        let c = decoder.configuration
        return try (fixture.sequences() + [Array(fixture.tokens("long.tokens").prefix(100))]).map { tokens in
            let hidden = try decoder.forward(SequenceBatch([tokens]))
            let logits = FloatBuffer(tokens.count * c.vocabularySize)
            try decoder.logits(hidden.pointer, rows: tokens.count, into: logits.pointer)
            return Array(hidden.values) + Array(logits.values)
        }
    }

    @Test("give the bits of weights in one run", arguments: ModelFixture.families, [false, true])
    func equal(family: String, isRounded: Bool) throws {
        let fixture = try ModelFixture(family)
        let (c, pool) = (fixture.configuration, fixture.pool)
        let source = NamedModel(source: try SafetensorsDirectory(fixture.directory), isRounded: isRounded)
        let shared = try WeightPool().weights(source, c, pool)
        let ours = Transformer(c, shared: shared, positions: 256, pool: pool)
        let theirs =
            if let frozen = try FrozenWeights.read(source, c, pool) {
                Transformer(c, frozen: frozen, positions: 256, pool: pool)
            } else {
                Transformer(c, try Parameters(reading: source, c, pool), positions: 256, pool: pool)
            }
        #expect(ours.precision == (isRounded ? .bf16Decoding : .f32))
        #expect(try Self.results(ours, fixture) == Self.results(theirs, fixture))
        let request = ContinuousBatch.Request(
            tokens: [5, 6, 7], name: "1", sampling: Sampling(), limit: 20)
        let answers = try [ours, theirs].map { decoder in
            try Generator(decoder, Sampling(), limit: 20, width: 1).generate(
                [.init(tokens: request.tokens, name: "1")], isFinished: { _, _ in false })[0].tokens
        }
        #expect(answers[0] == answers[1])
    }

    @Test("are held once where tensors are equal, and freed with the last model", arguments: [false, true])
    func sharing(isRounded: Bool) throws {
        let fixture = try ModelFixture("qwen3")
        let (c, threads) = (fixture.configuration, fixture.pool)
        let pool = WeightPool()
        let plain = NamedModel(source: try SafetensorsDirectory(fixture.directory), isRounded: isRounded)
        // One of the three that stand side by side, one matrix, one norm.
        let names = ["self_attn.k_proj", "mlp.down_proj", "input_layernorm"].map {
            "model.layers.1.\($0).weight"
        }
        var other = plain
        other.changed = Set(names)

        let whole = try pool.missingBytes(plain, c)
        var first: SharedWeights? = try pool.weights(plain, c, threads)
        #expect(first?.bytes == whole && pool.bytes == whole)
        #expect(try pool.missingBytes(plain, c) == 0)
        let again = try pool.weights(plain, c, threads)
        #expect(pool.bytes == whole && first?.bytesShared(with: again) == whole)

        let missing = try pool.missingBytes(other, c)
        let second = try pool.weights(other, c, threads)
        let d = c.hiddenSize
        let matrices = c.queryKeyValueSize * d + d * c.intermediateSize
        #expect(missing == matrices * (isRounded ? 2 : 4) + d * 4)
        #expect(pool.bytes == whole + missing && second.bytesShared(with: again) == whole - missing)

        // Each answers as it does alone.
        for (source, weights) in [(plain, again), (other, second)] {
            let alone = try WeightPool().weights(source, c, threads)
            let results = try [weights, alone].map {
                try Self.results(Transformer(c, shared: $0, positions: 256, pool: threads), fixture)
            }
            #expect(results[0] == results[1])
        }
        first = nil
        #expect(pool.bytes == whole + missing)
        withExtendedLifetime((again, second)) {}
    }

    @Test("are gone when no model holds them")
    func freed() throws {
        let fixture = try ModelFixture("llama")
        let pool = WeightPool()
        let source = NamedModel(source: try SafetensorsDirectory(fixture.directory))
        var weights: SharedWeights? = try pool.weights(source, fixture.configuration, fixture.pool)
        #expect(pool.bytes == weights?.bytes)
        weights = nil
        #expect(pool.bytes == 0)
        #expect(try pool.missingBytes(source, fixture.configuration) > 0)
    }

    @Test("that nothing names are each model's own")
    func unnamed() throws {
        let fixture = try ModelFixture("llama")
        let pool = WeightPool()
        let source = NamedModel(source: try SafetensorsDirectory(fixture.directory), hasDigests: false)
        let models = try (0..<2).map { _ in try pool.weights(source, fixture.configuration, fixture.pool) }
        #expect(models[0].bytesShared(with: models[1]) == 0)
    }
}
