import Foundation
import PawlCore
import PawlModel
import PawlRegistry
import PawlWorkflow
import Testing

@testable import PawlServer

/// A registry with the tiny model that ships as its base, and a checkpoint of which one matrix differs.
struct ModelWorld {
    static let model = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "registry/engines/conformance/model")
    static let shared = Result { try ModelWorld() }

    let registry: Registry
    /// The checkpoints and the directories they came from.
    let base, other: Digest
    let otherModel: URL

    private static let root = URL(
        filePath: "/tmp/pawl-server-test-\(ProcessInfo.processInfo.processIdentifier)")

    private init() throws {
        atexit { try? FileManager.default.removeItem(at: ModelWorld.root) }
        let place = Self.root.appending(path: "registry")
        let made = try Workflow.initialise(at: place, base: Self.model, suites: [], progress: { _ in })
        registry = try Registry(opening: place)
        base = made.base
        otherModel = Self.root.appending(path: "other")
        try FileManager.default.copyItem(at: Self.model, to: otherModel)
        try Self.flipSigns(otherModel.appending(path: "model.safetensors"))
        other = try Workflow(registry: registry).importCheckpoint(otherModel, parent: base, note: nil)
            .checkpoint
    }

    /// Turns the sign of every number of one matrix.
    private static func flipSigns(_ file: URL) throws {
        var bytes = try Files.read(file)
        let size = bytes[0..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try JSON.parse(Array(bytes[8..<8 + size]), source: "header")
        let tensor = try #require(header["model.layers.1.mlp.down_proj.weight"])
        #expect(tensor["dtype"] == "BF16")
        let range = try #require(tensor["data_offsets"]?.ints)
        for place in stride(from: 8 + size + range[0] + 1, to: 8 + size + range[1], by: 2) {
            bytes[place] ^= 0x80
        }
        try Files.writeAtomically(bytes, to: file)
    }

    /// A server of its own for a test.
    func server(_ change: (inout ServingLimits) -> Void = { _ in }) throws -> OpenAI {
        var limits = ServingLimits()
        change(&limits)
        return OpenAI(registry, try Serving(registry, limits: limits, threads: 2))
    }
}

/// What the generator makes of a model's directory, beside any server.
struct Expected {
    let chat: Chat
    let decoder: Transformer

    init(_ directory: URL = ModelWorld.model) throws {
        let configuration = try ModelConfiguration(directory: directory)
        chat = try Chat(directory: directory, configuration: configuration)
        let pool = try ComputePool(threads: 2)
        let weights = try FrozenWeights.read(SafetensorsDirectory(directory), configuration, pool)
        decoder = Transformer(configuration, frozen: try #require(weights), positions: 2048, pool: pool)
    }

    /// An answer's tokens, the one that ends it included.
    func tokens(_ prompt: [Int32], _ sampling: Sampling = .greedy, limit: Int, name: String = "1/generate")
        throws
        -> [Int32]
    {
        try Generator(decoder, sampling, limit: limit, width: 1).generate(
            [.init(tokens: prompt, name: name)], isFinished: { chat.endTokens.contains($1.last ?? -1) })[0]
            .tokens
    }

    func text(_ prompt: [Int32], _ sampling: Sampling = .greedy, limit: Int, name: String = "1/generate")
        throws
        -> String
    {
        chat.text(try tokens(prompt, sampling, limit: limit, name: name))
    }
}

extension OpenAI {
    /// Asks with a JSON body; the status and the body of the answer.
    func ask(_ path: String, _ body: JSONValue) async throws -> (status: Int, body: JSONValue) {
        let reply = try await reply(path, body)
        guard case .bytes(let bytes) = reply.content else { throw PawlError(.internalError, "a stream") }
        #expect(reply.headers.contains { $0 == ("content-type", "application/json") })
        return (reply.status, try JSON.parse(bytes, source: path))
    }

    func reply(_ path: String, _ body: JSONValue) async throws -> Reply {
        let parts = path.split(separator: "/").map(String.init)
        return try #require(try await reply(to: Call("POST", parts, body: JSON.canonical(body))))
    }

    func get(_ path: String, query: [String: String] = [:]) async throws -> (status: Int, body: JSONValue) {
        let parts = path.split(separator: "/").map(String.init)
        let reply = try #require(try await reply(to: Call("GET", parts, query: query)))
        guard case .bytes(let bytes) = reply.content else { throw PawlError(.internalError, "a stream") }
        return (reply.status, try JSON.parse(bytes, source: path))
    }

    /// The first answer's text.
    func complete(_ body: JSONValue) async throws -> String {
        let (status, body) = try await ask("v1/completions", body)
        #expect(status == 200, "\(body)")
        return try #require(body["choices"]?.array?.first?["text"]?.string)
    }

    /// The chunks of a streamed answer; it must end with `[DONE]`.
    func stream(_ path: String, _ body: JSONValue) async throws -> [JSONValue] {
        let reply = try await reply(path, body)
        #expect(reply.status == 200)
        guard case .stream(let stream) = reply.content else { throw PawlError(.internalError, "no stream") }
        #expect(reply.headers.contains { $0 == ("content-type", "text/event-stream") })
        var bytes: [UInt8] = []
        for try await part in stream { bytes += part }
        let events = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\n\n")
        #expect(events.suffix(2) == ["data: [DONE]", ""])
        return try events.dropLast(2).map { event in
            #expect(event.hasPrefix("data: "))
            return try JSON.parse(Array(event.utf8.dropFirst(6)), source: "event")
        }
    }
}

extension JSONValue {
    /// An object's members with others put in.
    func with(_ more: [String: JSONValue]) -> JSONValue {
        .object((object ?? [:]).merging(more) { $1 })
    }

    /// The integers and the texts of a list.
    var ints: [Int]? { array?.compactMap(\.int) }
    var strings: [String]? { array?.compactMap(\.string) }

    var choices: [JSONValue] { self["choices"]?.array ?? [] }
}
