import Foundation
import PawlCore
import Testing

@testable import PawlModel

/// Keeps what a sequence gets.
private final class Recorder: ContinuousBatch.Listener {
    var prompt: [ScoredToken] = []
    var tokens: [ScoredToken] = []
    var failure: (any Error)?
    var isEnded = false
    var isGone = false
    /// The token that ends the answer.
    var end: Int32?

    func take(prompt: [ScoredToken]) { self.prompt = prompt }

    func take(_ token: ScoredToken) -> Bool {
        tokens.append(token)
        return token.token != end
    }

    func end(_ failure: (any Error)?) {
        isEnded = true
        self.failure = failure
    }

    var ids: [Int32] { tokens.map(\.token) }
}

@Suite("A continuous batch")
struct ContinuousBatchTests {
    private typealias Request = ContinuousBatch.Request

    private static func request(
        _ tokens: [Int32], _ sampling: Sampling = .greedy, limit: Int = 12, name: String = "1/generate",
        top: Int? = nil, scoresPrompt: Bool = false
    ) -> ContinuousBatch.Request {
        Request(
            tokens: tokens, name: name, sampling: sampling, limit: limit, topCount: top,
            scoresPrompt: scoresPrompt)
    }

    /// Runs requests, each joining after so many steps, until all have left.
    private static func run(
        _ decoder: Transformer, _ requests: [Request], joining: [Int], width: Int = 8, end: Int32? = nil
    ) throws -> [Recorder] {
        let batch = try ContinuousBatch(decoder, width: width)
        let recorders = requests.map { _ in Recorder() }
        for recorder in recorders { recorder.end = end }
        var waiting = requests.indices.sorted { (joining[$0], $0) < (joining[$1], $1) }
        var step = 0
        while !waiting.isEmpty || batch.count > 0 {
            let ready = waiting.filter { joining[$0] <= step }
            let count = batch.together(ready.map { requests[$0].tokens.count })
            batch.join(ready.prefix(count).map { (requests[$0], recorders[$0]) })
            waiting.removeAll { ready.prefix(count).contains($0) }
            batch.step()
            step += 1
        }
        return recorders
    }

    @Test("Greedy answers are the Generator's whoever else runs", arguments: ModelFixture.families)
    func greedy(family: String) throws {
        let fixture = try ModelFixture(family)
        let requests = try fixture.sequences().map { Self.request($0) }
        for (width, joining) in [
            (8, [0, 0, 0, 0]), (2, [0, 3, 1, 5]), (8, [9, 0, 4, 4]), (1, [0, 0, 0, 0]),
        ] {
            let answers = try Self.run(fixture.transformer, requests, joining: joining, width: width)
            for (index, answer) in answers.enumerated() {
                #expect(answer.ids == (try fixture.tokens("greedy.\(index)")), "\(width) \(joining)")
                #expect(answer.isEnded && answer.failure == nil)
            }
        }
    }

    @Test(
        "Draws, and every digit of every log-probability, are the same joining midway as alone",
        arguments: ModelFixture.families)
    func same(family: String) throws {
        let fixture = try ModelFixture(family)
        // One prompt has more tokens than products of few rows take.
        let long = Array(try fixture.tokens("long.tokens").prefix(90))
        let prompts = try fixture.sequences() + [long]
        let settings: [Sampling] = [
            .greedy, Sampling(), Sampling(temperature: 0.7, topP: 0.8), Sampling(temperature: 1.3, topK: 7),
            Sampling(),
        ]
        let requests = prompts.indices.map {
            Self.request(
                prompts[$0], settings[$0], limit: 9 + $0, name: "\($0)", top: $0 % 3, scoresPrompt: $0 > 1)
        }
        let alone = try requests.map { try Self.run(fixture.transformer, [$0], joining: [0])[0] }
        let together = try Self.run(fixture.transformer, requests, joining: [2, 0, 5, 3, 1])
        for (one, other) in zip(alone, together) {
            #expect(one.tokens == other.tokens)
            #expect(one.prompt == other.prompt)
        }
        for (index, answer) in alone.enumerated() {
            let generator = Generator(
                fixture.transformer, settings[index], limit: 9 + index, width: 1)
            let expected = try generator.generate(
                [.init(tokens: prompts[index], name: "\(index)")], isFinished: { _, _ in false })
            #expect(answer.ids == expected[0].tokens)
        }
    }

