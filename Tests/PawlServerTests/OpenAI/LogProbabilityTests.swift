import Foundation
import PawlCore
import PawlModel
import PawlWorkflow
import Testing

@testable import PawlServer

@Suite("Log-probabilities")
struct LogProbabilityTests {
    private let server: OpenAI
    private let expected: Expected

    init() throws {
        server = try ModelWorld.shared.get().server()
        expected = try Expected()
    }

    /// What lm-eval's local-completions sends to score a continuation.
    private static func scoring(_ prompts: [[Int32]], top: Int = 1) -> JSONValue {
        [
            "model": "main", "prompt": .array(prompts.map { .array($0.map { .int(Int64($0)) }) }),
            "temperature": 0, "max_tokens": 1, "logprobs": .int(Int64(top)), "seed": 1234, "echo": true,
        ]
    }

    /// What the client makes of a choice: the sum over the continuation, and whether each token was the likeliest.
    private static func read(_ choice: JSONValue, context: Int) throws -> (sum: Double, isGreedy: Bool) {
        let numbers = try #require(choice["logprobs"]?["token_logprobs"]?.array)
        let top = try #require(choice["logprobs"]?["top_logprobs"]?.array)
        let range = context..<numbers.count - 1
        let isGreedy = try range.allSatisfy { place in
            try #require(top[place].object).values.compactMap(\.double).max() == numbers[place].double
        }
        return (range.reduce(0) { $0 + (numbers[$1].double ?? .nan) }, isGreedy)
    }

    @Test("A scored prompt gives each token's, null for the first, and exactly one token more")
    func scoring() async throws {
        let context = expected.chat.rawTokens("family: probe\nsay: one")
        let greedy = try expected.tokens(context, limit: 6)
        let other = expected.chat.textTokens(" two")
        // A context that the model would end at once: the end, too, is one token more.
        let prompts = [context + greedy, context + other, Array(context.prefix(1))]
        let (status, body) = try await server.ask("v1/completions", Self.scoring(prompts))
        #expect(status == 200)
        for (prompt, choice) in zip(prompts, body.choices) {
            let scores = choice["logprobs"]
            for name in ["tokens", "token_logprobs", "top_logprobs", "text_offset"] {
                #expect(scores?[name]?.array?.count == prompt.count + 1, "\(name)")
            }
            #expect(scores?["token_logprobs"]?.array?.first == .null)
            #expect(scores?["top_logprobs"]?.array?.first == .null)
        }
        let results = try body.choices.prefix(2).map { try Self.read($0, context: context.count) }
        let sums = try Scorer(expected.decoder).score(
            [greedy, other].map { .init(context: context, continuation: $0) })
        for (result, sum) in zip(results, sums) { #expect(abs(result.sum - sum) < 1e-5 * abs(sum)) }
        #expect(results.map(\.isGreedy) == [true, false])
    }

    @Test("The end token counts as the one token more")
    func ended() async throws {
        let context = expected.chat.rawTokens("x")
        let next = try expected.tokens(context, limit: 1)[0]
        let ask = Self.scoring([context]).with(["stop_token_ids": [.int(Int64(next))]])
        let (_, body) = try await server.ask("v1/completions", ask)
        let choice = try #require(body.choices.first)
        #expect(choice["finish_reason"] == "stop" && choice["text"] == "x")
        #expect(choice["logprobs"]?["token_logprobs"]?.array?.count == context.count + 1)
    }

    @Test(
        "Each place tells as many likeliest tokens as were asked for, and the token itself",
        arguments: [0, 1, 5])
    func top(count: Int) async throws {
        let prompt = expected.chat.rawTokens("family: probe")
        let (_, body) = try await server.ask("v1/completions", Self.scoring([prompt], top: count))
        let scores = try #require(body.choices.first?["logprobs"])
        let names = try #require(scores["tokens"]?.array)
        let numbers = try #require(scores["token_logprobs"]?.array)
        let top = try #require(scores["top_logprobs"]?.array)
        for place in 1..<numbers.count {
            let likeliest = try #require(top[place].object)
            #expect((max(count, 1)...count + 1).contains(likeliest.count))
            #expect(likeliest[try #require(names[place].string)] == numbers[place])
        }
    }

    @Test("Offsets are where tokens begin in the text")
    func offsets() async throws {
        let text = "Größe é: one two"
        let (_, body) = try await server.ask(
            "v1/completions",
            [
                "model": "main", "prompt": .string(text), "max_tokens": 0, "logprobs": 0, "echo": true,
                "temperature": 0,
            ])
        let choice = try #require(body.choices.first)
        let offsets = try #require(choice["logprobs"]?["text_offset"]?.ints)
        let names = try #require(choice["logprobs"]?["tokens"]?.strings)
        let scalars = Array(try #require(choice["text"]?.string).unicodeScalars)
        #expect(offsets == offsets.sorted())
        for (offset, name) in zip(offsets, names) where !name.hasPrefix("bytes:") && !name.contains("<|") {
            let found = scalars.dropFirst(offset).prefix(name.unicodeScalars.count)
            #expect(Array(found) == Array(name.unicodeScalars))
        }
    }

    @Test("Tokens that are no whole characters are named by their bytes, and equal texts apart")
    func names() throws {
        let tokenizer = expected.chat.tokenizer
        let names = TokenText(tokenizer: tokenizer)
        let bytes = expected.chat.textTokens("é")
        #expect(bytes.count == 2)
        #expect(bytes.map(names.name) == ["bytes:\\xc3", "bytes:\\xa9"])
        #expect(names.name(tokenizer.token("<|im_end|>") ?? -1) == "<|im_end|>")
        // Ids that no token has all have the empty text.
        let (first, second) = (Int32(400), Int32(401))
        #expect(names.name(first) == "" && names.name(second) == "")
        let token = ScoredToken(
            token: second, logProbability: -3, top: [.init(token: first, logProbability: -1)])
        #expect(names.likeliest(token) == ["": -1, "token_id:401": -3])
    }

    @Test("A chat's log-probabilities are those of the text's tokens")
    func chat() async throws {
        let messages = [ChatMessage(role: "user", content: "family: probe\nsay: one")]
        let tokens = try expected.tokens(expected.chat.promptTokens(messages), limit: 8)
        let ask: JSONValue = [
            "model": "main", "messages": [["role": "user", "content": "family: probe\nsay: one"]],
            "temperature": 0,
            "max_tokens": 8, "logprobs": true, "top_logprobs": 3,
        ]
        let (_, body) = try await server.ask("v1/chat/completions", ask)
        let content = try #require(body.choices.first?["logprobs"]?["content"]?.array)
        let text = tokens.filter { !expected.chat.endTokens.contains($0) }
        #expect(content.count == text.count)
        for (token, entry) in zip(text, content) {
            let bytes = try #require(expected.chat.tokenizer.bytes(of: token))
            #expect(entry["bytes"]?.ints == bytes.map(Int.init))
            let top = try #require(entry["top_logprobs"]?.array)
            #expect(top.count == 3 && top.first?["logprob"] == entry["logprob"])
            #expect(top.first?["token"] == entry["token"])
        }
        let chunks = try await server.stream("v1/chat/completions", ask.with(["stream": true]))
        let streamed = chunks.flatMap { $0.choices.first?["logprobs"]?["content"]?.array ?? [] }
        #expect(streamed == content)
    }
}
