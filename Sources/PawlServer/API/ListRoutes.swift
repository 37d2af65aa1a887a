internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow

/// A page of checkpoints, newest first (schemas/checkpoints.json).
struct CheckpointList: Encodable {
    var checkpoints: [Checkpoint]
}

/// A page of registrations, newest first (schemas/registrations.json).
struct RegistrationList: Encodable {
    var registrations: [RegistrationSummary]
}

/// A registration without what it needs to go on, which is nobody else's (schemas/registrations.json).
struct RegistrationSummary: Codable, Sendable {
    var id: String
    var skill: String
    var parent: Digest
    var phase: String
    var created: Timestamp
    var updated: Timestamp
    var finished: Timestamp?
    var outcome: String?
    /// Whether this server runs it now.
    var isRunning: Bool

    private enum CodingKeys: String, CodingKey {
        case id, skill, parent, phase, created, updated, finished, outcome, isRunning = "running"
    }

    init(_ registration: Registration, isRunning: Bool) {
        id = registration.id
        skill = registration.skill
        parent = registration.parent
        phase = registration.phase
        created = registration.created
        updated = registration.updated
        finished = registration.finished
        outcome = registration.outcome
        self.isRunning = isRunning
    }
}

extension APIAnswers {
    /// Lists, page by page, and the stream of what happens.
    var listRoutes: [APIRoute] {
        [
            read(
                ["journal"], "log", "Every change, newest first (pawl log).", [Self.limit, Self.cursor],
                description: Self.pages
            ) { request in try journal(request) },
            read(
                ["checkpoints"], "checkpoints", "All checkpoints, newest first.", [Self.limit, Self.cursor],
                description: Self.pages
            ) { request in try checkpoints(request) },
            read(
                ["registrations"], "registrations", "Registrations, newest first.",
                [Self.limit, Self.cursor],
                description: Self.pages
            ) { request in try registrations(request) },
            read(
                ["registrations", "{registration}"], "registration-summary", "One registration.",
                [.path("registration", .registration, "Its id.")]
            ) { request in
                let id = try request.required("registration")
                // Asked before the record is read: one that ends in between is told as running, never as given up.
                let running = registrar.runningID
                return try Self.json(
                    RegistrationSummary(try registry.registration(id), isRunning: running == id))
            },
            APIRoute(
                method: "GET", path: ["events"], role: .read,
                summary: "What happens in the registry, as it happens (server-sent events).",
                description: """
                    Events are `journal` (an entry, with its number as the event's id: Last-Event-ID goes on from \
                    there), `registration` (a phase began or it ended), `progress` and `note` of what this server runs \
                    (schemas/progress.json), and `failure` (problem details). A comment comes every 15 seconds.
                    """, answer: .events
            ) { request in try events.reply(after: request.call.headers["last-event-id"]) },
        ]
    }

    private static let pages = "The Link header has the address of the next page, where there is one."

    /// Entries are numbered without gaps, so the cursor is the number of the last one shown.
    private func journal(_ request: APIRequest) throws -> Reply {
        let limit = request.count("limit")
        let entries: [JournalEntry]
        if let cursor = request["cursor"] {
            guard let before = Int(cursor), before > 0 else { throw Self.foreign(cursor) }
            let count = min(limit, before - 1)
            entries = try registry.journal(since: before - 1 - count, limit: count).reversed()
        } else {
            entries = try registry.recentEntries(limit)
        }
        let next = entries.last.flatMap { $0.sequence > 1 ? "\($0.sequence)" : nil }
        return try Self.page(LogReport(entries: entries), of: request, next: next)
    }

    private func checkpoints(_ request: APIRequest) throws -> Reply {
        let (items, next) = try Self.part(registry.checkpoints().reversed(), of: request) { $0.digest.hex }
        return try Self.page(CheckpointList(checkpoints: items), of: request, next: next)
    }

    private func registrations(_ request: APIRequest) throws -> Reply {
        let running = registrar.runningID
        let (items, next) = try Self.part(registry.registrations().reversed(), of: request, id: \.id)
        let summaries = items.map { RegistrationSummary($0, isRunning: $0.id == running) }
        return try Self.page(RegistrationList(registrations: summaries), of: request, next: next)
    }

    /// The part of a list behind the entry that the cursor names, and the cursor of the next part.
    static func part<T>(_ list: [T], of request: APIRequest, id: (T) -> String) throws -> ([T], String?) {
        var start = 0
        if let cursor = request["cursor"] {
            guard let last = list.firstIndex(where: { id($0) == cursor }) else { throw foreign(cursor) }
            start = last + 1
        }
        let items = Array(list[start...].prefix(request.count("limit")))
        return (items, start + items.count < list.count ? items.last.map(id) : nil)
    }

    private static func foreign(_ cursor: String) -> PawlError {
        PawlError(.notFound, "the cursor \"\(cursor)\" does not come from this list")
    }
}
