internal import Foundation
public import PawlCore

extension Store {
    /// Removes what nothing needs, and the left-overs of writers that died.
    ///
    /// Kept: the given trees and documents, everything written in the last `graceSeconds` with all it names,
    /// and every base that a kept delta needs. It waits until no import, export or verification is running.
    /// `corrupt` when a kept tree is damaged, since what it needs cannot be told then.
    ///
    /// - Parameters:
    ///   - rootsRead: when the caller began to find out what is needed. What was written since then stays, however
    ///     long this waits and however short the grace is: the caller cannot have known it.
    ///   - dryRun: only say what would be removed.
    public func collect(
        keepingTrees: Set<Digest>, documents: Set<Digest>, graceSeconds: Double, rootsRead: Timestamp = .now,
        dryRun: Bool = true
    ) throws -> CollectReport {
        let lock = try lock(.exclusive)
        defer { withExtendedLifetime(lock) {} }
        // File times come from the kernel's tick (1 to 10 ms), which lags behind the clock.
        let unknown = rootsRead.milliseconds - 10
        let young = min(unknown, Timestamp.now.milliseconds - Int64(graceSeconds * 1000))
        var marking = Marking(self)
        for tree in keepingTrees { try marking.keep(tree: tree) }
        marking.objects.formUnion(documents)
        let objects = try objectNames()
        for object in objects where try modified(url(ofObject: object)) >= young { try marking.keep(object) }

        let unneeded = objects.filter { !marking.objects.contains($0) }
        let bytes = try unneeded.reduce(0) { $0 + (try openObject($1).size()) }
        let removed = Set(unneeded)
        let pointers = try pointerNames().filter { tensor in
            guard let head = try? pointer(tensor) else { return false }
            return removed.contains(head)
        }
        let temporaryBytes = try Self.size(of: staging)
        if !dryRun {
            // First the names, then what they name: a crash in between leaves objects, never a name of nothing.
            let ranked = try unneeded.map { (object: $0, rank: try removalRank($0)) }
                .sorted { ($0.rank, $0.object) < ($1.rank, $1.object) }
            for (object, rank) in ranked where rank == 0 { try remove(url(ofObject: object)) }
            for tensor in pointers { try remove(url(ofPointer: tensor)) }
            for (object, rank) in ranked where rank > 0 { try remove(url(ofObject: object)) }
            for name in try FileAccess.names(in: staging.path) {
                try Files.remove(staging.appending(path: name))
            }
            try cleanCache(keepingTrees)
        }
        return CollectReport(
            dryRun: dryRun, objects: unneeded, bytes: bytes, keptObjects: objects.count - unneeded.count,
            pointers: pointers.count, temporaryBytes: temporaryBytes)
    }

    /// Documents, which may be manifests, go first, then heads before those that they are restored from, parts last.
    private func removalRank(_ object: Digest) throws -> Int {
        switch try objectKind(object) {
        case .document: return 0
        case .head:
            let head = try? TensorHead.read(try openObject(object), object: object).head
            return 1 + TensorHead.maximumDepth - (head?.header.depth ?? TensorHead.maximumDepth)
        case .part: return 1 + TensorHead.maximumDepth
        }
    }

    private func modified(_ url: URL) throws -> Int64 {
        (try FileStatus(url.path, followLinks: false)?.modified ?? 0) / 1_000_000
    }

    private func remove(_ url: URL) throws {
        observer?(.remove(url.path))
        try FileAccess.unlinkFile(url.path)
    }

    static func size(of directory: URL) throws -> Int {
        try FileAccess.names(in: directory.path).reduce(0) { sum, name in
            let child = directory.appending(path: name)
            guard let status = try FileStatus(child.path, followLinks: false) else { return sum }
            return sum + (status.kind == .directory ? try size(of: child) : status.size)
        }
    }

    /// Removes cached copies of trees that are not kept, and copies that were never finished.
    private func cleanCache(_ keepingTrees: Set<Digest>) throws {
        for name in try FileAccess.names(in: cache.path) {
            // What belongs to a copy is named after it: its lock, what was last seen of it.
            let digest = Digest(hex: name.prefix { $0 != "." })
            if digest.map({ keepingTrees.contains($0) }) == true { continue }
            try Self.removeTree(cache.appending(path: name))
        }
    }
}

/// Everything that kept things lead to.
private struct Marking {
    private let store: Store
    var objects: Set<Digest> = []

    init(_ store: Store) { self.store = store }

    mutating func keep(tree: Digest) throws {
        let manifest = try store.tree(tree)
        objects.insert(tree)
        try keep(manifest)
    }

    private mutating func keep(_ manifest: TreeManifest) throws {
        for tensor in Set(manifest.pieces.map(\.digest)) {
            if try !keepIndexed(tensor) {
                _ = try store.rebuildIndex()
                guard try keepIndexed(tensor) else {
                    throw PawlError(
                        .corrupt, "tensor \(tensor) of a kept tree is missing", hint: "run `pawl verify`")
                }
            }
        }
    }

    /// Keeps what the index names for a tensor; false when there is no sound index file.
    private mutating func keepIndexed(_ tensor: Digest) throws -> Bool {
        guard let head = try? store.pointer(tensor), Files.exists(store.url(ofObject: head)),
            try store.objectKind(head) == .head
        else { return false }
        try keep(head)
        return true
    }

    /// Keeps an object of any kind with all it names.
    mutating func keep(_ object: Digest) throws {
        guard objects.insert(object).inserted else { return }
        switch try store.objectKind(object) {
        case .part: return
        case .document: if let manifest = try? store.tree(object) { try keep(manifest) }
        case .head:
            let header = try TensorHead.read(try store.openObject(object), object: object).head.header
            objects.formUnion(header.parts.map(\.object))
            for source in header.sources {
                // A reader falls back to the other encoding of a source that is damaged or lost.
                let hasOther = try keepIndexed(source.tensor)
                do {
                    try keep(source.object)
                } catch let error as PawlError {
                    guard hasOther, error.code == .corrupt || error.code == .notFound else { throw error }
                }
            }
        }
    }
}
