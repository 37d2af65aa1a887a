import Foundation
import PawlCore
import PawlRegistry
import PawlStore
import Synchronization
import Testing

@testable import PawlServer

/// A registry with a base, removed with the value.
final class Place: Sendable {
    let root: URL
    let registry: Registry
    let tokens: Tokens

    init() throws {
        root = URL(filePath: "/tmp/pawl-server-test-\(UUID().uuidString.prefix(8))")
        registry = try Registry.create(at: root.appending(path: "registry"), actor: "tester@here")
        let source = root.appending(path: "source")
        try Files.createDirectory(source)
        try Data("{}".utf8).write(to: source.appending(path: "config.json"))
        let tree = try registry.store.importTree(source, options: ImportOptions(), progress: nil).tree
        try registry.initialise(CheckpointManifest(digest: tree, parent: nil, origin: .base))
        tokens = Tokens(registry: registry.root)
    }

    deinit { try? FileManager.default.removeItem(at: root) }
}

/// A handler that a closure is.
struct Answering: Handler {
    let body: @Sendable (Call) async throws -> Reply?

    init(_ body: @escaping @Sendable (Call) async throws -> Reply?) { self.body = body }

    func reply(to call: Call) async throws -> Reply? { try await body(call) }

    /// Answers `/echo` with the body, and nothing else.
    static let echo = Answering { call in
        call.path == ["echo"] ? Reply(type: "application/octet-stream", .bytes(call.body)) : nil
    }
}

/// A dispatcher over a registry, with what it logged.
struct Front: Sendable {
    let tokens: Tokens
    let dispatcher: Dispatcher
    let lines = Lines()
    /// Keeps a registry of its own while the value is there.
    private let place: Place?

    final class Lines: Sendable {
        private let all = Mutex<[RequestLine]>([])
        func add(_ line: RequestLine) { all.withLock { $0.append(line) } }
        var list: [RequestLine] { all.withLock { $0 } }
    }

    /// Over a registry of its own.
    init(
        _ handlers: [any Handler], anonymous: Call.Role? = .read, isLoopback: Bool = true,
        limits: ServerLimits = ServerLimits()
    ) throws {
        let place = try Place()
        try self.init(
            handlers, anonymous: anonymous, isLoopback: isLoopback, limits: limits, tokens: place.tokens,
            registry: place.registry, place: place)
    }

    /// Over a registry that is there.
    init(
        _ handlers: [any Handler], anonymous: Call.Role? = .read, isLoopback: Bool = true,
        limits: ServerLimits = ServerLimits(), tokens: Tokens, registry: Registry, place: Place? = nil
    ) throws {
        self.place = place
        self.tokens = tokens
        let (metrics, admission) = (Metrics(), Admission(limits))
        let health = Health(
            metrics: metrics, admission: admission, readiness: Readiness { _ = try registry.main() })
        dispatcher = Dispatcher(
            handlers: [health] + handlers,
            access: Access(tokens: tokens, anonymous: anonymous, isLoopback: isLoopback), limits: limits,
            metrics: metrics, admission: admission, log: { [lines] in lines.add($0) })
    }

    /// Asks, and gives the place back that the answer took.
    func ask(
        _ method: String, _ target: String, host: String = "localhost", token: String? = nil,
        headers: [(name: String, value: String)] = [], body: [UInt8] = []
    ) async -> Reply {
        var headers = headers + [(name: "host", value: host)]
        if let token { headers.append((name: "authorization", value: "Bearer \(token)")) }
        let answer = await dispatcher.answer(RequestHead(method, target, headers: headers)) { _ in body }
        answer.finish(answer.reply.bytes.count)
        return answer.reply
    }
}

extension Reply {
    /// The bytes of an answer that is no stream.
    var bytes: [UInt8] {
        guard case .bytes(let bytes) = content else { return [] }
        return bytes
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The answer as JSON.
    func json() throws -> JSONValue { try JSON.parse(bytes, source: "the answer") }

    /// The pieces of a stream, joined.
    func streamed() async throws -> String {
        guard case .stream(let stream) = content else { return text }
        var bytes: [UInt8] = []
        for try await piece in stream { bytes += piece }
        return String(decoding: bytes, as: UTF8.self)
    }
}
