import Foundation
import PawlCore
import Testing

@testable import PawlServer

@Suite("What every request goes through")
struct DispatcherTests {
    @Test("the first handler that knows a path answers; nobody's path is 404 with a problem")
    func order() async throws {
        let front = try Front([
            Answering { $0.path == ["a"] ? Reply(type: "text/plain", .bytes(Array("first".utf8))) : nil },
            Answering { _ in Reply(type: "text/plain", .bytes(Array("second".utf8))) },
        ])
        #expect(await front.ask("GET", "/a").text == "first")
        #expect(await front.ask("GET", "/b").text == "second")
        let missing = await (try Front([])).ask("GET", "/nobody")
        #expect(missing.status == 404)
        #expect(missing.header("content-type") == "application/problem+json")
        let problem = try missing.json()
        #expect(problem["status"]?.int == 404)
        #expect(problem["code"]?.string == "not_found")
        #expect(problem["title"]?.string == "Not Found")
    }

    @Test(
        "an error is a problem with the status of its code",
        arguments: [
            (PawlError.Code.invalidArgument, 400), (.notFound, 404), (.conflict, 409), (.locked, 423),
            (.corrupt, 500), (.engine, 502), (.timedOut, 504), (.unsupported, 501),
        ])
    func errors(code: PawlError.Code, status: Int) async throws {
        let front = try Front([Answering { _ in throw PawlError(code, "so it went", hint: "do this") }])
        let reply = await front.ask("GET", "/x")
        #expect(reply.status == status)
        #expect(try reply.json()["detail"]?.string == "so it went")
        #expect(try reply.json()["hint"]?.string == "do this")
        #expect((reply.header("retry-after") != nil) == (status == 423))
    }

    @Test("an error of a library is told without what it says")
    func unexpected() async throws {
        struct Secret: Error { let path = "/home/somebody/secret" }
        let reply = await (try Front([Answering { _ in throw Secret() }])).ask("GET", "/x")
        #expect(reply.status == 500)
        #expect(!reply.text.contains("secret"))
    }

    @Test(
        "a path with a part that means something to a file system is refused",
        arguments: [
            "/../etc/passwd", "/a/../b", "/%2e%2e/x", "/a%2fb", "/a%5cb", "/a%00b", "/a%0ab", "//x", "/a//b",
            "/%", "/%zz", "/%ff", "/.", "http://elsewhere/", "*",
        ])
    func traversal(target: String) async throws {
        let front = try Front([Answering { _ in Reply(type: "text/plain", .bytes([])) }])
        #expect(await front.ask("GET", target).status == 400)
    }

    @Test("a path and a query arrive decoded")
    func decoding() async throws {
        let front = try Front([
            Answering { call in
                let query = call.query.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                return Reply(
                    type: "text/plain", .bytes(Array((call.path + query).joined(separator: "|").utf8)))
            }
        ])
        #expect(await front.ask("GET", "/caf%C3%A9/b%20c/?q=a+b%2B&z").text == "café|b c|q=a b+|z=")
        #expect(await front.ask("GET", "/?q=%zz").status == 400)
        #expect(await front.ask("GET", "/" + String(repeating: "a", count: 9000)).status == 414)
    }

    @Test("what says that its body is too large is refused before a byte of it is read")
    func oversized() async throws {
        var limits = ServerLimits()
        limits.bodyBytes = 10
        let front = try Front([Answering.echo], limits: limits)
        let reply = await front.ask("POST", "/echo", headers: [(name: "content-length", value: "11")])
        #expect(reply.status == 413)
        #expect(reply.header("connection") == "close")
        #expect(await front.ask("POST", "/echo", body: Array("0123456789".utf8)).text == "0123456789")
    }

    @Test("the same bytes have the same tag, and whoever has them gets none")
    func revalidation() async throws {
        let front = try Front([
            Answering { call in
                call.method == "GET" ? Reply(type: "text/plain", .bytes(Array(call.path[0].utf8))) : nil
            }
        ])
        let first = await front.ask("GET", "/a")
        let tag = try #require(first.header("etag"))
        #expect(tag.hasPrefix("\"") && !tag.hasPrefix("W/"))
        for known in [tag, "\"x\", \(tag)", "*", "W/" + tag] {
            let again = await front.ask("GET", "/a", headers: [(name: "if-none-match", value: known)])
            #expect(again.status == 304 && again.bytes.isEmpty && again.header("etag") == tag)
            // A browser would put it in the place of the one that came with the page.
            #expect(again.header("content-security-policy") == nil)
        }
        let other = await front.ask("GET", "/b", headers: [(name: "if-none-match", value: tag)])
        #expect(other.status == 200 && other.header("etag") != tag)
        let head = await front.ask("HEAD", "/a")
        #expect(head.status == 200 && head.bytes.isEmpty && head.header("content-length") == "1")
        #expect(head.header("etag") == tag)
    }

