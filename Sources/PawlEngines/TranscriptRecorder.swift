internal import Foundation
internal import PawlCore
internal import Synchronization

/// Keeps what host and engine say to each other, bounded: the start in full, then the most recent part.
final class TranscriptRecorder: Sendable {
    /// Who said it.
    enum Party: String { case host, engine }

    private struct State {
        var head: [UInt8] = []
        var tail: [[UInt8]] = []
        var tailBytes = 0
        var omitted = 0
    }

    private let state = Mutex(State())
    private let start = ContinuousClock.now
    private let headLimit: Int
    private let tailLimit: Int

    /// Makes an empty record with its bounds in bytes.
    init(headLimit: Int = 4 << 20, tailLimit: Int = 2 << 20) {
        self.headLimit = headLimit
        self.tailLimit = tailLimit
    }

    /// Adds a message.
    func record(_ party: Party, message: JSONValue) { add(party, "message", message) }

    /// Adds a line that was no message.
    func record(_ party: Party, text: [UInt8]) {
        add(party, "text", .string(LineSplitter.quote(text, limit: 4096)))
    }

    private func add(_ party: Party, _ field: String, _ value: JSONValue) {
        let elapsed = Int64((start.duration(to: .now).inSeconds * 1000).rounded())
        let entry: JSONValue = .object([
            "elapsed_ms": .int(elapsed), "from": .string(party.rawValue), field: value,
        ])
        guard let line = (try? JSON.canonical(entry)).map({ $0 + [0x0A] }) else { return }
        state.withLock { state in
            if state.tail.isEmpty, state.head.count + line.count <= headLimit {
                state.head += line
                return
            }
            state.tail.append(line)
            state.tailBytes += line.count
            while state.tailBytes > tailLimit, state.tail.count > 1 {
                state.tailBytes -= state.tail.removeFirst().count
                state.omitted += 1
            }
        }
    }

    /// The record so far; where entries were dropped a line `{"omitted":n}` stands.
    var transcript: Transcript {
        state.withLock { state in
            var bytes = state.head
            if state.omitted > 0 { bytes += Array("{\"omitted\":\(state.omitted)}\n".utf8) }
            for line in state.tail { bytes += line }
            return Transcript(bytes: bytes)
        }
    }
}