    @Test("A prompt's scores are the Scorer's", arguments: ModelFixture.families)
    func promptScores(family: String) throws {
        let fixture = try ModelFixture(family)
        let tokens = Array(try fixture.tokens("long.tokens").prefix(100))
        let request = Self.request(tokens, limit: 1, top: 3, scoresPrompt: true)
        let answer = try Self.run(fixture.transformer, [request], joining: [0])[0]
        #expect(answer.prompt.map(\.token) == tokens)
        #expect(answer.prompt[0].logProbability == nil && answer.prompt[0].top.isEmpty)
        #expect(answer.tokens.count == 1)
        let sum = answer.prompt.dropFirst(7).reduce(0.0) { $0 + Double($1.logProbability ?? .nan) }
        let score = try Scorer(fixture.transformer).score([
            .init(context: Array(tokens.prefix(7)), continuation: Array(tokens.dropFirst(7)))
        ])[0]
        #expect(abs(sum - score) < 1e-5 * abs(score))
        for token in answer.prompt.dropFirst() {
            let numbers = token.top.map(\.logProbability)
            #expect(numbers == numbers.sorted(by: >) && numbers.count == 3)
            let own = token.top.first { $0.token == token.token }
            #expect(own == nil || own?.logProbability == token.logProbability)
            #expect((token.logProbability ?? .nan) <= numbers[0])
        }
        // What greedy decoding draws is the likeliest token.
        let drawn = answer.tokens[0]
        #expect(drawn.top[0] == .init(token: drawn.token, logProbability: drawn.logProbability ?? .nan))
    }

    @Test("A prompt is scored without an answer")
    func onlyScored() throws {
        let fixture = try ModelFixture("llama")
        let tokens = try fixture.tokens("sequence.1")
        let request = Self.request(tokens, limit: 0, top: 0, scoresPrompt: true)
        let answer = try Self.run(fixture.transformer, [request], joining: [0])[0]
        #expect(answer.isEnded && answer.failure == nil && answer.tokens.isEmpty)
        #expect(answer.prompt.map(\.token) == tokens)
        #expect(answer.prompt.dropFirst().allSatisfy { $0.logProbability != nil && $0.top.isEmpty })
    }

    @Test("A sequence ends where its listener says, or leaves when nobody waits for it")
    func leaving() throws {
        let fixture = try ModelFixture("llama")
        let sequences = try fixture.sequences()
        let expected = try fixture.tokens("greedy.0")
        let end = expected[4]
        let answer = try Self.run(
            fixture.transformer, [Self.request(sequences[0])], joining: [0], end: end)[0]
        #expect(answer.ids == Array(expected.prefix(through: expected.firstIndex(of: end) ?? 0)))

        let batch = try ContinuousBatch(fixture.transformer, width: 4)
        let (gone, stays) = (Recorder(), Recorder())
        batch.join([(Self.request(sequences[0]), gone), (Self.request(sequences[1]), stays)])
        batch.step()
        gone.isGone = true
        batch.step()
        #expect(gone.isEnded && gone.tokens.count == 2 && batch.count == 1)
        while batch.count > 0 { batch.step() }
        #expect(stays.ids == (try fixture.tokens("greedy.1")))
    }

    @Test("What cannot be run is refused, and those beside it go on")
    func refusals() throws {
        let fixture = try ModelFixture("llama")
        let batch = try ContinuousBatch(fixture.transformer, width: 4)
        let good = Recorder()
        batch.join([(Self.request(try fixture.sequences()[0]), good)])
        for (tokens, limit, sampling, words) in [
            ([], 4, .greedy, "no tokens"), ([96], 4, .greedy, "token 96 lies outside"),
            ([-1], 4, .greedy, "token -1 lies outside"),
            ([Int32](repeating: 5, count: 250), 20, .greedy, "269 tokens is longer than the 256"),
            ([5], 4, Sampling(temperature: -1), "temperature"), ([5], -1, .greedy, "-1 tokens"),
        ] as [([Int32], Int, Sampling, String)] {
            let bad = Recorder()
            batch.join([(Self.request(tokens, sampling, limit: limit), bad)])
            #expect("\(bad.failure ?? CancellationError())".contains(words))
        }
        while batch.count > 0 { batch.step() }
        #expect(good.ids == (try fixture.tokens("greedy.0")))
        #expect(throws: PawlError.self) { try ContinuousBatch(fixture.transformer, width: 65) }
        #expect(throws: PawlError.self) { try ContinuousBatch(fixture.transformer, width: 0) }
        #expect(throws: PawlError.self) { try ContinuousBatch(fixture.decoder(.bf16), width: 17) }
    }

    @Test("Prompts that are long go through the model one by one")
    func together() throws {
        let fixture = try ModelFixture("llama")
        let batch = try ContinuousBatch(fixture.transformer, width: 3)
        #expect(batch.together([30, 30, 4]) == 3)
        #expect(batch.together([30, 30, 5]) == 2)
        #expect(batch.together([100, 1]) == 1)
        #expect(batch.together([1, 1, 1, 1]) == 3)
        #expect(batch.together([]) == 0)
    }

    @Test("Damaged weights fail the sequences that meet them")
    func notANumber() throws {
        let fixture = try ModelFixture("llama")
        let batch = try ContinuousBatch(fixture.transformer, width: 2)
        let (first, second) = (Recorder(), Recorder())
        batch.join([(Self.request([5], limit: 9), first)])
        fixture.parameters.at(fixture.parameters.layout.finalNorm)[3] = .nan
        batch.step()
        #expect("\(first.failure ?? CancellationError())".contains("not finite"))
        batch.join([(Self.request([5], Sampling(), limit: 9), second)])
        #expect("\(second.failure ?? CancellationError())".contains("not finite"))
        #expect(batch.count == 0)
    }
}
