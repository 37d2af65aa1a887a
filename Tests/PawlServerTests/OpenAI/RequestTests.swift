import Foundation
import PawlCore
import PawlModel
import PawlWorkflow
import Testing

@testable import PawlServer

@Suite("Requests that cannot be answered, and many at once")
struct RequestTests {
    private let world: ModelWorld

    init() throws { world = try ModelWorld.shared.get() }

    /// A member, its value, and words of the message.
    private static let common: [(String, JSONValue, String)] = [
        ("model", .null, "is missing"), ("model", 3, "must be a string"),
        ("n", 0, "0 is not 1 to 128"), ("n", 129, "1 to 128"), ("n", 1.5, "must be an integer"),
        ("max_tokens", -1, "-1 is not 0"), ("max_tokens", "8", "must be an integer"),
        ("temperature", -0.5, "not 0 or more"), ("temperature", "hot", "must be a number"),
        ("top_p", 0, "not above 0"), ("top_p", 1.1, "at most 1"), ("top_k", -2, "-2 is not -1 or more"),
        ("seed", "x", "must be an integer"), ("stop", 3, "must be a string or a list"),
        ("stop", ["a", 3], "must be a string or a list"), ("stop", [""], "an empty text"),
        ("stop", "", "an empty text"), ("stop_token_ids", "x", "list of token ids"),
        ("stop_token_ids", [1.5], "must be an integer"), ("stream", "yes", "true or false"),
        ("stream_options", ["include_usage": true], "streamed"),
        ("frequency_penalty", 0.5, "not supported"), ("presence_penalty", -1, "not supported"),
        ("logit_bias", ["5": 1], "not supported"), ("min_p", 0.1, "not supported"),
        ("repetition_penalty", 1.1, "not supported"), ("ignore_eos", true, "not supported"),
    ]

    private static let completion: [(String, JSONValue, String)] = [
        ("prompt", .null, "is missing"), ("prompt", [], "must be a text"), ("prompt", 5, "must be a text"),
        ("prompt", "", "has no tokens"), ("prompt", ["x", 5], "its elements"),
        ("prompt", ["x", []], "its elements"),
        ("prompt", [5, "x"], "must be an integer"), ("prompt", [[5], [384]], "token 384 lies outside"),
        ("prompt", [-1], "token -1 lies outside"), ("prompt", [5_000_000_000], "32 bits"),
        ("logprobs", 21, "21 is not 0 to 20"), ("logprobs", true, "must be an integer"),
        ("echo", 1, "true or false"), ("suffix", "x", "not supported"), ("best_of", 2, "not supported"),
        ("add_special_tokens", "x", "true or false"),
    ]

    private static let chat: [(String, JSONValue, String)] = [
        ("messages", .null, "is missing"), ("messages", [], "at least one"),
        ("messages", "x", "at least one"),
        ("messages", [["content": "x"]], "messages[0]: must be an object with the string \"role\""),
        ("messages", [["role": "user", "content": 5]], "messages[0].content: must be a string"),
        ("messages", [["role": "user", "content": [["type": "image_url"]]]], "a part that is no text"),
        ("top_logprobs", 2, "needs logprobs"), ("top_logprobs", 21, "21 is not 0 to 20"),
        ("logprobs", 2, "true or false"), ("tools", [["type": "function"]], "not supported"),
        ("response_format", ["type": "json_object"], "not supported"),
        ("modalities", ["audio"], "not supported"),
        ("max_completion_tokens", -1, "-1 is not 0"), ("tool_choice", "required", "not supported"),
    ]

    @Test("What is wrong is named", arguments: [false, true])
    func refusals(isChat: Bool) async throws {
        let server = try world.server()
        let ask: JSONValue =
            isChat
            ? ["model": "main", "messages": [["role": "user", "content": "x"]]]
            : ["model": "main", "prompt": "x"]
        let path = isChat ? "v1/chat/completions" : "v1/completions"
        for (name, value, words) in Self.common + (isChat ? Self.chat : Self.completion) {
            let (status, body) = try await server.ask(path, ask.with([name: value]))
            let error = body["error"]
            #expect(status == 400, "\(name) \(value)")
            #expect(error?["message"]?.string?.contains(words) == true, "\(name) \(value): \(body)")
            #expect(error?["param"]?.string?.hasPrefix(name) == true, "\(name): \(body)")
            #expect(error?["type"] == "invalid_request_error")
        }
        #expect(server.serving.status.requests == 0)
    }

