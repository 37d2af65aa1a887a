public import Foundation
internal import PawlCore

/// A content-addressed store of documents and of trees of tensors (docs/format.md).
///
/// A handle is a value over files: make as many as you like, in as many processes as you like. Writers hold
/// a shared lock on the store and ``collect(keepingTrees:documents:graceSeconds:dryRun:)`` an exclusive one.
public struct Store: Sendable {
    /// The directory that holds `objects/`, `tensors/`, `staging/`, `cache/`, `store.json` and `store.lock`.
    public let root: URL
    /// No object is larger than this (64 MiB; tests make it small to exercise parts).
    var objectLimit = 64 << 20
    /// About so many raw bytes become visible at a time when a history is repacked: what a kill costs at most, and
    /// how long a collection waits (256 MiB; tests make it small).
    var repackBatch = 256 << 20
    /// Called before every step that changes the disk; tests copy or kill here.
    var observer: (@Sendable (StorageStep) -> Void)?

    /// Makes an empty store in a directory, which is created when absent.
    ///
    /// Fails with `alreadyExists` when the directory holds a store.
    public static func create(at root: URL) throws -> Store {
        let store = Store(root: root)
        guard !Files.exists(store.formatFile) else {
            throw PawlError(.alreadyExists, "\(root.path) already holds a store")
        }
        try store.makeDirectories()
        try Files.writeAtomically(Self.formatBytes, to: store.formatFile)
        return store
    }

    /// Opens the store in a directory; `notFound` when there is none, `unsupported` when it is of a newer format.
    public init(opening root: URL) throws {
        self.init(root: root)
        guard Files.exists(formatFile) else {
            throw PawlError(
                .notFound, "there is no store in \(root.path)", hint: "a store has a file store.json")
        }
        try checkFormat()
        try makeDirectories()
    }

    private init(root: URL) {
        self.root = URL(filePath: root.path, directoryHint: .isDirectory).absoluteURL
    }

    static let formatBytes = Array(#"{"type":"store","version":1}"#.utf8) + [0x0A]

    var formatFile: URL { root.appending(path: "store.json") }
    var objects: URL { root.appending(path: "objects", directoryHint: .isDirectory) }
    var pointers: URL { root.appending(path: "tensors", directoryHint: .isDirectory) }
    var staging: URL { root.appending(path: "staging", directoryHint: .isDirectory) }
    var cache: URL { root.appending(path: "cache", directoryHint: .isDirectory) }

    /// Makes the directories that are not there: a copy of a store may have lost its empty ones.
    private func makeDirectories() throws {
        for directory in [objects, pointers, staging, cache] where !Files.exists(directory) {
            try Files.createDirectory(directory)
        }
    }

    func checkFormat() throws {
        let bytes = try Files.read(formatFile)
        guard bytes != Self.formatBytes else { return }
        let value = try? JSON.parse(bytes, source: formatFile.path)
        if value?["type"]?.string == "store", let version = value?["version"]?.int, version > 1 {
            throw PawlError(
                .unsupported,
                "\(root.path) is a store of format \(version); this is Pawl \(PawlVersion.current)",
                hint: "use a newer Pawl")
        }
        throw PawlError(
            .corrupt, "\(formatFile.path) is damaged",
            hint: "its content is \(#"{"type":"store","version":1}"#)")
    }

    /// Calls `body` while no collection removes anything: what is looked up in it stays until it ends.
    public func withoutCollection<R>(_ body: () throws -> R) throws -> R {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        return try body()
    }

    /// The lock that writers and readers share and `collect` takes alone.
    func lock(_ mode: FileLock.Mode) throws -> FileLock {
        try FileLock(root.appending(path: "store.lock"), mode)
    }
}

/// A change of the disk that a store is about to make.
enum StorageStep: Sendable, Hashable {
    case syncFile(String)
    case rename(to: String)
    case syncDirectory(String)
    case remove(String)
}
