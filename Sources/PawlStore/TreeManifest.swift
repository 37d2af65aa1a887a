public import PawlCore

/// What a tree holds: its directories and files, in order of their paths (docs/format.md, "Tree").
///
/// The digest of a tree is the SHA-256 of the canonical JSON of this value.
public struct TreeManifest: Sendable, Hashable {
    /// Every directory and file below the root, sorted by the UTF-8 bytes of the path.
    public let entries: [Entry]

    /// A directory or a file.
    public struct Entry: Sendable, Hashable {
        /// Path below the root, parts separated by `/`.
        public let path: String
        /// Permission bits (0...0o777).
        public let mode: Int
        /// What stands there.
        public let content: Content
    }

    /// The content of an entry.
    public enum Content: Sendable, Hashable {
        /// A directory; its entries follow on their own.
        case directory
        /// A file kept as one blob of so many bytes.
        case file(size: Int, blob: Digest)
        /// A safetensors file: its header (with the eight length bytes) as a blob, then its tensors, in file order.
        case safetensors(size: Int, header: Digest, tensors: [TensorEntry])
    }

    /// A tensor of a safetensors file.
    public struct TensorEntry: Sendable, Hashable, Codable {
        /// Name in the file.
        public let name: String
        /// Type of an element.
        public let dtype: DType
        /// Extents, outermost first.
        public let shape: [Int]
        /// Digest of the tensor (not of the bytes alone: docs/format.md, "Tensor").
        public let digest: Digest
    }

    /// Bytes of all files.
    public var logicalBytes: Int {
        entries.reduce(0) { $0 + $1.size }
    }
}

extension TreeManifest.Entry {
    /// Bytes of the file; 0 for a directory.
    public var size: Int {
        switch content {
        case .directory: 0
        case .file(let size, _), .safetensors(let size, _, _): size
        }
    }
}

extension TreeManifest {
    /// Makes a manifest; throws `invalidArgument` for entries that no import writes.
    init(checking entries: [Entry]) throws {
        self.entries = entries
        var directories: Set<[UInt8]> = []
        for (previous, entry) in zip([nil] + entries.map(Optional.some), entries) {
            func fail(_ reason: String) -> PawlError {
                PawlError(.invalidArgument, "tree entry \"\(entry.path.escaped)\": \(reason)")
            }
            guard previous.map({ $0.path.precedesBytewise(entry.path) }) ?? true else {
                throw fail("not in the order of the paths")
            }
            let parts = entry.path.split(separator: "/", omittingEmptySubsequences: false)
            guard !entry.path.utf8.contains(0), parts.allSatisfy({ !["", ".", ".."].contains($0) }) else {
                throw fail("not a path below the root")
            }
            guard
                parts.count == 1 || directories.contains(Array(parts.dropLast().joined(separator: "/").utf8))
            else {
                throw fail("its directory is missing")
            }
            guard (0...0o777).contains(entry.mode) else { throw fail("mode \(entry.mode)") }
            switch entry.content {
            case .directory: directories.insert(Array(entry.path.utf8))
            case .file(let size, _): guard size >= 0 else { throw fail("size \(size)") }
            case .safetensors(let size, _, let tensors):
                guard let headerSize = Self.headerSize(size: size, tensors), headerSize >= 8 else {
                    throw fail("its tensors do not fit its size")
                }
            }
        }
    }

    /// Bytes before the tensors of a safetensors file; nil when the tensors do not fit.
    static func headerSize(size: Int, _ tensors: [TensorEntry]) -> Int? {
        var rest = size
        for tensor in tensors {
            guard let count = tensor.dtype.byteCount(shape: tensor.shape), count <= rest else { return nil }
            rest -= count
        }
        return rest
    }

    /// A tensor or blob that a tree needs, where its bytes go, and what to call it.
    struct Piece: Sendable {
        let digest: Digest
        let dtype: DType
        let shape: [Int]
        /// Index of the entry, and offset in its file.
        let entry: Int
        let offset: Int
        let byteCount: Int
        /// `model.safetensors: lm_head.weight` for a tensor, the path for a file or header.
        let name: String
        /// Name of the tensor in its file; nil for a file or header.
        let tensorName: String?
        var isTensor: Bool { tensorName != nil }
    }

    /// Everything that the tree is made of, in order.
    var pieces: [Piece] {
        entries.enumerated().flatMap { index, entry -> [Piece] in
            func blob(_ digest: Digest, _ size: Int) -> Piece {
                Piece(
                    digest: digest, dtype: .u8, shape: [size], entry: index, offset: 0, byteCount: size,
                    name: entry.path, tensorName: nil)
            }
            switch entry.content {
            case .directory: return []
            case .file(let size, let digest): return [blob(digest, size)]
            case .safetensors(let size, let header, let tensors):
                let headerSize = Self.headerSize(size: size, tensors) ?? 0
                var pieces = [blob(header, headerSize)]
                var offset = headerSize
                for tensor in tensors {
                    let count = tensor.dtype.byteCount(shape: tensor.shape) ?? 0
                    pieces.append(
                        Piece(
                            digest: tensor.digest, dtype: tensor.dtype, shape: tensor.shape, entry: index,
                            offset: offset, byteCount: count, name: "\(entry.path): \(tensor.name)",
                            tensorName: tensor.name))
                    offset += count
                }
                return pieces
            }
        }
    }
}
