internal import Hummingbird
internal import NIOCore
internal import PawlCore

/// Sends an answer piece by piece, each in the time that a client has to take it.
struct Sender: Sendable {
    let answer: Dispatcher.Answer
    let dispatcher: Dispatcher
    let channel: any Channel
    let departure: Departure
    /// Whether the connection ends with this answer: what is left of the request is not read.
    let closes: Bool

    /// Larger answers are sent in pieces of this size, so that a slow client is told from one that takes much.
    private static let pieceBytes = 64 << 10

    /// The body of an answer whose bytes are there.
    func body(_ bytes: [UInt8], length: Int) -> ResponseBody {
        ResponseBody(contentLength: length) { writer in
            var sent = 0
            defer { answer.finish(sent) }
            while sent < bytes.count {
                let piece = bytes[sent..<min(sent + Self.pieceBytes, bytes.count)]
                try await write(piece, to: &writer)
                sent += piece.count
            }
            try await finish(writer)
        }
    }

    /// The body of an answer that comes piece by piece.
    ///
    /// A task of its own takes the pieces, so that it can be cancelled when the client goes; it takes the next one only
    /// when the one before was sent.
    func body(_ stream: AsyncThrowingStream<[UInt8], any Error>) -> ResponseBody {
        ResponseBody { writer in
            var sent = 0
            defer { answer.finish(sent) }
            let (pieces, output) = AsyncThrowingStream.makeStream(of: [UInt8].self)
            let (turns, turn) = AsyncStream.makeStream(of: Void.self)
            let source = Task {
                var waiting = turns.makeAsyncIterator()
                do {
                    for try await piece in stream {
                        output.yield(piece)
                        guard await waiting.next() != nil else { break }
                    }
                    output.finish()
                } catch {
                    output.finish(throwing: error)
                }
            }
            let watch = departure.onDeparture { source.cancel() }
            defer {
                source.cancel()
                turn.finish()
                departure.forget(watch)
            }
            for try await piece in pieces {
                try await write(piece[...], to: &writer)
                sent += piece.count
                turn.yield()
            }
            try await finish(writer)
        }
    }

    private func write(_ piece: ArraySlice<UInt8>, to writer: inout any ResponseBodyWriter) async throws {
        let alarm = dispatcher.alarm(channel, after: dispatcher.limits.writeSeconds)
        defer { alarm.cancel() }
        try await writer.write(ByteBuffer(bytes: piece))
    }

    private func finish(_ writer: consuming any ResponseBodyWriter) async throws {
        try await writer.finish(nil)
        guard closes else { return }
        // The client gets a moment to read why, then whatever it still sends is not waited for.
        let channel = channel
        channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
    }
}
