internal import Foundation
internal import GRDB
public import PawlCore
internal import Synchronization

/// Who holds the lease of a registry.
public struct LeaseHolder: Codable, Sendable, Hashable {
    /// The process: `host:pid:start-time`.
    public var owner: String
    /// What it does ("register tool-use").
    public var operation: String
    /// Since when.
    public var acquired: Timestamp
    /// When it was last known to be alive.
    public var heartbeat: Timestamp

    private enum CodingKeys: String, CodingKey { case owner, operation, acquired, heartbeat }
}

/// The right to run the one long operation of a registry; given back by ``release()`` or when it goes away.
///
/// A thread renews it. When its process dies, or is silent for a minute, another takes it over; the
/// holder learns of that from ``confirm()``.
public final class Lease: Sendable {
    /// What it was taken for.
    public let operation: String

    private let pool: DatabasePool
    private let token: String
    private let state = Mutex(State.held)
    private let stop = DispatchSemaphore(value: 0)

    private enum State { case held, lost, released }

    /// Seconds between two heartbeats.
    static let interval: Double = 5
    /// Seconds of silence after which a lease is taken over.
    static let patience: Double = 60

    fileprivate init(pool: DatabasePool, token: String, operation: String, interval: Double) {
        self.pool = pool
        self.token = token
        self.operation = operation
        let thread = Thread { [pool, token, stop, weak self] in
            while stop.wait(timeout: .now() + interval) == .timedOut {
                // A busy database is no reason to give up: the next beat comes in time.
                guard let isOurs = try? Self.beat(pool, token) else { continue }
                if !isOurs {
                    self?.state.withLock { if $0 == .held { $0 = .lost } }
                    return
                }
            }
        }
        thread.name = "pawl lease"
        thread.start()
    }

    deinit {
        stop.signal()
        Self.remove(pool, token)
    }

    /// Fails with `conflict` when another process took the lease over: nothing may be recorded any more.
    public func confirm() throws {
        let isOurs = try Registry.wrapping("the lease") { try Self.beat(pool, token) }
        guard isOurs, state.withLock({ $0 == .held }) else {
            throw PawlError(
                .conflict, "another process has taken over the lease for \"\(operation)\"",
                hint:
                    "this process was silent for more than \(Int(Self.patience)) s; run the same command again"
            )
        }
    }

    /// Gives the lease back; nothing happens the second time.
    public func release() {
        state.withLock { $0 = .released }
        stop.signal()
        Self.remove(pool, token)
    }

    /// Renews the row; false when it is no longer ours.
    private static func beat(_ pool: DatabasePool, _ token: String) throws -> Bool {
        try pool.write { db in
            try db.execute(
                sql: "UPDATE lease SET heartbeat = ? WHERE token = ?",
                arguments: [Timestamp.now.description, token])
            return db.changesCount == 1
        }
    }

    private static func remove(_ pool: DatabasePool, _ token: String) {
        // When this fails the row stays, and the next one to ask finds this process dead or silent.
        try? pool.write { db in try db.execute(sql: "DELETE FROM lease WHERE token = ?", arguments: [token]) }
    }
}

extension Registry {
    /// Takes the lease for a long operation; `locked` names who holds it, for what and since when.
    public func acquireLease(_ operation: String) throws -> Lease {
        try acquireLease(operation, owner: .current, interval: Lease.interval, patience: Lease.patience)
    }

    func acquireLease(
        _ operation: String, owner: ProcessIdentity, interval: Double = Lease.interval,
        patience: Double = Lease.patience
    ) throws -> Lease {
        let token = UUID().uuidString
        let now = Timestamp.now
        try Self.wrapping("the lease") {
            try pool.write { db in
                if let holder = try Self.leaseHolder(db),
                    !Self.isAbandoned(holder, now: now, patience: patience)
                {
                    throw Self.lockedError(holder, now: now)
                }
                try db.execute(
                    sql: """
                        INSERT OR REPLACE INTO lease (id, token, owner, operation, acquired, heartbeat)
                        VALUES (1, ?, ?, ?, ?, ?)
                        """,
                    arguments: [token, owner.description, operation, now.description, now.description])
            }
        }
        return Lease(pool: pool, token: token, operation: operation, interval: interval)
    }

    /// Who holds the lease; nil when nobody does or its holder is gone.
    public func leaseHolder() throws -> LeaseHolder? {
        let holder = try read { try Self.leaseHolder($0) }
        return holder.flatMap { Self.isAbandoned($0, now: .now, patience: Lease.patience) ? nil : $0 }
    }

    static func leaseHolder(_ db: Database) throws -> LeaseHolder? {
        try Row.fetchOne(db, sql: "SELECT owner, operation, acquired, heartbeat FROM lease").map { row in
            LeaseHolder(
                owner: row["owner"], operation: row["operation"], acquired: try row.timestamp("acquired"),
                heartbeat: try row.timestamp("heartbeat"))
        }
    }

    static func isAbandoned(_ holder: LeaseHolder, now: Timestamp, patience: Double) -> Bool {
        // A process of this machine is known to live or not, however long it was stopped or the clock jumped;
        // silence decides only about other machines.
        if let isAlive = ProcessIdentity(holder.owner)?.isAlive { return !isAlive }
        return Double(now.milliseconds - holder.heartbeat.milliseconds) > patience * 1000
    }

    static func lockedError(_ holder: LeaseHolder, now: Timestamp) -> PawlError {
        let seconds = max(0, (now.milliseconds - holder.heartbeat.milliseconds) / 1000)
        return PawlError(
            .locked,
            "the registry is busy with \"\(holder.operation)\" by \(holder.owner) since \(holder.acquired)",
            hint:
                "wait for it; it last showed life \(seconds) s ago, and its lease is free once that process is gone"
        )
    }
}
