public import PawlCore

/// How to import a tree.
public struct ImportOptions: Sendable {
    /// Trees whose tensors may serve as bases of deltas, best guess first (the parent, the anchor, the base).
    public var parents: [Digest]
    /// Bytes of memory that the import may use for buffers. What it needs at least, beside the program itself,
    /// is about 100 MiB.
    public var memoryLimit: Int
    /// How tensors are written.
    public var level: EncodingLevel

    /// Makes options.
    public init(
        parents: [Digest] = [], memoryLimit: Int = 512 << 20, level: EncodingLevel = .standard
    ) {
        self.level = level
        self.parents = parents
        self.memoryLimit = memoryLimit
    }
}

/// What an import did.
public struct ImportReport: Sendable, Hashable, Codable {
    /// Digest of the tree.
    public let tree: Digest
    /// Number of files.
    public let files: Int
    /// Number of tensors in safetensors files.
    public let tensors: Int
    /// Tensors among them that the store did not hold before.
    public let newTensors: Int
    /// Bytes of all files.
    public let logicalBytes: Int
    /// Bytes of the objects that were added.
    public let storedBytes: Int

    private enum CodingKeys: String, CodingKey {
        case tree, files, tensors
        case newTensors = "new_tensors"
        case logicalBytes = "logical_bytes"
        case storedBytes = "stored_bytes"
    }
}

/// Something wrong in a store.
public struct Damage: Sendable, Hashable, Codable {
    /// The file, relative to the root of the store (`objects/ab/…`, `tensors/cd/…`, `store.json`).
    public let object: String
    /// What is wrong with it, in one line.
    public let reason: String
    /// The trees that cannot be read, or only after a repair, because of it.
    public let trees: [Digest]
    /// What it touches in them: `model.safetensors: lm_head.weight` for a tensor, the path for another file.
    public let names: [String]
    /// The blocks of 1 MiB that are spoilt, where that can be told; else empty.
    public let blocks: [Block]

    /// A block of a tensor or other file.
    public struct Block: Sendable, Hashable, Codable {
        /// Digest of the tensor.
        public let tensor: Digest
        /// Number of the block, from 0.
        public let block: Int
        /// How many the tensor has.
        public let count: Int

        private enum CodingKeys: String, CodingKey { case tensor, block, count }
    }

    private enum CodingKeys: String, CodingKey { case object, reason, trees, names, blocks }
}

/// What a collection removed, or would remove.
public struct CollectReport: Sendable, Hashable, Codable {
    /// True when nothing was removed.
    public let dryRun: Bool
    /// Objects to remove.
    public let objects: [Digest]
    /// Bytes of these objects.
    public let bytes: Int
    /// Objects that stay.
    public let keptObjects: Int
    /// Index files of tensors that go with the objects.
    public let pointers: Int
    /// Left-overs of writers that died, in bytes.
    public let temporaryBytes: Int

    private enum CodingKeys: String, CodingKey {
        case objects, bytes, pointers
        case dryRun = "dry_run"
        case keptObjects = "kept_objects"
        case temporaryBytes = "temporary_bytes"
    }
}

/// How much room a tree takes.
public struct StoredSize: Sendable, Hashable, Codable {
    /// Bytes of all files.
    public let logicalBytes: Int
    /// Bytes of the objects that hold the tree's own tensors and blobs, each object once.
    public let storedBytes: Int
    /// Bytes of further objects that only its delta chains and low-rank updates need.
    public let baseBytes: Int
    /// Bytes of payload by encoding of the block: `raw`, `full`, `delta`, `same`, `folded`.
    public let payloadBytes: [String: Int]
    /// Number of tensors and blobs by the depth of their chain; index 0 counts depth 1.
    public let depths: [Int]

    private enum CodingKeys: String, CodingKey {
        case depths
        case logicalBytes = "logical_bytes"
        case storedBytes = "stored_bytes"
        case baseBytes = "base_bytes"
        case payloadBytes = "payload_bytes"
    }
}

/// How two trees differ.
public struct TreeDifference: Sendable, Hashable, Codable {
    /// What happened to a tensor or a file.
    public enum Change: String, Sendable, Hashable, Codable { case added, removed, changed }

    /// A tensor that differs.
    public struct TensorChange: Sendable, Hashable, Codable {
        /// Path of the file it stands in (in the second tree, or in the first when it was removed).
        public let file: String
        /// Name of the tensor.
        public let name: String
        /// What happened to it.
        public let change: Change
        /// Number of elements (in the second tree, or in the first when it was removed).
        public let elements: Int
        /// Elements whose bits differ; all of them for another dtype or shape, or when added or removed.
        public let changedElements: Int

        private enum CodingKeys: String, CodingKey {
            case file, name, change, elements
            case changedElements = "changed_elements"
        }
    }

    /// A file or directory that differs in another way than in its tensors: its bytes, its header, its mode.
    public struct FileChange: Sendable, Hashable, Codable {
        /// Path below the root.
        public let path: String
        /// What happened to it.
        public let change: Change
    }

    /// Tensors that differ, in order of file and place in it.
    public let tensors: [TensorChange]
    /// Files that differ, in order of their paths.
    public let files: [FileChange]
    /// Tensors with the same dtype, shape and bits in both.
    public let equalTensors: Int

    private enum CodingKeys: String, CodingKey {
        case tensors, files
        case equalTensors = "equal_tensors"
    }
}