    @Test(
        "A body that is no JSON object is refused",
        arguments: ["", "{", "[]", "5", "{\"model\":1,\"model\":2}", "\u{0}"])
    func bodies(text: String) async throws {
        let server = try world.server()
        for path in [["v1", "completions"], ["v1", "chat", "completions"], ["tokenize"], ["detokenize"]] {
            let reply = try #require(try await server.reply(to: Call("POST", path, body: Array(text.utf8))))
            #expect(reply.status == 400)
        }
    }

    @Test("What asks for nothing, and what nobody knows, is ignored")
    func ignored() async throws {
        let server = try world.server()
        let more: [String: JSONValue] = [
            "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": [:], "user": "me", "suffix": .null,
            "best_of": 1, "store": true, "metadata": ["a": "b"], "nonesuch": [1, 2], "seed": .null,
            "stop": .null,
            "stream_options": .null, "min_p": 0, "repetition_penalty": 1, "stop_token_ids": [],
        ]
        let ask: JSONValue = ["model": "main", "prompt": "x", "temperature": 0]
        #expect(try await server.complete(ask.with(more)) == (try await server.complete(ask)))
        let chat: JSONValue = [
            "model": "main", "messages": [["role": "user", "content": "x"]], "max_tokens": 2,
        ]
        let nothing: [String: JSONValue] = [
            "tools": [], "tool_choice": "none", "response_format": ["type": "text"], "modalities": ["text"],
            "logprobs": false, "parallel_tool_calls": true,
        ]
        #expect(try await server.ask("v1/chat/completions", chat.with(nothing)).status == 200)
    }

