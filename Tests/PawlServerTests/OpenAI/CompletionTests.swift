import Foundation
import PawlCore
import PawlModel
import PawlWorkflow
import Testing

@testable import PawlServer

@Suite("POST /v1/completions")
struct CompletionTests {
    private let world: ModelWorld
    private let server: OpenAI
    private let expected: Expected
    private static let prompt = "family: probe\nsay: one"

    init() throws {
        world = try ModelWorld.shared.get()
        server = try world.server()
        expected = try Expected()
    }

    private static func ask(_ more: [String: JSONValue] = [:]) -> JSONValue {
        JSONValue.object(["model": "main", "prompt": .string(prompt), "temperature": 0]).with(more)
    }

    private func prompt(_ text: String = prompt) -> [Int32] { expected.chat.rawTokens(text) }

    @Test("A greedy answer is the engine's")
    func greedy() async throws {
        let (status, body) = try await server.ask("v1/completions", Self.ask(["max_tokens": 24]))
        #expect(status == 200)
        let tokens = try expected.tokens(prompt(), limit: 24)
        let choice = try #require(body.choices.first)
        #expect(choice["text"]?.string == expected.chat.text(tokens))
        #expect(choice["index"] == 0 && choice["logprobs"] == .null)
        let isEnded = expected.chat.endTokens.contains(tokens.last ?? -1)
        #expect(choice["finish_reason"]?.string == (isEnded ? "stop" : "length"))
        #expect(body["object"] == "text_completion" && body["model"] == "main")
        #expect(body["system_fingerprint"]?.string == "pawl-\(world.base.short)")
        #expect(body["id"]?.string?.hasPrefix("cmpl-") == true && body["created"]?.int != nil)
        let usage = body["usage"]
        #expect(usage?["prompt_tokens"]?.int == prompt().count)
        #expect(usage?["completion_tokens"]?.int == tokens.count)
        #expect(usage?["total_tokens"]?.int == prompt().count + tokens.count)
    }

    @Test("Without max_tokens an answer has at most 16")
    func standardLength() async throws {
        #expect(try await server.complete(Self.ask()) == expected.text(prompt(), limit: 16))
    }

    @Test("Prompts may be texts, tokens, or lists of either; each is answered as alone")
    func prompts() async throws {
        let texts = [Self.prompt, "two", "a longer text, with more words than the others"]
        let answers = try texts.map { try expected.text(prompt($0), limit: 9) }
        let lists = texts.map { JSONValue.array(prompt($0).map { .int(Int64($0)) }) }
        for prompts in [texts.map { .string($0) }, lists, [.string(texts[0]), lists[1], .string(texts[2])]] {
            let (_, body) = try await server.ask(
                "v1/completions", Self.ask(["prompt": .array(prompts), "max_tokens": 9]))
            #expect(body.choices.map { $0["index"]?.int } == [0, 1, 2])
            #expect(body.choices.map { $0["text"]?.string } == answers)
            let count = texts.reduce(0) { $0 + prompt($1).count }
            #expect(body["usage"]?["prompt_tokens"]?.int == count)
        }
        #expect(try await server.complete(Self.ask(["prompt": lists[1], "max_tokens": 9])) == answers[1])
    }

    @Test("A seed decides what is drawn, and each choice draws for itself")
    func seeds() async throws {
        let ask = Self.ask(["temperature": 1.5, "seed": 7, "n": 3, "max_tokens": 12])
        let (_, body) = try await server.ask("v1/completions", ask)
        let texts = body.choices.map { $0["text"]?.string }
        let sampling = Sampling(temperature: 1.5)
        let names = ["7/generate", "7/generate/1", "7/generate/2"]
        let drawn = try names.map { try expected.text(prompt(), sampling, limit: 12, name: $0) }
        #expect(texts == drawn)
        #expect(Set(texts).count == 3)
        #expect(try await server.ask("v1/completions", ask).body.choices == body.choices)
        let other = try await server.ask("v1/completions", ask.with(["seed": 8]))
        #expect(other.body.choices != body.choices)
        // Without a seed, answers differ.
        let free = JSONValue.object(["model": "main", "prompt": "x", "max_tokens": 12, "temperature": 2])
        let one = try await server.complete(free)
        #expect(try await server.complete(free) != one)
    }

