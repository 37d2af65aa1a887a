public import Foundation
internal import GRDB
public import PawlCore
internal import PawlStore

/// What a rebuild made.
public struct RebuildReport: Codable, Sendable, Hashable {
    /// Number of entries replayed.
    public var entries: Int
    /// The newest one; nil for an empty journal.
    public var head: Digest?
    /// True when `HEAD` was missing, so that the newest entry that another one names was taken.
    public var wasHeadMissing: Bool
    /// Where the journal splits.
    public var forks: [Fork]
    /// Entries that do not count because nothing names them.
    public var unconfirmed: [Digest]
    /// The former database, kept beside the new one; nil when there was none.
    public var former: String?

    private enum CodingKeys: String, CodingKey {
        case entries, head, forks, unconfirmed, former
        case wasHeadMissing = "was_head_missing"
    }
}

extension Registry {
    /// Makes the database of a registry again from its journal; the former file stays beside it.
    ///
    /// Fails with `locked` while a live process holds the lease, `corrupt` when the journal cannot be read.
    public static func rebuild(at root: URL) throws -> RebuildReport {
        let root = URL(filePath: root.path, directoryHint: .isDirectory).absoluteURL
        guard Files.exists(databaseFile(root)) || Files.exists(headFile(root)) else {
            throw PawlError(.noRegistry, "there is no registry in \(root.path)")
        }
        let lock = try FileLock(lockFile(root))
        defer { withExtendedLifetime(lock) {} }
        try refuseWhileLeased(root)
        let temporary = root.appending(path: "pawl.db.rebuilding")
        try removeDatabase(temporary)
        var report = try replay(root, into: temporary)
        report.former = try setAside(databaseFile(root))
        try Files.rename(temporary, to: databaseFile(root))
        if let head = report.head { try Head.write(head, root: root) }
        return report
    }

    /// Makes the database again in another file, which must not exist, and touches nothing else.
    public static func rebuild(at root: URL, into database: URL) throws -> RebuildReport {
        guard !Files.exists(database) else {
            throw PawlError(.alreadyExists, "\(database.path) is there already", hint: "name a new file")
        }
        return try replay(root, into: database)
    }

    private static func replay(_ root: URL, into database: URL) throws -> RebuildReport {
        let store = try Store(opening: root)
        let head = try Head.read(root)
        let chain = try Chain(store: store, head: head, documents: store.documents())
        try wrapping(database.path) {
            let queue = try DatabaseQueue(path: database.path)
            try replay(chain.entries, store: store, into: queue)
            try queue.close()
        }
        return RebuildReport(
            entries: chain.entries.count, head: chain.head, wasHeadMissing: head == nil, forks: chain.forks,
            unconfirmed: chain.unconfirmed)
    }

    /// Fills an empty database by the code that filled the original.
    static func replay(_ entries: [JournalEntry], store: Store, into queue: DatabaseQueue) throws {
        try Schema.migrator.migrate(queue)
        try queue.write { db in
            for entry in entries {
                do {
                    try apply(entry, to: db) { try store.document($0) }
                } catch let error as PawlError where error.code == .notFound || error.code == .corrupt {
                    throw PawlError(
                        .corrupt,
                        "journal entry \(entry.sequence) (\(entry.kind.rawValue)) cannot be replayed",
                        hint: "a document that it rests on is missing or damaged", underlying: error)
                }
            }
        }
    }

    private static func refuseWhileLeased(_ root: URL) throws {
        guard Files.exists(databaseFile(root)) else { return }
        var configuration = Configuration()
        configuration.readonly = true
        // The database may be too damaged to tell; then there is nobody who could be working in it.
        guard let queue = try? DatabaseQueue(path: databaseFile(root).path, configuration: configuration),
            let holder = try? queue.read(leaseHolder),
            !isAbandoned(holder, now: .now, patience: Lease.patience)
        else { return }
        throw lockedError(holder, now: .now)
    }

    /// Moves a database away with its log, the database first: what dies here leaves none, not half of one.
    private static func setAside(_ file: URL) throws -> String? {
        let parts = ["", "-wal", "-shm"].filter { Files.exists(URL(filePath: file.path + $0)) }
        guard !parts.isEmpty else { return nil }
        let stamp = Timestamp.now.description.filter { $0.isNumber }
        let former = file.deletingLastPathComponent().appending(path: "pawl.db.\(stamp)")
        // Also a log whose database a killed rebuild has moved already: beside a new database it would be replayed.
        for suffix in parts {
            try Files.rename(URL(filePath: file.path + suffix), to: URL(filePath: former.path + suffix))
        }
        return former.path
    }

    private static func removeDatabase(_ file: URL) throws {
        for suffix in ["", "-wal", "-shm", "-journal"] { try Files.remove(URL(filePath: file.path + suffix)) }
    }
}
