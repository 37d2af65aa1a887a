internal import Foundation
public import PawlCore

extension Store {
    /// True when the store holds the manifest of this tree (what it names is not checked).
    public func hasTree(_ digest: Digest) -> Bool { (try? tree(digest)) != nil }

    /// The manifest of a tree, checked against its digest; `notFound` or `corrupt` otherwise.
    public func tree(_ digest: Digest) throws -> TreeManifest {
        let bytes: [UInt8]
        do {
            bytes = try document(digest)
        } catch let error as PawlError where error.code == .notFound {
            throw PawlError(.notFound, "there is no tree \(digest) in the store \(root.path)")
        }
        return try JSON.decode(TreeManifest.self, from: bytes, source: "tree \(digest)")
    }

    /// A tensor or blob by its digest, checked. All of it is in memory.
    public func tensor(_ digest: Digest) throws -> Tensor {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        let reader = try ReadSession(self).reader(tensor: digest)
        return Tensor(
            dtype: reader.header.dtype, shape: reader.header.shape, bytes: try Self.bytes(of: reader))
    }

    /// The bytes of one file of a tree, checked; all of them are in memory. For configurations and suites.
    public func file(_ path: String, in tree: Digest) throws -> [UInt8] {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        let manifest = try self.tree(tree)
        let session = ReadSession(self)
        guard let index = manifest.entries.firstIndex(where: { $0.path.equalsBytewise(path) }),
            manifest.entries[index].content != .directory
        else {
            throw PawlError(.notFound, "tree \(tree.short) has no file \(path.escaped)")
        }
        return try manifest.pieces.filter { $0.entry == index }.flatMap {
            try Self.bytes(of: try session.reader($0))
        }
    }

    static func bytes(of reader: TensorReader) throws -> [UInt8] {
        let worker = Worker()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(reader.head.byteCount)
        for index in reader.head.blocks.indices {
            let block = worker.block.prefix(Blocks.range(index, of: reader.head.byteCount).count)
            try reader.readBlock(index, into: block, worker)
            bytes.append(contentsOf: block)
        }
        return bytes
    }
}

extension ReadSession {
    /// Opens what a tree needs; `corrupt` when it is lost, or its dtype or shape is not what the tree says.
    func reader(_ piece: TreeManifest.Piece) throws -> TensorReader {
        let reader: TensorReader
        do {
            reader = try self.reader(tensor: piece.digest)
        } catch let error as PawlError where error.code == .notFound {
            throw PawlError(.corrupt, error.message, hint: "run `pawl verify` to see what is missing")
        }
        guard reader.header.dtype == piece.dtype, reader.header.shape == piece.shape else {
            throw PawlError(
                .corrupt,
                "\(piece.name.escaped): tensor \(piece.digest) does not have the dtype and shape that the tree says"
            )
        }
        return reader
    }
}
