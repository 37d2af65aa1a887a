public import Foundation
public import PawlCore

extension Store {
    /// A verified, read-only copy of a tree in the cache, for programs that read files.
    ///
    /// The copy is re-hashed unless no file of it was touched since it last was, and made again when it is not
    /// what it should be. It stays until ``evict(_:)``, or until a collection whose trees do not include it.
    public func materialise(_ tree: Digest, progress: ProgressHandler? = nil) throws -> URL {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        let directory = cache.appending(path: tree.hex, directoryHint: .isDirectory)
        // One process at a time makes or checks a copy; others wait and find it.
        let turn = try turn(tree)
        defer { withExtendedLifetime(turn) {} }
        let manifest = try self.tree(tree)
        if Files.exists(directory) {
            // Taken before the bytes are read: what changes meanwhile no longer fits it.
            let start = Int64(Date().timeIntervalSince1970 * 1e9)
            let stamp = try CopyStamp(directory, manifest)
            if stamp?.isKept(in: stampFile(tree)) == true { return directory }
            if try isIntact(directory, manifest, progress) {
                try stamp?.keep(in: stampFile(tree), checkedFrom: start)
                return directory
            }
            try Self.removeTree(directory)
        }
        try write(tree, to: directory, modes: .readOnly, progress)
        return directory
    }

    /// Removes a tree from the cache; nothing happens when it is not there.
    public func evict(_ tree: Digest) throws {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        let turn = try turn(tree)
        defer { withExtendedLifetime(turn) {} }
        try Self.removeTree(cache.appending(path: tree.hex, directoryHint: .isDirectory))
        try FileAccess.unlinkFile(stampFile(tree).path)
    }

    /// What is known of the copy that was last compared with its tree (``CopyStamp``).
    private func stampFile(_ tree: Digest) -> URL { cache.appending(path: "\(tree.hex).checked") }

    private func turn(_ tree: Digest) throws -> FileLock {
        try FileLock(cache.appending(path: "\(tree.hex).lock"))
    }

    /// The trees in the cache, sorted.
    public func cachedTrees() throws -> [Digest] {
        try FileAccess.names(in: cache.path).compactMap { Digest(hex: $0) }
    }

    /// True when a cached copy has exactly the files and bytes of its tree.
    private func isIntact(_ directory: URL, _ manifest: TreeManifest, _ progress: ProgressHandler?) throws
        -> Bool
    {
        do {
            let source = try ImportSource(directory)
            let digests = try source.hashBlocks(memoryLimit: 512 << 20, progress).map(\.tensor)
            let found = try source.manifest(digests)
            return found.entries.map(\.path) == manifest.entries.map(\.path)
                && found.entries.map(\.content) == manifest.entries.map(\.content)
        } catch is PawlError {
            return false
        }
    }
}