    @Test("A text that does not fit the model, or the memory, is refused")
    func tooLong() async throws {
        let server = try world.server()
        let tokens = JSONValue.array([JSONValue](repeating: 5, count: 2000))
        let ask: JSONValue = ["model": "main", "prompt": tokens, "max_tokens": 50]
        let (status, body) = try await server.ask("v1/completions", ask)
        #expect(status == 400 && body["error"]?["code"] == "context_length_exceeded")
        #expect(body["error"]?["message"]?.string?.contains("takes 2048 tokens; prompt has 2000") == true)
        // The last token of an answer is not run.
        #expect(try await server.ask("v1/completions", ask.with(["max_tokens": 49])).status == 200)
        let small = try world.server { $0.cacheBytes = 1 << 20 }
        let (second, refusal) = try await small.ask("v1/completions", ask.with(["max_tokens": 49]))
        #expect(second == 400 && refusal["error"]?["message"]?.string?.contains("takes") == true)
        #expect(try await small.ask("v1/completions", ask.with(["max_tokens": 1])).status == 200)
        let many = try world.server { $0.waiting = 3 }
        #expect(
            try await many.ask("v1/completions", ["model": "main", "prompt": "x", "n": 4]).status == 400)
    }

    @Test("Whoever joins midway is answered as alone, whatever the others ask")
    func together() async throws {
        let server = try world.server { $0.width = 5 }
        var asks: [JSONValue] = []
        for index in 0..<24 {
            asks.append([
                "model": .string(index % 3 == 2 ? world.other.short : "main"),
                "prompt": .string(String(repeating: "word \(index) ", count: 1 + 7 * (index % 5))),
                "temperature": .double(Double(index % 4) / 2), "seed": .int(Int64(index)),
                "max_tokens": .int(Int64(3 + 5 * (index % 7))), "top_p": index % 2 == 0 ? 1 : 0.8,
                "logprobs": index % 4 == 0 ? 3 : .null, "echo": .bool(index % 8 == 0),
                "n": .int(Int64(1 + index % 2)),
            ])
        }
        var alone: [[JSONValue]] = []
        for ask in asks { alone.append(try await server.ask("v1/completions", ask).body.choices) }
        let chosen = asks
        let together = try await withThrowingTaskGroup(of: (Int, [JSONValue]).self) { group in
            for (index, ask) in chosen.enumerated() {
                group.addTask {
                    try await Task.sleep(for: .milliseconds(3 * index))
                    return (index, try await server.ask("v1/completions", ask).body.choices)
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for index in asks.indices { #expect(together[index] == alone[index], "\(index)") }
        #expect(server.serving.status.running == 0 && server.serving.status.cacheBytes == 0)
    }

    /// An answer that goes on for long.
    /// So many choices, one after the other where one runs at a time, that a machine full of work sees their end late.
    private static let choices = 64
    private static let long: JSONValue = [
        "model": "main", "prompt": "x", "max_tokens": 2000, "temperature": 1, "top_k": 1, "stream": true,
        "n": .int(Int64(choices)),
    ]

    /// Starts a long answer, and hands out its stream once it has begun.
    private func start(_ server: OpenAI) async throws -> AsyncThrowingStream<[UInt8], any Error> {
        let reply = try await server.reply("v1/completions", Self.long)
        guard case .stream(let stream) = reply.content else { throw PawlError(.internalError, "no stream") }
        return stream
    }

    /// Waits for something that must come.
    private func wait(_ isTrue: () -> Bool, _ place: SourceLocation = #_sourceLocation) async throws {
        for _ in 0..<2000 where !isTrue() { try await Task.sleep(for: .milliseconds(5)) }
        #expect(isTrue(), sourceLocation: place)
    }

    @Test("A full queue refuses, and takes again when there is room")
    func full() async throws {
        let server = try world.server {
            $0.width = 1
            $0.waiting = 40
        }
        let model = try await server.model("main")
        let many = AnswerRequest(prompts: [[5]], choices: 40, maxTokens: 200)
        let first = try server.serving.answer(many, with: model)
        // As many as may wait; asking for as many again finds no room until the last of them has begun.
        let ask: JSONValue = ["model": "main", "prompt": "x", "max_tokens": 1, "n": 40]
        let reply = try await server.reply("v1/completions", ask)
        #expect(reply.status == 429 && reply.headers.contains { $0 == ("retry-after", "1") })
        guard case .bytes(let bytes) = reply.content else { throw PawlError(.internalError, "a stream") }
        let error = try JSON.parse(bytes, source: "reply")["error"]
        #expect(error?["type"] == "rate_limit_error" && error?["code"] == "overloaded")
        #expect(server.serving.status.refused == 1)
        for try await _ in first {}
        #expect(try await server.ask("v1/completions", ask).status == 200)
    }

    @Test("Who stops reading ends the answering")
    func dropped() async throws {
        let server = try world.server { $0.width = 1 }
        do {
            let stream = try await start(server)
            var iterator = stream.makeAsyncIterator()
            #expect(try await iterator.next() != nil)
        }
        try await wait { server.serving.status.running == 0 && server.serving.status.waiting == 0 }
        #expect((1..<2000 * Self.choices).contains(server.serving.status.answerTokens))
        #expect(server.serving.status.cacheBytes == 0)
    }

    @Test("A request that is cancelled ends, waiting or running")
    func cancelled() async throws {
        let server = try world.server { $0.width = 1 }
        let asks = (0..<3).map { _ in
            Task { try await server.ask("v1/completions", Self.long.with(["stream": false])) }
        }
        try await wait {
            server.serving.status.running == 1 && server.serving.status.waiting > 2 * Self.choices
        }
        for ask in asks { ask.cancel() }
        for ask in asks {
            let (status, body) = try await ask.value
            #expect(status == 499 && body["error"]?["code"] == "cancelled")
        }
        try await wait { server.serving.status.running == 0 && server.serving.status.waiting == 0 }
        #expect(server.serving.status.answerTokens < 3 * 2000 * Self.choices)
    }

    @Test("A request of many prompts lets others in between")
    func fairness() async throws {
        let server = try world.server { $0.width = 1 }
        let model = try await server.model("main")
        let many = try server.serving.answer(
            .init(prompts: [[Int32]](repeating: [5], count: 400), maxTokens: 30), with: model)
        let one = try server.serving.answer(.init(prompts: [[5]], maxTokens: 1), with: model)
        for try await _ in one {}
        #expect(server.serving.status.waiting > 200)
        withExtendedLifetime(many) {}
    }

    @Test("Only as many run as keys and values have memory")
    func memory() async throws {
        // A sequence of 1 + 100 tokens takes 101 * 2 layers * 2 * 32 * 4 bytes: 51,712.
        let server = try world.server { $0.cacheBytes = 120_000 }
        let model = try await server.model("main")
        let events = try server.serving.answer(
            .init(prompts: [[Int32]](repeating: [5], count: 6), maxTokens: 100), with: model)
        for try await event in events {
            if case .end(_, _, _, let tokens) = event { #expect(tokens > 0) }
        }
        #expect((51_000...120_000).contains(server.serving.status.mostCacheBytes))
        #expect(server.serving.status.cacheBytes == 0)
    }
}
