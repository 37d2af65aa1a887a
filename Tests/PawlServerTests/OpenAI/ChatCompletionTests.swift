import Foundation
import PawlCore
import PawlModel
import PawlWorkflow
import Testing

@testable import PawlServer

@Suite("POST /v1/chat/completions")
struct ChatCompletionTests {
    private let world: ModelWorld
    private let server: OpenAI
    private let expected: Expected
    private static let text = "family: probe\nsay: one"

    init() throws {
        world = try ModelWorld.shared.get()
        server = try world.server()
        expected = try Expected()
    }

    private static func ask(_ more: [String: JSONValue] = [:]) -> JSONValue {
        JSONValue.object([
            "model": "main", "messages": [["role": "user", "content": .string(text)]], "temperature": 0,
        ]).with(more)
    }

    private func prompt(_ messages: [ChatMessage] = [ChatMessage(role: "user", content: text)]) throws
        -> [Int32]
    {
        try expected.chat.promptTokens(messages)
    }

    @Test("The answer is the engine's to the model's own template")
    func greedy() async throws {
        let (status, body) = try await server.ask("v1/chat/completions", Self.ask(["max_tokens": 20]))
        #expect(status == 200)
        let choice = try #require(body.choices.first)
        #expect(choice["message"]?["role"] == "assistant")
        #expect(choice["message"]?["content"]?.string == (try expected.text(prompt(), limit: 20)))
        #expect(choice["logprobs"] == .null)
        #expect(body["object"] == "chat.completion")
        #expect(body["usage"]?["prompt_tokens"]?.int == (try prompt().count))
    }

    @Test("Contents may be lists of texts; max_completion_tokens counts before max_tokens")
    func parts() async throws {
        let content: JSONValue = [
            ["type": "text", "text": "family: probe\n"], ["type": "text", "text": "say: one"],
        ]
        let (_, body) = try await server.ask(
            "v1/chat/completions",
            Self.ask([
                "messages": [["role": "user", "content": content]], "max_completion_tokens": 5,
                "max_tokens": 9,
            ]))
        #expect(
            body.choices.first?["message"]?["content"]?.string == (try expected.text(prompt(), limit: 5)))
        #expect(body["usage"]?["completion_tokens"]?.int == (try expected.tokens(prompt(), limit: 5).count))
    }

    @Test("A system turn and earlier turns are read")
    func turns() async throws {
        let turns = [("system", "be brief"), ("user", "one"), ("assistant", "two"), ("user", "three")]
        let messages = turns.map { ChatMessage(role: $0, content: $1) }
        let asked = turns.map { JSONValue.object(["role": .string($0), "content": .string($1)]) }
        let (_, body) = try await server.ask(
            "v1/chat/completions", Self.ask(["messages": .array(asked), "max_tokens": 7]))
        #expect(
            body.choices.first?["message"]?["content"]?.string
                == (try expected.text(prompt(messages), limit: 7)))
    }

    @Test("A streamed answer is the whole one in parts")
    func streaming() async throws {
        let ask = Self.ask(["max_tokens": 15, "n": 2, "temperature": 1, "seed": 3])
        let (_, whole) = try await server.ask("v1/chat/completions", ask)
        let chunks = try await server.stream(
            "v1/chat/completions", ask.with(["stream": true, "stream_options": ["include_usage": true]]))
        #expect(chunks.allSatisfy { $0["object"] == "chat.completion.chunk" })
        #expect(chunks.last?.choices == [] && chunks.last?["usage"] == whole["usage"])
        for choice in whole.choices {
            let parts = chunks.flatMap(\.choices).filter { $0["index"] == choice["index"] }
            #expect(parts.first?["delta"] == ["role": "assistant", "content": ""])
            #expect(parts.dropFirst().allSatisfy { $0["delta"]?["role"] == nil })
            #expect(
                parts.map { $0["delta"]?["content"]?.string ?? "" }.joined()
                    == choice["message"]?["content"]?.string)
            #expect(parts.last?["delta"] == [:])
            #expect(parts.last?["finish_reason"] == choice["finish_reason"])
        }
    }

    @Test("Without a length an answer has as many tokens as the server gives")
    func standardLength() async throws {
        let server = try world.server { $0.answer = 3 }
        let (_, body) = try await server.ask("v1/chat/completions", Self.ask())
        #expect(body["usage"]?["completion_tokens"]?.int == (try expected.tokens(prompt(), limit: 3).count))
    }
}
