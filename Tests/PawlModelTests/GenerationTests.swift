import CKernels
import Foundation
import PawlCore
import Testing

@testable import PawlModel

@Suite("Generation and scoring")
struct GenerationTests {
    /// Draws of one row of logits, counted by token.
    private static func draws(_ sampling: Sampling, _ logits: [Float], count: Int) throws -> [Int: Int] {
        let pool = try ComputePool(threads: 1)
        var result: [Int: Int] = [:]
        let row = FloatBuffer(logits.count)
        for draw in 0..<count {
            _ = row.values.update(from: logits)
            var random = [NamedRandom("draw \(draw)")]
            let choice = try sampling.choose(row, logits.count, &random, pool)
            result[Int(choice[0].token), default: 0] += 1
        }
        return result
    }

    /// log(1 ... 6): the probabilities are 1/21 ... 6/21.
    private static let logits = (1...6).map { log(Float($0)) }

    @Test("Draws follow the probabilities, at any temperature", arguments: [1.0, 0.5])
    func frequencies(temperature: Double) throws {
        let counts = try Self.draws(Sampling(temperature: temperature), Self.logits, count: 4000)
        let weights = (1...6).map { pow(Double($0), 1 / temperature) }
        let total = weights.reduce(0, +)
        for token in 0..<6 {
            let share = weights[token] / total
            let deviation = (share * (1 - share) * 4000).squareRoot()
            let difference = Double(counts[token] ?? 0) - share * 4000
            #expect(abs(difference) < 4.5 * deviation, "token \(token)")
        }
    }

    @Test("Top-k and top-p leave the likeliest, in their proportions")
    func cuts() throws {
        let topK = try Self.draws(Sampling(topK: 2), Self.logits, count: 2000)
        #expect(topK.keys.sorted() == [4, 5])
        #expect((991...1191).contains(topK[5] ?? 0))  // 2000 * 6/11 is 1091
        // 6/21 + 5/21 is 0.524, with 4/21 0.714.
        #expect(try Self.draws(Sampling(topP: 0.52), Self.logits, count: 300).keys.sorted() == [4, 5])
        #expect(try Self.draws(Sampling(topP: 0.53), Self.logits, count: 300).keys.sorted() == [3, 4, 5])
        // Of the two, 6/11 is 0.545.
        #expect(try Self.draws(Sampling(topP: 0.54, topK: 2), Self.logits, count: 300).keys.sorted() == [5])
        #expect(try Self.draws(Sampling(topP: 1e-9), Self.logits, count: 50).keys.sorted() == [5])
    }

    @Test("Top-p finds its tokens among many equal ones")
    func manyEqual() throws {
        let counts = try Self.draws(Sampling(topP: 0.9), [Float](repeating: 0, count: 1000), count: 3000)
        #expect((counts.keys.max() ?? 0) < 901)
        #expect(counts.count > 800)
    }

    @Test("The likelihood of a draw is the model's, whatever was cut off")
    func likelihood() throws {
        let fixture = try ModelFixture("qwen2")
        let request = Generator.Request(tokens: try fixture.tokens("sequence.2"), name: "3")
        let sampling = Sampling(temperature: 1, topP: 0.9, topK: 20)
        let answer = try Generator(fixture.transformer, sampling, limit: 15, width: 1)
            .generate([request], isFinished: { _, _ in false })[0]
        let scored = Scorer.Request(context: request.tokens, continuation: answer.tokens)
        let score = try Scorer(fixture.transformer).score([scored])[0]
        #expect(abs(score - answer.logLikelihood) < 1e-4 * abs(score))
    }

    @Test("Behind a shared prefix the same tokens are drawn", arguments: ModelFixture.families)
    func sharedPrefix(family: String) throws {
        let fixture = try ModelFixture(family)
        let beginning = try fixture.tokens("sequence.0")
        let rest: [[Int32]] = [[9, 10], [11], [12, 13, 14], [15]]
        func answers(_ prompts: [[Int32]], _ prefix: Prefix?) throws -> [[Int32]] {
            try Generator(fixture.transformer, Sampling(), limit: 10, width: 3, prefix: prefix).generate(
                prompts.enumerated().map { .init(tokens: $1, name: "\($0)") },
                isFinished: { _, tokens in tokens.last == 2 }
            ).map(\.tokens)
        }
        let whole = try answers(rest.map { beginning + $0 }, nil)
        #expect(try answers(rest, fixture.transformer.prefix(beginning)) == whole)
    }

    @Test(
        "A context that continuations share gives the scores of each alone", arguments: ModelFixture.families)
    func sharedContext(family: String) throws {
        let fixture = try ModelFixture(family)
        let context = Array(try fixture.tokens("long.tokens").prefix(40))
        let other = try fixture.tokens("sequence.1")
        let requests =
            [[7], [8, 9], [10, 11, 12], [13]].map {
                Scorer.Request(context: context, continuation: $0)
            } + [Scorer.Request(context: other, continuation: [7, 8])]
        var done = 0
        let together = try Scorer(fixture.transformer).score(requests) { done = $0 }
        #expect(done == 5)
        for (request, score) in zip(requests, together) {
            let alone = try Scorer(fixture.transformer).score([request])[0]
            #expect(abs(score - alone) < 1e-5 * abs(alone))
        }
    }

    @Test("What cannot be run is refused before any work")
    func refusals() throws {
        let fixture = try ModelFixture("llama")
        let model = fixture.transformer
        func refuse(_ words: String, _ body: () throws -> Void) {
            let error = #expect(throws: PawlError.self) { try body() }
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
        func generate(_ tokens: [Int32], _ sampling: Sampling = .greedy, limit: Int = 4) throws {
            _ = try Generator(model, sampling, limit: limit, width: 2)
                .generate(
                    [.init(tokens: [5], name: ""), .init(tokens: tokens, name: "")],
                    isFinished: { _, _ in false })
        }
        refuse("prompt 2 of 2 has no tokens") { try generate([]) }
        refuse("259 tokens is longer than the 256") { try generate([Int32](repeating: 5, count: 256)) }
        refuse("a token lies outside") { try generate([96]) }
        refuse("a token lies outside") { try generate([-1]) }
        refuse("temperature") { try generate([5], Sampling(temperature: -1)) }
        refuse("top_p") { try generate([5], Sampling(topP: 0)) }
        refuse("top_k") { try generate([5], Sampling(topK: -1)) }
        refuse("its context has no tokens") {
            _ = try Scorer(model).score([.init(context: [], continuation: [5])])
        }
        refuse("its continuation has no tokens") {
            _ = try Scorer(model).score([.init(context: [5], continuation: [])])
        }
        refuse("longer than the 256") {
            _ = try model.forward(SequenceBatch([[Int32](repeating: 5, count: 257)]))
        }
        try generate([Int32](repeating: 5, count: 253))
    }

    @Test("Logits that are no numbers end the generation", arguments: [0.0, 1.0])
    func notANumber(temperature: Double) throws {
        let fixture = try ModelFixture("llama")
        let norm = fixture.parameters.layout.finalNorm
        fixture.parameters.at(norm)[3] = .nan
        let generator = Generator(fixture.transformer, Sampling(temperature: temperature), limit: 2, width: 1)
        let error = #expect(throws: PawlError.self) {
            try generator.generate([.init(tokens: [5], name: "")], isFinished: { _, _ in false })
        }
        #expect(error?.message.contains("not finite") == true)
    }
}
