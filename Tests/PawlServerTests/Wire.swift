import Foundation
import PawlCore
import PawlRegistry
import Synchronization

@testable import PawlServer

/// A server on a free port of this machine.
final class Running: Sendable {
    let port: Int
    private let server: HTTPServer
    private let task: Task<Void, any Error>

    /// Starts one and waits until it listens.
    init(
        _ place: Place, _ handlers: [any Handler], limits: ServerLimits = ServerLimits(),
        onStop: @escaping @Sendable () async -> Void = {}
    ) async throws {
        var options = HTTPServer.Options()
        options.port = 0
        options.limits = limits
        let server = try HTTPServer(
            registry: place.registry, handlers: handlers, options: options, onStop: onStop)
        let (ports, port) = AsyncThrowingStream.makeStream(of: Int.self)
        task = Task {
            do {
                try await server.run { port.yield($0) }
                port.finish()
            } catch {
                port.finish(throwing: error)
                throw error
            }
        }
        guard let first = try await ports.first(where: { _ in true }) else {
            throw PawlError(.io, "the server ended before it listened")
        }
        self.port = first
        self.server = server
    }

    /// Asks it to stop and waits until it has.
    func stop() async throws {
        await server.stop()
        try await task.value
    }

    /// Cancels it as a signal does, and waits until it has stopped.
    func cancel() async throws {
        task.cancel()
        try await task.value
    }
}

/// A connection that sends and takes bytes as they are: what a client library would not send, and how fast.
final class Wire: Sendable {
    private let descriptor: Int32

    init(_ port: Int) throws {
        #if canImport(Glibc)
            let stream = Int32(SOCK_STREAM.rawValue)
        #else
            let stream = SOCK_STREAM
        #endif
        descriptor = socket(AF_INET, stream, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Files.error("connect to", "port \(port)") }
        signal(SIGPIPE, SIG_IGN)
    }

    deinit { close(descriptor) }

    /// Sends text; false when the other side has closed.
    @discardableResult
    func send(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == bytes.count
    }

    /// Ends the connection at once.
    func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Takes bytes until `isEnough`, the end of the connection, or `seconds` have passed.
    func receive(_ seconds: Double, until isEnough: (String) -> Bool = { _ in false }) -> (
        text: String, isClosed: Bool
    ) {
        let end = Date().addingTimeInterval(seconds)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while Date() < end, !isEnough(String(decoding: bytes, as: UTF8.self)) {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 50) > 0 else { continue }
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return (String(decoding: bytes, as: UTF8.self), true) }
            bytes += buffer.prefix(count)
        }
        return (String(decoding: bytes, as: UTF8.self), false)
    }

    /// Asks one thing on a connection of its own and takes the whole answer.
    static func ask(_ port: Int, _ text: String, seconds: Double = 120) throws -> String {
        let wire = try Wire(port)
        wire.send(text)
        return wire.receive(seconds) { _ in false }.text
    }
}
