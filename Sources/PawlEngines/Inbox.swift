internal import Dispatch
internal import PawlCore
internal import Synchronization

/// What happens to a running engine, in the order in which the host learns of it.
enum EngineEvent: Sendable {
    /// A well-formed message.
    case message(JSONValue)
    /// Something on stdout that is no message; says what, quoting the line.
    case violation(String)
    /// Nothing more will come on stdout.
    case outputEnded
    /// The process is gone (its status is not collected yet).
    case exited
    /// The caller's task was cancelled.
    case cancelled
}

/// A queue of events with one reader, who may wait for the next one until a deadline.
///
/// The readers of stdout, the thread that waits for the process and a cancelled task put events in.
final class Inbox: Sendable {
    private struct State {
        var queue: [EngineEvent] = []
        var waiter: CheckedContinuation<EngineEvent?, Never>?
        var ticket = 0
        var hasExited = false
        var hasOutputEnded = false
        var isCancelled = false
        var isFlooded = false
    }

    private let state = Mutex(State())
    private static let limit = 10_000

    /// Whether the process has gone.
    var hasExited: Bool { state.withLock { $0.hasExited } }

    /// Whether stdout has ended; all that came before is in the queue.
    var hasOutputEnded: Bool { state.withLock { $0.hasOutputEnded } }

    /// Whether the caller's task was cancelled.
    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Adds an event and wakes the reader.
    func put(_ event: EngineEvent) {
        let waiter = state.withLock { state -> CheckedContinuation<EngineEvent?, Never>? in
            switch event {
            case .exited: state.hasExited = true
            case .outputEnded: state.hasOutputEnded = true
            case .cancelled: state.isCancelled = true
            case .message where state.queue.count >= Self.limit:
                // Nobody reads this fast on purpose; memory must not grow with an engine's mistake.
                if !state.isFlooded {
                    state.isFlooded = true
                    state.queue.append(.violation("it sent \(Self.limit) messages faster than they are read"))
                }
                return nil
            default: break
            }
            guard let waiter = state.waiter else {
                state.queue.append(event)
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: event)
    }

    /// The next event; nil when none has come by the deadline. Only one task may wait at a time.
    ///
    /// The clock stands still while the machine sleeps, so that waking up is no missed heartbeat.
    func next(until deadline: SuspendingClock.Instant) async -> EngineEvent? {
        await withCheckedContinuation { continuation in
            let (event, ticket) = state.withLock { state -> (EngineEvent?, Int) in
                if !state.queue.isEmpty { return (state.queue.removeFirst(), 0) }
                state.waiter = continuation
                state.ticket += 1
                return (nil, state.ticket)
            }
            if let event { return continuation.resume(returning: event) }
            // A timer of Dispatch rather than a sleeping task: it fires though the pool be busy.
            let left = max(.zero, SuspendingClock.now.duration(to: deadline))
            DispatchQueue.global().asyncAfter(deadline: .now() + left.inSeconds) { [weak self] in
                self?.expire(ticket)
            }
        }
    }

    private func expire(_ ticket: Int) {
        let waiter = state.withLock { state -> CheckedContinuation<EngineEvent?, Never>? in
            guard state.ticket == ticket, let waiter = state.waiter else { return nil }
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: nil)
    }
}

extension Duration {
    /// The duration as a number of seconds.
    var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }

    /// The duration for people: "60 s", "0.5 s".
    var text: String {
        let seconds = inSeconds
        return seconds == seconds.rounded() ? "\(Int64(seconds)) s" : "\(seconds) s"
    }
}
