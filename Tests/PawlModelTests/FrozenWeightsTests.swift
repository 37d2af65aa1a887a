import CKernels
import Foundation
import PawlCore
import Synchronization
import Testing

@testable import PawlModel

@Suite("Weights that stay as they are", .serialized)
struct FrozenWeightsTests {
    /// A model's weights rounded to bf16, as a file would hold them.
    private struct Rounded: WeightSource {
        let parameters: Parameters
        /// The tensor whose first number is not one.
        var broken: String?
        /// The tensor that is stored in fp32.
        var full: String?

        var description: String { "rounded" }
        var names: [String] { parameters.layout.entries.map(\.name) }

        private func entry(_ name: String) throws -> ParameterLayout.Entry {
            try #require(parameters.layout.entries.first { $0.name == name })
        }

        func form(of name: String) throws -> (shape: [Int], dtype: DType) {
            (try entry(name).shape, name == full ? .f32 : .bf16)
        }

        func read(_ name: String, _ body: ([Int], DType, UnsafeRawBufferPointer) throws -> Void) throws {
            let entry = try entry(name)
            var numbers = parameters.buffer.values[entry.offset..<entry.offset + entry.count].map {
                UInt16($0.bitPattern >> 16)
            }
            if name == broken { numbers[0] = 0x7FC0 }
            try numbers.withUnsafeBytes { try body(entry.shape, .bf16, $0) }
        }
    }

    /// A fixture whose weights are bf16 numbers.
    private func rounded(_ family: String) throws -> ModelFixture {
        let fixture = try ModelFixture(family)
        for index in fixture.parameters.buffer.values.indices {
            let word = fixture.parameters.buffer.values[index].bitPattern
            fixture.parameters.buffer.values[index] = Float(bitPattern: word & 0xFFFF_0000)
        }
        return fixture
    }

    private func hidden(_ decoder: Transformer, _ tokens: [Int32]) throws -> [Float] {
        let states = try decoder.forward(SequenceBatch([tokens]))
        return withExtendedLifetime(states) { Array(states.values) }
    }

    @Test("compute what the same weights in fp32 compute, to the bit", arguments: ModelFixture.families)
    func same(family: String) throws {
        let fixture = try rounded(family)
        let weights = try #require(FrozenWeights(exactly: fixture.parameters, fixture.pool))
        let frozen = Transformer(fixture.configuration, frozen: weights, positions: 256, pool: fixture.pool)
        let (long, short) = (try fixture.tokens("long.tokens"), try fixture.tokens("sequence.0"))
        #expect(long.count > 64, "products of many rows are the ones that widen weights")
        for tokens in [long, short] {
            #expect(try hidden(frozen, tokens) == hidden(fixture.transformer, tokens))
        }
        let requests = try fixture.sequences().map { Generator.Request(tokens: $0, name: "1") }
        let answers = try [frozen, fixture.transformer].map {
            try Generator($0, Sampling(), limit: 20, width: 4).generate(
                requests, isFinished: { _, _ in false })
        }
        #expect(answers[0].map(\.tokens) == answers[1].map(\.tokens))
        #expect(answers[0].map(\.logLikelihood) == answers[1].map(\.logLikelihood))
    }

    @Test("More logits at once than the window holds are those of fp32")
    func window() throws {
        let fixture = try rounded("llama")
        let weights = try #require(FrozenWeights(exactly: fixture.parameters, fixture.pool))
        let frozen = Transformer(fixture.configuration, frozen: weights, positions: 256, pool: fixture.pool)
        let (rows, d, v) = (70, fixture.configuration.hiddenSize, fixture.configuration.vocabularySize)
        let states = FloatBuffer(rows * d)
        for index in states.values.indices { states.values[index] = Float(index % 17) - 8 }
        let (ours, theirs) = (FloatBuffer(rows * v), FloatBuffer(rows * v))
        try fixture.transformer.logits(states.pointer, rows: rows, into: theirs.pointer)
        for numbers in [d, 3 * d, v * d - 1] {
            frozen.window.withLock { $0 = FloatBuffer(numbers) }
            try frozen.logits(states.pointer, rows: rows, into: ours.pointer)
            #expect(relativeError(ours.values, theirs.values.map(Double.init)) < 1e-6)
        }
    }

    @Test("are taken from fp32 when bf16 holds each exactly, and from files when all are bf16")
    func exact() throws {
        let plain = try ModelFixture("llama")
        #expect(FrozenWeights(exactly: plain.parameters, plain.pool) == nil)
        let fixture = try rounded("llama")
        let source = Rounded(parameters: fixture.parameters)
        let read = try #require(try FrozenWeights.read(source, fixture.configuration, fixture.pool))
        let frozen = Transformer(fixture.configuration, frozen: read, positions: 256, pool: fixture.pool)
        let tokens = try fixture.tokens("long.tokens")
        #expect(try hidden(frozen, tokens) == hidden(fixture.transformer, tokens))
        let mixed = Rounded(parameters: fixture.parameters, full: "model.norm.weight")
        #expect(try FrozenWeights.read(mixed, fixture.configuration, fixture.pool) == nil)
    }

    @Test("with a NaN are refused by the tensor's name")
    func broken() throws {
        let fixture = try rounded("qwen2")
        let name = "model.layers.1.self_attn.k_proj.bias"
        let source = Rounded(parameters: fixture.parameters, broken: name)
        let error = #expect(throws: PawlError.self) {
            try FrozenWeights.read(source, fixture.configuration, fixture.pool)
        }
        #expect(error?.message.contains(name) == true)
        #expect(error?.message.contains("NaN") == true)
    }

    @Test("do not learn")
    func learning() throws {
        let fixture = try rounded("llama")
        let weights = try #require(FrozenWeights(exactly: fixture.parameters, fixture.pool))
        let frozen = Transformer(fixture.configuration, frozen: weights, positions: 256, pool: fixture.pool)
        let batch = SequenceBatch([try fixture.tokens("sequence.0")])
        let kept = Activations(fixture.configuration, tokens: batch.tokens.count)
        let states = try frozen.forward(batch, keeping: kept)
        #expect(throws: PawlError.self) {
            try frozen.backward(
                kept, hiddenGradient: states, into: .weights(Parameters(fixture.parameters.layout)))
        }
    }
}
