import CKernels
import Foundation
import PawlCore
import Testing

@testable import PawlModel

@Suite("A decoder against PyTorch", .serialized)
struct TransformerTests {
    @Test("Logits agree within 1e-5", arguments: ModelFixture.families)
    func logits(family: String) throws {
        let fixture = try ModelFixture(family)
        let sequences = try fixture.sequences()
        let hidden = try fixture.transformer.forward(SequenceBatch(sequences))
        let count = sequences.reduce(0) { $0 + $1.count }
        let logits = FloatBuffer(count * fixture.configuration.vocabularySize)
        try fixture.transformer.logits(hidden.pointer, rows: count, into: logits.pointer)
        let expected = try sequences.indices.flatMap { try fixture.numbers("logits.\($0)") }
        #expect(expected.count == logits.count)
        #expect(largestDifference(logits.values, expected) < 1e-5)
    }

    @Test("Every gradient agrees within 1e-5, and no weight is without one", arguments: ModelFixture.families)
    func gradients(family: String) throws {
        let fixture = try ModelFixture(family)
        let (loss, gradients) = try Self.gradient(fixture, try fixture.sequences())
        #expect(abs(loss - (try fixture.number("loss"))) < 1e-4 * abs(loss))
        for entry in fixture.parameters.layout.entries {
            let ours = UnsafeBufferPointer(start: gradients.at(entry.offset), count: entry.count)
            let error = relativeError(ours, try fixture.numbers("gradient.\(entry.name)"))
            #expect(error < 1e-5, "\(entry.name): \(error)")
        }
    }

    @Test("Reading the token for padding teaches its embedding nothing", arguments: ModelFixture.families)
    func padding(family: String) throws {
        let fixture = try ModelFixture(family)
        let text = try fixture.tokens("padding.tokens")
        #expect(text.contains(try #require(fixture.configuration.paddingToken)))
        let gradients = try Self.gradient(fixture, [text]).1
        let entry = fixture.parameters.layout.entries[0]
        let ours = UnsafeBufferPointer(start: gradients.at(entry.offset), count: entry.count)
        #expect(relativeError(ours, try fixture.numbers("padding.gradient")) < 1e-5)
    }

    /// The mean cross-entropy of every next token, and its gradient.
    static func gradient(
        _ fixture: ModelFixture, _ sequences: [[Int32]], weight: Float? = nil, prefix: Prefix? = nil,
        keeping: Activations? = nil, precision: Precision = .f32
    ) throws -> (Double, Parameters) {
        let batch = SequenceBatch(sequences)
        var targets: [Int32] = []
        var places: [Int] = []
        for (index, sequence) in sequences.enumerated() {
            targets += sequence.dropFirst()
            places += (0..<sequence.count - 1).map { Int(batch.starts[index]) + $0 }
        }
        return try gradient(
            fixture, batch, places, targets, weight: weight, prefix: prefix, keeping: keeping,
            precision: precision)
    }

    /// The mean cross-entropy of tokens that places of a batch predict, and its gradient.
    static func gradient(
        _ fixture: ModelFixture, _ batch: SequenceBatch, _ places: [Int], _ targets: [Int32],
        weight: Float? = nil, prefix: Prefix? = nil, keeping: Activations? = nil, precision: Precision = .f32
    ) throws -> (Double, Parameters) {
        let (model, d) = (fixture.decoder(precision), fixture.configuration.hiddenSize)
        let kept = keeping ?? Activations(fixture.configuration, tokens: batch.tokens.count)
        let hidden = try model.forward(batch, prefix: prefix, keeping: kept)
        let rows = FloatBuffer(targets.count * d)
        for (row, place) in places.enumerated() {
            (rows.pointer + row * d).update(from: hidden.pointer + place * d, count: d)
        }
        let (count, v) = (targets.count, fixture.configuration.vocabularySize)
        let logits = FloatBuffer(count * v)
        try model.logits(rows.pointer, rows: count, into: logits.pointer)
        var losses = [Float](repeating: 0, count: count)
        let weights = [Float](repeating: weight ?? 1 / Float(count), count: count)
        try check(
            pawl_cross_entropy(
                fixture.pool.handle, &losses, logits.pointer, logits.pointer, targets, weights, count, v),
            "loss")
        let gradients = Parameters(fixture.parameters.layout)
        try model.outputBackward(logits.pointer, rows.pointer, rows: count, into: .weights(gradients))
        hidden.clear()
        for (row, place) in places.enumerated() {
            pawl_add(fixture.pool.handle, hidden.pointer + place * d, rows.pointer + row * d, d)
        }
        try model.backward(kept, hiddenGradient: hidden, prefix: prefix, into: .weights(gradients))
        return (losses.reduce(0) { $0 + Double($1) } / Double(count), gradients)
    }

