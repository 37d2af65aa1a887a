internal import Foundation
internal import PawlCore
internal import Synchronization

/// Puts objects and index files into a store so that a crash at any instant loses nothing that was there.
///
/// Order on disk: a file is written under `staging/`, synced, renamed into place; the directories of the
/// objects are synced before an index file names them. The caller holds the store's shared lock.
final class Publisher: Sendable {
    private let store: Store
    private let directory: URL
    private let state = Mutex(State())

    private struct State {
        var next = 0
        var touched: Set<URL> = []
    }

    /// What became of an object.
    struct Placed: Sendable {
        let digest: Digest
        let size: Int
        let isNew: Bool
    }

    init(_ store: Store) throws {
        self.store = store
        directory = store.staging.appending(path: UUID().uuidString, directoryHint: .isDirectory)
        try Files.createDirectory(directory)
    }

    /// Removes the staging directory; what was published stays.
    func close() { try? Files.remove(directory) }

    /// Publishes an object that consists of these pieces; an intact one that is there already stays.
    func publish(_ pieces: [[UInt8]]) throws -> Placed {
        var hasher = SHA256()
        for piece in pieces { hasher.update(piece) }
        let digest = hasher.finish()
        let size = pieces.reduce(0) { $0 + $1.count }
        guard size <= max(store.objectLimit, Self.smallestLimit) else {
            throw PawlError(
                .invalidArgument,
                "an object of \(size) bytes is larger than the limit of \(store.objectLimit)")
        }
        let target = store.url(ofObject: digest)
        // A fresh modification time keeps `collect` away from what a tree is about to name.
        if try Self.isIntact(target, digest), FileAccess.touch(target.path) {
            return Placed(digest: digest, size: size, isNew: false)
        }
        try place(pieces, at: target)
        return Placed(digest: digest, size: size, isNew: true)
    }

    /// Documents and the heads of small tensors may always have this size, whatever limit a test sets.
    private static let smallestLimit = 1 << 20

    /// Publishes the index file of a tensor; its object must be synced.
    func publishPointer(tensor: Digest, head: Digest) throws {
        let target = store.url(ofPointer: tensor)
        let content = Array((head.hex + "\n").utf8)
        if let old = try? Files.read(target), old == content { return }
        try place([content], at: target)
    }

    private static func isIntact(_ target: URL, _ digest: Digest) throws -> Bool {
        guard Files.exists(target) else { return false }
        return try FileReader(target.path).digest().digest == digest
    }

    private func place(_ pieces: [[UInt8]], at target: URL) throws {
        let name = state.withLock { state in
            state.next += 1
            return "\(state.next)"
        }
        let temporary = directory.appending(path: name).path
        try FileAccess.create(
            temporary, mode: 0o444, beforeSync: { store.observer?(.syncFile(target.path)) }
        ) { descriptor in
            for piece in pieces {
                try piece.withBytes { try Files.writeAll($0, to: descriptor, path: target.path) }
            }
        }
        let parent = target.deletingLastPathComponent()
        try FileAccess.makeDirectory(parent.path)
        store.observer?(.rename(to: target.path))
        try FileAccess.move(temporary, to: target.path)
        state.withLock { state in
            state.touched.insert(parent)
            state.touched.insert(parent.deletingLastPathComponent())
        }
    }

    /// Makes every name published so far durable.
    func sync() throws {
        let touched = state.withLock { state in
            defer { state.touched = [] }
            return state.touched
        }
        for directory in touched.sorted(by: { $0.path > $1.path }) {
            store.observer?(.syncDirectory(directory.path))
            try Files.syncDirectory(directory)
        }
    }
}

extension Store {
    /// Path of an object or index file below its directory: two digits, then all 64.
    private static func place(_ digest: Digest) -> String { "\(digest.hex.prefix(2))/\(digest.hex)" }

    func url(ofObject digest: Digest) -> URL { objects.appending(path: Self.place(digest)) }
    func url(ofPointer tensor: Digest) -> URL { pointers.appending(path: Self.place(tensor)) }

    static func name(ofObject digest: Digest) -> String { "objects/" + place(digest) }
    static func name(ofPointer tensor: Digest) -> String { "tensors/" + place(tensor) }

    /// Runs a change under the shared lock with a publisher, which is closed whatever happens.
    func publishing<R>(_ body: (Publisher) throws -> R) throws -> R {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        let publisher = try Publisher(self)
        defer { publisher.close() }
        return try body(publisher)
    }
}
