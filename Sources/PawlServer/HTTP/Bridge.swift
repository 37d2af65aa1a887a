internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import PawlCore

/// A connection, as the library hands it to whoever answers.
struct Connection: InitializableFromSource {
    let channel: any Channel

    init(source: ApplicationRequestContextSource) { channel = source.channel }
}

/// Turns requests of the HTTP library into calls, and replies into its responses.
struct Bridge: HTTPResponder {
    typealias Context = Connection

    let dispatcher: Dispatcher

    @Sendable func respond(to request: Request, context: Connection) async throws -> Response {
        let channel = context.channel
        let departure = try await Self.departure(of: channel)
        let head = Self.head(request)
        let body = request.body
        let task = Task { [dispatcher] in
            await dispatcher.answer(head) { limit in
                try await Self.collect(body, upTo: limit, channel, dispatcher)
            }
        }
        let watch = departure.onDeparture { task.cancel() }
        defer { departure.forget(watch) }
        let answer = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        return response(answer, to: request, channel, departure)
    }

    private static func departure(of channel: any Channel) async throws -> Departure {
        try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: DepartureHandler.self).departure
        }.get()
    }

    private static func head(_ request: Request) -> RequestHead {
        // HTTP types keep the host apart from the other fields.
        let host = request.head.authority.map { [(name: "host", value: $0)] } ?? []
        return RequestHead(
            request.method.rawValue, request.head.path ?? "",
            headers: host + request.headers.map { (name: $0.name.canonicalName, value: $0.value) })
    }

    /// Reads a body within its limits of size and time. A client that is too slow for them loses its connection.
    private static func collect(
        _ body: RequestBody, upTo limit: Int, _ channel: any Channel, _ dispatcher: Dispatcher
    )
        async throws -> [UInt8]
    {
        let alarm = dispatcher.alarm(channel, after: dispatcher.limits.bodySeconds)
        defer { alarm.cancel() }
        do {
            return Array(buffer: try await body.collect(upTo: limit))
        } catch is NIOTooManyBytesError {
            throw Dispatcher.tooLarge(dispatcher.limits)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw Refusal(
                400, "the body is not what HTTP allows", headers: [(name: "connection", value: "close")])
        }
    }

    private func response(
        _ answer: Dispatcher.Answer, to request: Request, _ channel: any Channel, _ departure: Departure
    )
        -> Response
    {
        var fields = HTTPFields()
        for (name, value) in answer.reply.headers {
            guard let name = HTTPField.Name(name) else { continue }
            fields.append(HTTPField(name: name, value: value))
        }
        let sender = Sender(
            answer: answer, dispatcher: dispatcher, channel: channel, departure: departure,
            closes: answer.reply.header("connection") == "close")
        let status = HTTPResponse.Status(code: answer.reply.status)
        switch answer.reply.content {
        case .bytes(let bytes):
            return Response(
                status: status, headers: fields,
                body: sender.body(bytes, length: request.method == .head ? 0 : bytes.count))
        case .stream(let stream):
            return Response(status: status, headers: fields, body: sender.body(stream))
        }
    }
}

extension Dispatcher {
    /// Closes a connection after some seconds unless it is cancelled: its client is too slow.
    func alarm(_ channel: any Channel, after seconds: Double) -> Scheduled<Void> {
        let metrics = metrics
        return channel.eventLoop.scheduleTask(in: .milliseconds(Int64(seconds * 1000))) {
            metrics.countSlowClient()
            channel.close(promise: nil)
        }
    }
}