    @Test("A batch of 8 has the gradient of its sequences one by one", arguments: ModelFixture.families)
    func accumulation(family: String) throws {
        let fixture = try ModelFixture(family)
        let four = try fixture.sequences()
        let sequences = four + four.map { Array($0.reversed()) }
        let together = try Self.gradient(fixture, sequences, weight: 0.1).1
        let sum = Parameters(fixture.parameters.layout)
        for sequence in sequences {
            let one = try Self.gradient(fixture, [sequence], weight: 0.1).1
            pawl_add(fixture.pool.handle, sum.buffer.pointer, one.buffer.pointer, sum.buffer.count)
        }
        #expect(relativeError(together.buffer.values, sum.buffer.values.map(Double.init)) < 1e-5)
    }

    @Test("A shared prefix changes nothing", arguments: ModelFixture.families)
    func prefix(family: String) throws {
        let fixture = try ModelFixture(family)
        let beginning = try fixture.tokens("sequence.0")
        let rest = try [fixture.tokens("sequence.1"), fixture.tokens("sequence.2")]
        let whole = try fixture.transformer.forward(SequenceBatch(rest.map { beginning + $0 }))
        let shared = try fixture.transformer.forward(
            SequenceBatch(rest), prefix: try fixture.transformer.prefix(beginning))
        let d = fixture.configuration.hiddenSize
        var (row, place) = (0, beginning.count)
        for sequence in rest {
            let ours = UnsafeBufferPointer(start: shared.pointer + row * d, count: sequence.count * d)
            let expected = UnsafeBufferPointer(start: whole.pointer + place * d, count: sequence.count * d)
            #expect(relativeError(ours, expected.map(Double.init)) < 1e-5)
            row += sequence.count
            place += sequence.count + beginning.count
        }
    }

    @Test("Greedy answers are PyTorch's, however many run together", arguments: ModelFixture.families)
    func greedy(family: String) throws {
        let fixture = try ModelFixture(family)
        let requests = try fixture.sequences().map { Generator.Request(tokens: $0, name: "") }
        for width in [1, 3, 16] {
            let generator = Generator(fixture.transformer, .greedy, limit: 12, width: width)
            let answers = try generator.generate(requests, isFinished: { _, _ in false })
            for (index, answer) in answers.enumerated() {
                #expect(answer.tokens == (try fixture.tokens("greedy.\(index)")))
            }
        }
    }

    @Test("Continuations have PyTorch's log-likelihoods", arguments: ModelFixture.families)
    func scores(family: String) throws {
        let fixture = try ModelFixture(family)
        let sequences = try fixture.sequences().dropLast()
        let requests = sequences.map {
            Scorer.Request(context: Array($0.prefix(2)), continuation: Array($0.dropFirst(2)))
        }
        for size in [1, 2048] {
            let scores = try Scorer(fixture.transformer, tokensPerBatch: size).score(requests)
            for (index, score) in scores.enumerated() {
                #expect(abs(score - (try fixture.number("score.\(index)"))) < 1e-3 * abs(score))
            }
        }
    }

    @Test("What a sequence draws depends on its name alone")
    func sampling() throws {
        let fixture = try ModelFixture("llama")
        let requests = try fixture.sequences().map { Generator.Request(tokens: $0, name: "7/\($0.count)") }
        func answers(_ width: Int, _ chosen: [Generator.Request]) throws -> [[Int32]] {
            try Generator(fixture.transformer, Sampling(), limit: 20, width: width)
                .generate(chosen, isFinished: { _, tokens in tokens.last == 2 }).map(\.tokens)
        }
        let all = try answers(4, requests)
        #expect(try answers(1, requests.reversed()) == all.reversed())
        #expect(all.contains { $0.count == 20 })
        let other = requests.map { Generator.Request(tokens: $0.tokens, name: "8/" + $0.name) }
        #expect(try answers(4, other) != all)
    }

    @Test("Unchanged weights are written as the same bytes", arguments: ModelFixture.families)
    func writing(family: String) throws {
        let fixture = try ModelFixture(family)
        try withScratch { scratch in
            let output = scratch.appending(path: "copy")
            try ModelWriter.write(fixture.parameters, like: fixture.directory, to: output, pool: fixture.pool)
            for name in ["model.safetensors", "config.json"] {
                let (old, new) = (fixture.directory.appending(path: name), output.appending(path: name))
                #expect(try Files.read(old) == Files.read(new))
            }
        }
    }
}
