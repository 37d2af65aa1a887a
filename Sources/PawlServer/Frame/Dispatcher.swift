internal import Foundation
internal import PawlCore
internal import Synchronization

/// What every request goes through, whatever brought it: access, limits, handlers, problems, headers, the log.
///
/// It knows nothing of sockets, so tests ask it directly.
struct Dispatcher: Sendable {
    let handlers: [any Handler]
    let access: Access
    let limits: ServerLimits
    let metrics: Metrics
    let admission: Admission
    /// Takes a line for every request.
    let log: @Sendable (RequestLine) -> Void

    /// An answer, and its end.
    struct Answer: Sendable {
        var reply: Reply
        fileprivate let ending: Ending

        /// Says that the last byte was taken, or that the client went away after so many; the first call counts.
        func finish(_ bytes: Int) { ending.end(bytes) }
    }

    /// What is done once when an answer ends, and at the latest when nobody holds it any more: a library that drops an
    /// answer whose head it could not send must not keep its place taken.
    final class Ending: Sendable {
        private let action: Mutex<(@Sendable (Int) -> Void)?>

        fileprivate init(_ action: @escaping @Sendable (Int) -> Void) { self.action = Mutex(action) }

        deinit { end(0) }

        fileprivate func end(_ bytes: Int) {
            let action = action.withLock { action in
                defer { action = nil }
                return action
            }
            action?(bytes)
        }
    }

    /// Answers a request. Never fails: what goes wrong is an answer too.
    ///
    /// - Parameter body: reads the body of at most so many bytes. It is asked only when the head was admitted.
    func answer(_ head: RequestHead, body: @Sendable (Int) async throws -> [UInt8]) async -> Answer {
        let started = Date()
        let kind = Self.kind(of: head.target)
        guard admission.enter(kind) else {
            return finished(Self.reply(for: Self.busy), head, nil, since: started, leaving: nil)
        }
        var client: String?
        do {
            var call = try head.call(limits)
            try access.admit(head, &call)
            client = call.client
            try checkLength(head)
            call.body = try await body(limits.bodyBytes)
            let reply = try await reply(
                to: call, within: kind == .model ? limits.modelSeconds : limits.answerSeconds)
            return try place(reply, call, head, kind: kind, since: started)
        } catch {
            return finished(Self.reply(for: error), head, client, since: started, leaving: kind)
        }
    }

    /// The reply of the handler whose path it is, with what every reply has.
    private func reply(to call: Call, within seconds: Double) async throws -> Reply {
        var call = call
        let isHead = call.method == "HEAD"
        if isHead { call.method = "GET" }
        let asked = call
        let found = try await Deadline.run(seconds) { () -> Reply? in
            for handler in handlers { if let reply = try await handler.reply(to: asked) { return reply } }
            return nil
        }
        guard let reply = found else {
            throw PawlError(.notFound, "there is nothing at /\(asked.path.joined(separator: "/"))")
        }
        return Revalidation.apply(to: reply, of: asked)
    }

    /// Moves a stream to the places of streams, so that those who watch do not keep others from asking.
    private func place(
        _ reply: Reply, _ call: Call, _ head: RequestHead, kind: Admission.Kind, since started: Date
    )
        throws -> Answer
    {
        guard case .stream = reply.content, kind == .answer else {
            return finished(reply, head, call.client, since: started, leaving: kind)
        }
        guard admission.enter(.stream) else { throw Self.busy }
        admission.leave(kind)
        return finished(reply, head, call.client, since: started, leaving: .stream)
    }

    private func finished(
        _ reply: Reply, _ head: RequestHead, _ client: String?, since started: Date,
        leaving kind: Admission.Kind?
    ) -> Answer {
        let reply = SecurityHeaders.added(to: head.method == "HEAD" ? Self.withoutContent(reply) : reply)
        let ending = Ending { bytes in
            if let kind { admission.leave(kind) }
            let line = RequestLine(head, status: reply.status, bytes: bytes, since: started, client: client)
            metrics.count(
                Metrics.Labels(part: line.part, method: line.method, status: reply.status),
                seconds: line.seconds, bytes: bytes)
            log(line)
        }
        return Answer(reply: reply, ending: ending)
    }

    /// Refuses a body that says itself that it is too large, before a byte of it is read.
    private func checkLength(_ head: RequestHead) throws {
        guard let text = head.header("content-length"), let length = Int(text) else { return }
        if length > limits.bodyBytes { throw Self.tooLarge(limits) }
    }

    static func tooLarge(_ limits: ServerLimits) -> Refusal {
        Refusal(
            413, "the body is over \(limits.bodyBytes) bytes", headers: [(name: "connection", value: "close")]
        )
    }

    private static let busy = Refusal(
        429, "the server is answering as many requests as it can",
        hint: "ask again in a few seconds", headers: retry)
    private static let retry = [(name: "retry-after", value: "2")]

    /// What has no path among models' is asked of the rest.
    private static func kind(of target: String) -> Admission.Kind {
        let first = target.dropFirst().prefix { $0 != "/" && $0 != "?" }
        return ["v1", "tokenize", "detokenize", "tokenizer_info"].contains(first) ? .model : .answer
    }

    /// Every error as an answer. What went wrong inside is said without what lies underneath.
    private static func reply(for error: any Error) -> Reply {
        switch error {
        case let refusal as Refusal: refusal.problem.reply(headers: refusal.headers)
        case let error as PawlError: problem(error)
        case is CancellationError: Problem(499, "the client went away", code: "cancelled").reply()
        default: Problem(500, "something unexpected went wrong", code: "internal").reply()
        }
    }

    private static func problem(_ error: PawlError) -> Reply {
        let isLater = [429, 423].contains(error.code.httpStatus)
        return Problem(error).reply(headers: isLater ? retry : [])
    }

    private static func withoutContent(_ reply: Reply) -> Reply {
        var reply = reply
        if case .bytes(let bytes) = reply.content {
            reply.headers.append((name: "content-length", value: "\(bytes.count)"))
        }
        reply.content = .bytes([])
        return reply
    }
}

/// A limit on the time that something takes.
enum Deadline {
    /// Runs work; `timedOut` when it took longer, and it is cancelled.
    static func run<R: Sendable>(_ seconds: Double, _ work: @escaping @Sendable () async throws -> R)
        async throws -> R
    {
        try await withThrowingTaskGroup(of: R.self) { group in
            group.addTask(operation: work)
            group.addTask {
                try await Task.sleep(for: .seconds(seconds))
                throw PawlError(
                    .timedOut, "this took over \(Int(seconds)) s",
                    hint: "ask for less, or again when the server is less busy")
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }
}
