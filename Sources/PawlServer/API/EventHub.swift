internal import Foundation
internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow
internal import Synchronization

/// Hands what happens to everybody who watches, as server-sent events.
///
/// What this server runs is published; what other processes change is seen in the journal and in `work/`, once a second
/// for all who watch together.
final class EventHub: Sendable {
    /// Events that wait for a watcher who takes them too slowly; older ones are dropped, the journal has them.
    private static let backlog = 256
    /// Seconds between two looks at the registry, and between two signs of life.
    private static let interval = 1.0
    private static let heartbeat = 15.0

    private struct State {
        var watchers: [UUID: AsyncThrowingStream<[UInt8], any Error>.Continuation] = [:]
        var watch: Task<Void, Never>?
        var isClosed = false
        /// The registration that this server runs, which tells of itself.
        var here: String?
        var activity = ""
        var began = Date()
        var first: Int64 = 0
        var lastSent = Date.distantPast
    }

    private let registry: Registry
    private let state = Mutex(State())

    init(registry: Registry) { self.registry = registry }

    /// A stream of events for one watcher.
    ///
    /// - Parameter last: the id of the last event that it had: the number of a journal entry.
    func reply(after last: String?) throws -> Reply {
        let (stream, continuation) = AsyncThrowingStream.makeStream(
            of: [UInt8].self, bufferingPolicy: .bufferingNewest(Self.backlog))
        let id = UUID()
        continuation.onTermination = { [weak self] _ in self?.leave(id) }
        continuation.yield(Array("retry: 3000\n\n".utf8))
        for entry in try missed(after: last) {
            continuation.yield(Self.text("journal", entry, id: "\(entry.sequence)"))
        }
        let isOpen = state.withLock { state in
            guard !state.isClosed else { return false }
            state.watchers[id] = continuation
            if state.watch == nil { state.watch = Task { [weak self] in await self?.watch() } }
            return true
        }
        if !isOpen { continuation.finish() }  // not under the lock: its end calls `leave`
        return Reply(
            type: "text/event-stream", headers: [(name: "cache-control", value: "no-store")], .stream(stream))
    }

    /// Ends all streams.
    func close() {
        let watchers = state.withLock { state in
            state.isClosed = true
            state.watch?.cancel()
            state.watch = nil
            return Array(state.watchers.values)
        }
        for watcher in watchers { watcher.finish() }
    }

    /// Tells how far what runs here is: each step of a training, other work once a second.
    func publish(_ progress: PawlCore.Progress) {
        let event: ProgressEvent? = state.withLock { state in
            let now = Date()
            if state.activity != progress.activity {
                (state.activity, state.began, state.first) = (progress.activity, now, progress.completed)
                state.lastSent = .distantPast
            }
            let isDue = progress.unit == "steps" || now.timeIntervalSince(state.lastSent) >= 1
            guard isDue || progress.completed == progress.total else { return nil }
            state.lastSent = now
            return ProgressEvent(progress, from: state.first, elapsed: now.timeIntervalSince(state.began))
        }
        if let event { send(Self.text("progress", event)) }
    }

    /// Tells a sentence for people.
    func note(_ line: String) { send(Self.text("note", NoteEvent(text: line))) }

    /// Tells where a registration is.
    func publish(_ registration: RegistrationSummary) {
        state.withLock { state in
            if registration.isRunning {
                state.here = registration.id
            } else if state.here == registration.id {
                state.here = nil
            }
        }
        send(Self.text("registration", registration))
    }

    /// Tells how something that ran here failed.
    func publish(_ failure: PawlError) { send(Self.text("failure", Problem(failure))) }

    private func send(_ event: [UInt8]) {
        let watchers = state.withLock { Array($0.watchers.values) }
        for watcher in watchers { watcher.yield(event) }
    }

    private func leave(_ id: UUID) {
        state.withLock { state in
            state.watchers[id] = nil
            guard state.watchers.isEmpty else { return }
            state.watch?.cancel()
            state.watch = nil
        }
    }

    /// Entries that somebody who was away has missed, the newest hundred at most.
    private func missed(after last: String?) throws -> [JournalEntry] {
        guard let last, let sequence = Int(last), sequence >= 0 else { return [] }
        return try registry.recentEntries(100).filter { $0.sequence > sequence }.reversed()
    }

    /// Looks at the registry while somebody watches.
    private func watch() async {
        var last = (try? registry.recentEntries(1).first?.sequence) ?? 0
        var phases: [String: String] = [:]
        var alive = Date()
        while !Task.isCancelled {
            let seen = last
            let look = try? await Parallel.blocking { [registry] in
                (try registry.journal(since: seen, limit: 100), try registry.unfinishedRegistrations())
            }
            if let (entries, unfinished) = look {
                for entry in entries { send(Self.text("journal", entry, id: "\(entry.sequence)")) }
                last = entries.last?.sequence ?? last
                let now = Dictionary(uniqueKeysWithValues: unfinished.map { ($0.id, $0.phase) })
                let over = phases.keys.filter { now[$0] == nil }.compactMap { try? registry.registration($0) }
                tellElsewhere(unfinished.filter { phases[$0.id] != $0.phase } + over)
                phases = now
            }
            if Date().timeIntervalSince(alive) >= Self.heartbeat {
                send(Array(": alive\n\n".utf8))
                alive = Date()
            }
            try? await Task.sleep(for: .seconds(Self.interval))
        }
    }

    /// Tells of registrations that another process runs; those of this one tell of themselves.
    private func tellElsewhere(_ registrations: [Registration]) {
        let here = state.withLock { $0.here }
        for registration in registrations where registration.id != here {
            send(Self.text("registration", RegistrationSummary(registration, isRunning: false)))
        }
    }

    /// An event with its data on one line: canonical JSON has no line feed.
    private static func text(_ name: String, _ value: some Encodable, id: String? = nil) -> [UInt8] {
        guard let data = try? JSON.canonical(value) else { return [] }
        return Array("event: \(name)\n\(id.map { "id: \($0)\n" } ?? "")data: ".utf8) + data
            + Array("\n\n".utf8)
    }
}
