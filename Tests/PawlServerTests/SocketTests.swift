import Foundation
import PawlCore
import Synchronization
import Testing

@testable import PawlServer

@Suite("Over a socket", .serialized)
struct SocketTests {
    private static func get(_ target: String, _ more: String = "") -> String {
        "GET \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(more)\r\n"
    }

    @Test("a request and its answer, several on one connection, and HEAD without a body")
    func plain() async throws {
        let running = try await Running(Place(), [Answering.echo])
        let text = try Wire.ask(
            running.port,
            "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
                + "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + Self.get("/nothing"))
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(text.contains("hello"))
        #expect(text.lowercased().contains("content-length: 3\r\n"), "HEAD tells the length of what GET has")
        #expect(!text.contains("ok\n"))
        #expect(text.contains("HTTP/1.1 404 Not Found\r\n"))
        #expect(text.contains("application/problem+json"))
        try await running.stop()
    }

    @Test("a large answer comes whole, and 304 has no body")
    func large() async throws {
        let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 3_000_000)
        let running = try await Running(
            Place(),
            [Answering { call in call.path == ["big"] ? Reply(type: "text/plain", .bytes(bytes)) : nil }])
        let text = try Wire.ask(running.port, Self.get("/big"))
        let halves = text.split(separator: "\r\n\r\n", maxSplits: 1)
        #expect(halves.last?.utf8.count == bytes.count)
        let tag = try #require(
            halves[0].split(separator: "\r\n").first { $0.lowercased().hasPrefix("etag: ") })
        let again = try Wire.ask(running.port, Self.get("/big", "If-None-Match: \(tag.dropFirst(6))\r\n"))
        #expect(again.hasPrefix("HTTP/1.1 304"))
        #expect(again.hasSuffix("\r\n\r\n"))
        try await running.stop()
    }

    @Test("a thousand malformed requests do no harm")
    func malformed() async throws {
        let running = try await Running(Place(), [Answering.echo])
        let wrong = [
            "\r\n\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n",
            "GET / HTTP/1.1\r\nHost localhost\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
            "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
            "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "GET /%2e%2e/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        ]
        var generator = SystemRandomNumberGenerator()
        for index in 0..<1000 {
            let wire = try Wire(running.port)
            if index % 2 == 0 {
                wire.send(wrong[index / 2 % wrong.count])
            } else {
                let bytes = (0..<64).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
                wire.send(String(decoding: bytes, as: UTF8.self) + "\r\n\r\n")
            }
            if index < 20 {
                let answer = wire.receive(2) { $0.contains("\r\n\r\n") }
                #expect(answer.text.isEmpty || answer.text.hasPrefix("HTTP/1.1 4"), "\(answer.text)")
            }
        }
        #expect(try Wire.ask(running.port, Self.get("/healthz")).contains("200 OK"))
        try await running.stop()
    }

    @Test(
        "a header that is too long is refused, and so is a body that grows over the limit without saying so")
    func oversized() async throws {
        var limits = ServerLimits()
        limits.bodyBytes = 1000
        let running = try await Running(Place(), [Answering.echo], limits: limits)
        let header = "X-Long: " + String(repeating: "a", count: 40000) + "\r\n"
        #expect(try !Wire.ask(running.port, Self.get("/healthz", header)).contains("200 OK"))
        let chunk = "1f4\r\n" + String(repeating: "b", count: 500) + "\r\n"
        let text = try Wire.ask(
            running.port,
            "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                + String(repeating: chunk, count: 4), seconds: 15)
        #expect(text.hasPrefix("HTTP/1.1 413"))
        try await running.stop()
    }

    @Test("clients that send or take too slowly lose their connection, and others are served meanwhile")
    func slowClients() async throws {
        var limits = ServerLimits()
        (limits.idleSeconds, limits.bodySeconds, limits.writeSeconds) = (1, 1, 1)
        let bytes = [UInt8](repeating: 0, count: 30_000_000)
        let running = try await Running(
            Place(),
            [
                Answering.echo,
                Answering { $0.path == ["big"] ? Reply(type: "text/plain", .bytes(bytes)) : nil },
            ],
            limits: limits)
        let head = try Wire(running.port)
        head.send("GET /healthz HTTP/1.1\r\nHost: local")
        let body = try Wire(running.port)
        body.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
        let reader = try Wire(running.port)
        reader.send(Self.get("/big"))
        let started = Date()
        while Date().timeIntervalSince(started) < 4 {
            head.send("h")
            body.send("b")
            #expect(try Wire.ask(running.port, Self.get("/healthz")).contains("200 OK"))
            try await Task.sleep(for: .milliseconds(200))
        }
        #expect(head.receive(60).isClosed)
        #expect(body.receive(60).isClosed)
        let taken = reader.receive(60)
        #expect(taken.isClosed && taken.text.utf8.count < bytes.count)
        let counters = try Wire.ask(running.port, Self.get("/metrics"))
        #expect(counters.contains("pawl_http_slow_clients_total 2"))
        #expect(counters.contains("pawl_http_answers_running 1.0"), "only the one that asks is left")
        try await running.stop()
    }

    @Test(
        "work for a client that has gone is cancelled, of an answer and of a stream",
        arguments: ["answer", "stream"])
    func departure(kind: String) async throws {
        let (ends, end) = AsyncStream.makeStream(of: String.self)
        let handler = Answering { call in
            if call.path == ["answer"] {
                do {
                    try await Task.sleep(for: .seconds(60))
                } catch {
                    end.yield("answer")
                }
                return Reply(type: "text/plain", .bytes([]))
            }
            let (stream, output) = AsyncThrowingStream.makeStream(of: [UInt8].self)
            output.onTermination = { _ in end.yield("stream") }
            output.yield(Array("data: 1\n\n".utf8))
            return Reply(type: "text/event-stream", .stream(stream))
        }
        let running = try await Running(Place(), [handler])
        let wire = try Wire(running.port)
        wire.send("GET /\(kind) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if kind == "stream" {
            #expect(wire.receive(60) { $0.contains("data: 1") }.text.contains("data: 1"))
        } else {
            try await Task.sleep(for: .milliseconds(300))
        }
        wire.hangUp()
        let ended = try await Deadline.run(60) { await ends.first { _ in true } }
        #expect(ended == kind)
        try await running.stop()
    }

    @Test(
        "asked to stop, it finishes what it began, ends endless streams and takes nothing new",
        arguments: [true, false])
    func shutdown(isSignal: Bool) async throws {
        let (stream, output) = AsyncThrowingStream.makeStream(of: [UInt8].self)
        let handler = Answering { call in
            if call.path == ["events"] { return Reply(type: "text/event-stream", .stream(stream)) }
            try await Task.sleep(for: .seconds(1))
            return Reply(type: "text/plain", .bytes(Array("finished".utf8)))
        }
        var limits = ServerLimits()
        limits.graceSeconds = 600
        let running = try await Running(Place(), [handler], limits: limits, onStop: { output.finish() })
        let slow = try Wire(running.port)
        slow.send(Self.get("/slow"))
        let events = try Wire(running.port)
        events.send(Self.get("/events"))
        try await Task.sleep(for: .milliseconds(300))
        let started = Date()
        if isSignal { try await running.cancel() } else { try await running.stop() }
        #expect(slow.receive(60).text.contains("finished"))
        #expect(events.receive(60).isClosed)
        #expect(Date().timeIntervalSince(started) < 300, "it does not wait for the grace to be over")
        #expect(throws: PawlError.self) { _ = try Wire(running.port) }
    }

    @Test("a port that is taken is an error that says so")
    func taken() async throws {
        let place = try Place()
        let running = try await Running(place, [])
        var options = HTTPServer.Options()
        options.port = running.port
        let server = try HTTPServer(registry: place.registry, handlers: [], options: options)
        let error = await #expect(throws: PawlError.self) { try await server.run() }
        #expect(error?.message.contains("\(running.port)") == true)
        try await running.stop()
    }
}
