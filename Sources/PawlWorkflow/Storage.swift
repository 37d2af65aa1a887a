public import PawlCore
public import PawlRegistry
public import PawlStore

/// What a registry takes on disk, by checkpoint, beside what other ways to keep the same skills would take.
public struct StorageReport: Codable, Sendable {
    /// A checkpoint whose weights are kept.
    public struct Entry: Codable, Sendable {
        public let checkpoint: Digest
        public let status: Checkpoint.Status
        /// The skill that it acquired.
        public let skill: String?
        /// What it adds to the checkpoints before it.
        public let use: TreeUse
    }

    /// Kept checkpoints, oldest first.
    public let entries: [Entry]
    /// Bytes of all objects.
    public let storedBytes: Int
    /// Bytes of those that no checkpoint's weights need: suites, evidence, verdicts, and what `pawl gc` would remove.
    public let otherBytes: Int
    /// Bytes of checkpoints laid out as files, to be removed at any time.
    public let cacheBytes: Int
    /// Bytes that the base and a full copy a skill on main's line would take.
    public let copiesBytes: Int
    /// Bytes that the base and an adapter of rank 16 on every projection a skill on main's line would take.
    public let adaptersBytes: Int

    private enum CodingKeys: String, CodingKey {
        case entries
        case storedBytes = "stored_bytes"
        case otherBytes = "other_bytes"
        case cacheBytes = "cache_bytes"
        case copiesBytes = "copies_bytes"
        case adaptersBytes = "adapters_bytes"
    }
}

extension Workflow {
    /// What the registry takes on disk.
    public func storage() throws -> StorageReport {
        let kept = try registry.checkpoints().filter { $0.collected == nil }
        let use = try registry.store.use(of: kept.map(\.digest))
        let head = try registry.resolve(Reference.main)
        // A skill that was learned again takes the place of its first copy.
        let skills = Set(try registry.line(of: head).compactMap(\.acquisition?.skill)).count
        let main = try registry.store.tree(head)
        return StorageReport(
            entries: zip(kept, use.trees).map { checkpoint, use in
                StorageReport.Entry(
                    checkpoint: checkpoint.digest, status: checkpoint.status,
                    skill: checkpoint.acquisition?.skill,
                    use: use)
            },
            storedBytes: use.objectBytes, otherBytes: use.otherBytes,
            cacheBytes: use.cacheBytes, copiesBytes: main.logicalBytes * (1 + skills),
            adaptersBytes: main.logicalBytes + Self.adapterBytes(main, rank: 16) * skills)
    }

    /// Bytes of the two factors of every projection [out, in] of a model, in the type that its weights have.
    static func adapterBytes(_ tree: TreeManifest, rank: Int) -> Int {
        tree.entries.reduce(0) { sum, entry in
            guard case .safetensors(_, _, let tensors) = entry.content else { return sum }
            let projections = tensors.filter { $0.name.hasSuffix("_proj.weight") && $0.shape.count == 2 }
            return projections.reduce(sum) { sum, tensor in
                sum + (tensor.dtype.byteCount(shape: [rank, tensor.shape[0] + tensor.shape[1]]) ?? 0)
            }
        }
    }
}
