internal import PawlCore
internal import PawlWorkflow

/// A streamed answer: server-sent events, each a `data:` line of JSON, and `[DONE]` at the end.
enum EventStream {
    /// The answer to a request, chunk by chunk.
    ///
    /// What fails once it has begun is an event with an error, after which nothing comes. Whoever stops reading ends the
    /// answering.
    ///
    /// - Parameters:
    ///   - first: chunks before any event of the answer.
    ///   - chunks: those that an event makes.
    ///   - last: chunks after the last event, with the tokens that were drawn.
    static func reply<Chunk: Encodable & SendableMetatype>(
        _ events: AsyncThrowingStream<AnswerEvent, any Error>, first: [Chunk],
        chunks: @escaping @Sendable (AnswerEvent) -> [Chunk], last: @escaping @Sendable (Int) -> [Chunk]
    ) throws -> Reply {
        let (stream, continuation) = AsyncThrowingStream<[UInt8], any Error>.makeStream()
        for chunk in first { continuation.yield(try data(chunk)) }
        let task = Task {
            do {
                var tokens = 0
                for try await event in events {
                    for chunk in chunks(event) { continuation.yield(try data(chunk)) }
                    if case .end(_, _, _, let count) = event { tokens += count }
                }
                try Task.checkCancellation()
                for chunk in last(tokens) { continuation.yield(try data(chunk)) }
                continuation.yield(Array("data: [DONE]\n\n".utf8))
            } catch {
                if let event = try? data(OpenAIError(error).body) { continuation.yield(event) }
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in task.cancel() }
        return Reply(
            type: "text/event-stream", headers: [("cache-control", "no-cache"), ("x-accel-buffering", "no")],
            .stream(stream))
    }

    private static func data(_ value: some Encodable) throws -> [UInt8] {
        Array("data: ".utf8) + (try JSON.canonical(value)) + Array("\n\n".utf8)
    }
}