    @Test("top_p and top_k cut, as the engine does")
    func cuts() async throws {
        for (fields, sampling) in [
            (["top_p": 0.3], Sampling(topP: 0.3)), (["top_k": 3], Sampling(topK: 3)),
            (["top_k": -1], Sampling()),
            (["temperature": 0.5, "top_p": 0.9], Sampling(temperature: 0.5, topP: 0.9)),
        ] as [([String: JSONValue], Sampling)] {
            let ask = Self.ask(["temperature": 1, "seed": 3, "max_tokens": 10]).with(fields)
            #expect(
                try await server.complete(ask)
                    == expected.text(prompt(), sampling, limit: 10, name: "3/generate"))
        }
    }

    @Test("Stop texts and stop tokens end an answer, and are no part of it")
    func stops() async throws {
        let tokens = try expected.tokens(prompt(), limit: 30)
        let text = expected.chat.text(tokens)
        let stop = String(text.unicodeScalars.dropFirst(6).prefix(2))
        let cut = String(text[..<(try #require(text.range(of: stop))).lowerBound])
        for value: JSONValue in [.string(stop), ["nothing like it", .string(stop)]] {
            let (_, body) = try await server.ask(
                "v1/completions", Self.ask(["max_tokens": 30, "stop": value]))
            #expect(body.choices.first?["text"]?.string == cut)
            #expect(body.choices.first?["finish_reason"] == "stop")
        }
        let end = tokens[3]
        let (_, body) = try await server.ask(
            "v1/completions", Self.ask(["max_tokens": 30, "stop_token_ids": [.int(Int64(end))]]))
        let first = tokens.firstIndex(of: end) ?? 0
        #expect(body.choices.first?["text"]?.string == expected.chat.text(Array(tokens[..<first])))
        #expect(body.choices.first?["finish_reason"] == "stop")
        #expect(body["usage"]?["completion_tokens"]?.int == first + 1)
    }

    @Test("echo puts the prompt before the answer")
    func echo() async throws {
        let answer = try expected.text(prompt(), limit: 5)
        let ask = Self.ask(["max_tokens": 5, "echo": true])
        #expect(try await server.complete(ask) == Self.prompt + answer)
        let tokens = JSONValue.array(prompt().map { .int(Int64($0)) })
        #expect(try await server.complete(ask.with(["prompt": tokens])) == Self.prompt + answer)
        #expect(try await server.complete(ask.with(["max_tokens": 0])) == Self.prompt)
        let chunks = try await server.stream("v1/completions", ask.with(["stream": true]))
        #expect(chunks.first?.choices.first?["text"]?.string == Self.prompt)
        #expect(chunks.map { $0.choices.first?["text"]?.string ?? "" }.joined() == Self.prompt + answer)
    }

    @Test("A streamed answer is the whole one in parts")
    func streaming() async throws {
        let ask = Self.ask([
            "max_tokens": 20, "n": 2, "seed": 5, "temperature": 1, "logprobs": 2, "echo": true,
        ])
        let (_, whole) = try await server.ask("v1/completions", ask)
        let chunks = try await server.stream(
            "v1/completions", ask.with(["stream": true, "stream_options": ["include_usage": true]]))
        #expect(chunks.count > 4)
        #expect(Set(chunks.map { $0["id"]?.string }).count == 1)
        #expect(chunks.last?.choices == [] && chunks.last?["usage"] == whole["usage"])
        for choice in whole.choices {
            let parts = chunks.flatMap(\.choices).filter { $0["index"] == choice["index"] }
            #expect(parts.map { $0["text"]?.string ?? "" }.joined() == choice["text"]?.string)
            #expect(parts.last?["finish_reason"] == choice["finish_reason"])
            #expect(parts.dropLast().allSatisfy { $0["finish_reason"] == .null })
            for name in ["tokens", "token_logprobs", "top_logprobs", "text_offset"] {
                #expect(
                    parts.flatMap { $0["logprobs"]?[name]?.array ?? [] } == choice["logprobs"]?[name]?.array)
            }
        }
        let plain = try await server.stream("v1/completions", Self.ask(["stream": true]))
        #expect(plain.allSatisfy { $0.choices.count == 1 && $0["usage"] == nil })
    }
}
