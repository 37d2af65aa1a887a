public import Foundation
internal import GRDB
internal import PawlCore
public import PawlStore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// The registry: checkpoints, skills, suites, verdicts and the journal, on top of a store.
///
/// A handle is a value over files and SQLite; other processes may use the same registry at the same time.
/// Every change is one entry of the journal and one transaction (docs/registry.md). Keep one handle a
/// process: each holds a pool of database connections.
public struct Registry: Sendable {
    /// The directory: `pawl.db`, `HEAD`, `objects/`, `work/`, `cache/`, `plugins/`, `lock`.
    public let root: URL
    /// The store in the same directory.
    public let store: Store
    /// Who makes changes through this handle, for the journal.
    public var actor: String

    let pool: DatabasePool
    /// Identity of the database file, so that a rebuild by another process is noticed.
    let file: FileIdentity
    /// Called between the steps of a change; tests stop here.
    var interruption: (@Sendable (CommitStep) throws -> Void)?

    /// Makes an empty registry; `alreadyExists` when the directory holds one that has a base.
    ///
    /// Call ``initialise(_:documents:)`` next to give it its base. An empty one is taken as it is, so that
    /// a creation that was cut off, or an import of the base that failed, can be repeated.
    public static func create(at root: URL, actor: String? = nil) throws -> Registry {
        try Files.createDirectory(root)
        do {
            let lock = try FileLock(lockFile(root))
            defer { withExtendedLifetime(lock) {} }
            guard !Files.exists(headFile(root)) else {
                throw PawlError(
                    .alreadyExists, "\(root.path) already holds a registry",
                    hint: "use it with --registry \(root.path), or choose another directory")
            }
            if !Files.exists(root.appending(path: "store.json")) { _ = try Store.create(at: root) }
            for name in ["work", "plugins"] {
                try Files.createDirectory(root.appending(path: name, directoryHint: .isDirectory))
            }
            try openDatabase(databaseFile(root)).close()
            try Files.syncDirectory(root)
        }
        return try Registry(opening: root, actor: actor)
    }

    /// Opens the registry in a directory.
    ///
    /// Fails with `noRegistry` when there is none, `corrupt` when database and journal disagree,
    /// `unsupported` when a newer Pawl made it. Moves `HEAD` forward when a change was cut off before it could.
    public init(opening root: URL, actor: String? = nil) throws {
        let root = URL(filePath: root.path, directoryHint: .isDirectory).absoluteURL
        try Self.checkPresence(root)
        let lock = try FileLock(Self.lockFile(root))
        defer { withExtendedLifetime(lock) {} }
        self.root = root
        self.store = try Store(opening: root)
        self.actor = actor ?? Self.defaultActor
        self.pool = try Self.openDatabase(Self.databaseFile(root))
        self.file = try FileIdentity(Self.databaseFile(root))
        try reconcileHead()
    }

    private static func checkPresence(_ root: URL) throws {
        if Files.exists(databaseFile(root)) { return }
        if Files.exists(headFile(root)) {
            throw PawlError(
                .corrupt,
                "the registry \(root.path) has lost its index \(databaseFile(root).lastPathComponent)",
                hint: "pawl verify --rebuild makes it again from the journal")
        }
        throw PawlError(
            .noRegistry, "there is no registry in \(root.path)",
            hint: "pawl init --base DIR makes one; --registry DIR or PAWL_REGISTRY names another place")
    }

    static func databaseFile(_ root: URL) -> URL { root.appending(path: "pawl.db") }
    static func headFile(_ root: URL) -> URL { root.appending(path: "HEAD") }
    static func lockFile(_ root: URL) -> URL { root.appending(path: "lock") }

    /// Directory of resumable trainings.
    public var work: URL { root.appending(path: "work", directoryHint: .isDirectory) }
    /// Directory of the registry's own skills, suites and engines.
    public var plugins: URL { root.appending(path: "plugins", directoryHint: .isDirectory) }

    private static var defaultActor: String {
        "\(ProcessInfo.processInfo.environment["USER"] ?? "unknown")@\(ProcessIdentity.hostName)"
    }
}

/// Device and inode of a file: what stays the same while the file is not replaced.
struct FileIdentity: Sendable, Hashable {
    let device: UInt64
    let inode: UInt64

    init(_ url: URL) throws {
        var status = stat()
        guard stat(url.path, &status) == 0 else { throw Files.error("open", url.path) }
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
    }
}