    @Test("more than the limits allow is 429 with a time to come back, and a place is given back")
    func backPressure() async throws {
        var limits = ServerLimits()
        limits.answers = 1
        let front = try Front([Answering.echo], limits: limits)
        let host = [(name: "host", value: "localhost")]
        let held = await front.dispatcher.answer(RequestHead("GET", "/echo", headers: host)) { _ in [] }
        #expect(held.reply.status == 200)
        let refused = await front.ask("GET", "/echo")
        #expect(refused.status == 429)
        #expect(refused.header("retry-after").flatMap { Int($0) } ?? 0 > 0)
        held.finish(0)
        #expect(await front.ask("GET", "/echo").status == 200)
    }

    @Test("open streams have places of their own")
    func streams() async throws {
        var limits = ServerLimits()
        (limits.answers, limits.streams) = (1, 1)
        let front = try Front(
            [
                Answering { call in
                    call.path == ["stream"]
                        ? Reply(type: "text/event-stream", .stream(AsyncThrowingStream { $0.finish() }))
                        : Reply(type: "text/plain", .bytes([]))
                }
            ], limits: limits)
        let host = [(name: "host", value: "localhost")]
        let open = await front.dispatcher.answer(RequestHead("GET", "/stream", headers: host)) { _ in [] }
        #expect(open.reply.status == 200)
        #expect(await front.ask("GET", "/page").status == 200)
        #expect(await front.ask("GET", "/stream").status == 429)
        open.finish(0)
        #expect(await front.ask("GET", "/stream").status == 200)
        #expect(front.dispatcher.admission.count(.stream) == 0)
        #expect(front.dispatcher.admission.count(.answer) == 0)
    }

    @Test("an answer that does not come in time is 504, and its work is cancelled")
    func deadline() async throws {
        var limits = ServerLimits()
        limits.answerSeconds = 0.05
        let front = try Front(
            [
                Answering { _ in
                    try await Task.sleep(for: .seconds(60))
                    return nil
                }
            ], limits: limits)
        #expect(await front.ask("GET", "/slow").status == 504)
    }

    @Test("every answer tells browsers what not to do, and a handler may say it more narrowly")
    func securityHeaders() async throws {
        let front = try Front([
            Answering { call in
                switch call.path.first {
                case "page": Reply(type: "text/html; charset=utf-8", .bytes([]))
                case "own":
                    Reply(
                        type: "text/html",
                        headers: [(name: "content-security-policy", value: "default-src 'none'")], .bytes([]))
                default: nil
                }
            }
        ])
        for target in ["/page", "/own", "/nothing", "/healthz", "/a/../b"] {
            let reply = await front.ask("GET", target)
            let policy = try #require(reply.header("content-security-policy"))
            #expect(policy.contains("default-src 'none'") && !policy.contains("unsafe"))
            #expect(reply.header("x-content-type-options") == "nosniff")
            #expect(reply.header("x-frame-options") == "DENY")
            #expect(reply.header("referrer-policy") != nil)
        }
        #expect(await front.ask("GET", "/own").header("content-security-policy") == "default-src 'none'")
    }

    @Test("the log has neither a query nor a body")
    func log() async throws {
        let front = try Front([Answering.echo])
        _ = await front.ask("POST", "/echo?q=secret", body: Array("secret".utf8))
        _ = await front.ask("GET", "/a%0Ab\n")
        let lines = front.lines.list
        #expect(lines.count == 2)
        #expect(lines[0].path == "/echo" && lines[0].status == 200 && lines[0].bytes == 6)
        #expect(!lines.contains { $0.description.contains("secret") || $0.description.contains("\n") })
    }

    @Test("health, readiness and counters")
    func health() async throws {
        let front = try Front([])
        #expect(await front.ask("GET", "/healthz").text == "ok\n")
        #expect(await front.ask("GET", "/readyz").status == 200)
        #expect(await front.ask("POST", "/healthz").status == 405)
        _ = await front.ask("GET", "/nothing")
        let text = await front.ask("GET", "/metrics").text
        #expect(text.contains("pawl_http_requests_total{part=\"pages\",method=\"GET\",status=\"404\"} 1\n"))
        #expect(text.contains("pawl_http_request_seconds_bucket{part=\"health\",le=\"+Inf\"} 3\n"))
        let readiness = Readiness {}
        #expect(readiness.problem() == nil)
        readiness.stop()
        #expect(readiness.problem() != nil)
        #expect(Readiness { throw PawlError(.io, "gone") }.problem() != nil)
    }
}
