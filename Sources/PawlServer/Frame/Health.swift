internal import Synchronization

/// Whether the server runs, whether it takes requests, and its counters.
struct Health: Handler {
    let metrics: Metrics
    let admission: Admission
    let readiness: Readiness

    func reply(to call: Call) async throws -> Reply? {
        guard call.path.count == 1, let name = call.path.first,
            ["healthz", "readyz", "metrics"].contains(name)
        else {
            return nil
        }
        guard call.method == "GET" else {
            throw Refusal(405, "/\(name) is only read", headers: [(name: "allow", value: "GET, HEAD")])
        }
        switch name {
        case "healthz": return Self.text("ok\n")
        case "readyz":
            guard let problem = readiness.problem() else { return Self.text("ready\n") }
            throw Refusal(503, problem, headers: [(name: "retry-after", value: "5")])
        default:
            return Reply(
                type: "text/plain; version=0.0.4; charset=utf-8",
                headers: [(name: "cache-control", value: "no-store")],
                .bytes(Array(metrics.text(gauges: gauges).utf8)))
        }
    }

    private var gauges: [(name: String, help: String, value: Double)] {
        let names: [(Admission.Kind, String, String)] = [
            (
                .answer, "pawl_http_answers_running",
                "Requests that are being answered, without models and streams."
            ),
            (.model, "pawl_http_model_answers_running", "Requests to models that are being answered."),
            (.stream, "pawl_http_streams_running", "Streams of events that are open."),
        ]
        return names.map { (name: $1, help: $2, value: Double(admission.count($0))) }
    }

    private static func text(_ text: String) -> Reply {
        Reply(
            type: "text/plain; charset=utf-8", headers: [(name: "cache-control", value: "no-store")],
            .bytes(Array(text.utf8)))
    }
}

/// Whether new requests should come here: not once the server was asked to stop, and not without its registry.
final class Readiness: Sendable {
    private let isStopping = Mutex(false)
    private let check: @Sendable () throws -> Void

    /// - Parameter check: fails when what the server serves is out of reach.
    init(check: @escaping @Sendable () throws -> Void) { self.check = check }

    /// Says that the server was asked to stop.
    func stop() { isStopping.withLock { $0 = true } }

    /// What keeps the server from taking requests; nil when it takes them.
    func problem() -> String? {
        if isStopping.withLock({ $0 }) { return "the server is stopping" }
        do {
            try check()
            return nil
        } catch {
            return "the registry cannot be read"
        }
    }
}
