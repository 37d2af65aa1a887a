import Foundation
import PawlCore
import PawlModel
import PawlWorkflow
import Testing

@testable import PawlServer

@Suite("Models, tokenizers and paths")
struct ModelTests {
    private let world: ModelWorld
    private let server: OpenAI

    init() throws {
        world = try ModelWorld.shared.get()
        server = try world.server()
    }

    @Test("Every reference and checkpoint is listed, with its root and parent")
    func models() async throws {
        let (status, body) = try await server.get("v1/models")
        #expect(status == 200 && body["object"] == "list")
        let cards = try #require(body["data"]?.array)
        #expect(cards.map { $0["id"]?.string } == ["main", world.base.short, world.other.short])
        #expect(cards.allSatisfy { $0["root"]?.string == world.base.short && $0["object"] == "model" })
        #expect(cards[0]["parent"] == .null && cards[1]["parent"] == .null)
        #expect(cards[2]["parent"]?.string == world.base.short)
        #expect(cards[2]["checkpoint"]?.string == world.other.hex && cards[2]["status"] == "candidate")
        #expect(cards[0]["checkpoint"]?.string == world.base.hex)
        for card in cards {
            let (status, one) = try await server.get("v1/models/\(card["id"]?.string ?? "")")
            #expect(status == 200 && one == card)
        }
        let (_, ancestor) = try await server.get("v1/models/\(world.other.short)~1")
        #expect(ancestor["checkpoint"]?.string == world.base.hex)
    }

    @Test(
        "What is not there is said in OpenAI's shape",
        arguments: ["nonesuch", "ffffffff", "..", "main~9", "ab"])
    func unknown(name: String) async throws {
        let (status, body) = try await server.get("v1/models/\(name)")
        #expect(status == 404)
        let error = body["error"]
        #expect(error?["type"] == "invalid_request_error" && error?["code"] == "model_not_found")
        #expect(error?["param"] == "model" && error?["message"]?.string?.contains(name) == true)
        let (second, _) = try await server.ask(
            "v1/completions", ["model": .string(name), "prompt": "x"])
        #expect(second == 404)
    }

    @Test("Other paths are left to others, or refused under /v1")
    func paths() async throws {
        for path in [["api", "v1", "models"], [], ["tokenize", "x"], ["models"]] {
            #expect(try await server.reply(to: Call("GET", path)) == nil)
        }
        let reply = try #require(try await server.reply(to: Call("POST", ["v1", "models"])))
        #expect(reply.status == 405 && reply.headers.contains { $0 == ("allow", "GET") })
        let (status, body) = try await server.get("v1/embeddings")
        #expect(status == 404 && body["error"]?["code"] == "unknown_url")
        #expect(body["error"]?["param"] == .null)
    }

    @Test("The tokenizer answers as lm-eval's remote tokenizer asks")
    func tokenizer() async throws {
        let expected = try Expected()
        let text = "Größe: one <|im_end|>"
        let (status, body) = try await server.ask(
            "tokenize", ["prompt": .string(text), "add_special_tokens": false])
        #expect(status == 200)
        let tokens = try #require(body["tokens"]?.ints)
        #expect(tokens.map { Int32($0) } == expected.chat.textTokens(text))
        #expect(body["count"]?.int == tokens.count && body["max_model_len"] == 2048)
        let (_, back) = try await server.ask("detokenize", ["tokens": body["tokens"] ?? .null])
        #expect(back == ["prompt": .string(text)])
        #expect(try await server.ask("detokenize", ["tokens": []]).body == ["prompt": ""])

        let (_, info) = try await server.get("tokenizer_info")
        #expect(info["eos_token"] == "<|im_end|>" && info["bos_token"] == "<|im_start|>")
        #expect(info["chat_template"]?.string == expected.chat.templateSource)
        #expect(info["chat_template"]?.string?.contains("add_generation_prompt") == true)
        let (_, named) = try await server.get("tokenizer_info", query: ["model": world.other.short])
        #expect(named == info)

        let turn: JSONValue = [["role": "user", "content": "hello"]]
        let (_, chat) = try await server.ask("tokenize", ["messages": turn, "return_token_strs": true])
        let prompt = try expected.chat.promptTokens([ChatMessage(role: "user", content: "hello")])
        #expect(chat["tokens"]?.ints == prompt.map(Int.init))
        #expect(chat["token_strs"]?.array?.first == "<|im_start|>")
    }

    @Test("Two checkpoints answer at once, each as its own directory does, and share what is equal")
    func twoCheckpoints() async throws {
        let directories = [ModelWorld.model, world.otherModel]
        let names = ["main", world.other.short]
        let expected = try directories.map { directory in
            let expected = try Expected(directory)
            return try expected.text(expected.chat.rawTokens("family: probe"), limit: 40)
        }
        #expect(expected[0] != expected[1])
        let server = server
        let answers = try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for place in 0..<12 {
                group.addTask {
                    let ask: JSONValue = [
                        "model": .string(names[place % 2]), "prompt": "family: probe", "temperature": 0,
                        "max_tokens": 40,
                    ]
                    return (place, try await server.complete(ask))
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for (place, answer) in answers { #expect(answer == expected[place % 2]) }

        let base = try await server.serving.shelf.model(world.base)
        let other = try await server.serving.shelf.model(world.other)
        let matrix = 64 * 128 * 2
        #expect(base.weights.bytes == other.weights.bytes)
        #expect(base.weights.bytesShared(with: other.weights) == base.weights.bytes - matrix)
        #expect(server.serving.status.weightBytes == base.weights.bytes + matrix)
        #expect(Set(server.serving.status.models) == [world.base, world.other])
        #expect(server.serving.status.requests == 12 && server.serving.status.running == 0)
    }

    @Test("A model that was not asked for longest goes when another needs its memory")
    func eviction() async throws {
        let size = try await server.serving.shelf.model(world.base).weights.bytes
        let small = try world.server { $0.weightBytes = size }
        let ask: JSONValue = ["model": "main", "prompt": "x", "max_tokens": 2]
        for name in ["main", world.other.short, "main"] {
            #expect(try await small.ask("v1/completions", ask.with(["model": .string(name)])).status == 200)
            #expect(small.serving.status.models.count == 1 && small.serving.status.weightBytes == size)
        }
        // One that answers stays, and the other is refused for now.
        let held = try await small.serving.shelf.model(world.base)
        let reply = try await small.reply("v1/completions", ask.with(["model": .string(world.other.short)]))
        #expect(reply.status == 429 && reply.headers.contains { $0.name == "retry-after" })
        #expect(try await small.ask("v1/completions", ask).status == 200)
        withExtendedLifetime(held) {}
        let none = try world.server { $0.weightBytes = size - 1 }
        let (status, body) = try await none.ask("v1/completions", ask)
        #expect(status == 501 && body["error"]?["type"] == "server_error")
    }
}
