internal import PawlCore

/// Finds tensors of earlier trees that a new tensor may be written against.
struct BaseFinder: Sendable {
    let session: ReadSession
    /// Tensors and blobs of each parent by what they are called, in the order of the parents.
    private let parents: [[String: TreeManifest.Piece]]

    init(_ session: ReadSession, parents: [Digest]) throws {
        self.session = session
        self.parents = try parents.map { parent in
            var named: [String: TreeManifest.Piece] = [:]
            for piece in try session.store.tree(parent).pieces {
                named[piece.name] = piece
                // Sharding may move a tensor to another file; its name alone then finds it.
                if let tensor = piece.tensorName { named["\0" + tensor] = piece }
            }
            return named
        }
    }

    /// What a segment may be a delta of, best guess first, each a chain with room for one more link.
    ///
    /// A base that cannot be read is passed over: the tensor is then written in another way.
    func candidates(path: String, tensor: String?, dtype: DType, shape: [Int]) -> [TensorReader] {
        let keys = tensor.map { ["\(path): \($0)", "\0" + $0] } ?? [path]
        var readers: [TensorReader] = []
        for parent in parents {
            guard let piece = keys.lazy.compactMap({ parent[$0] }).first,
                piece.dtype == dtype, piece.shape == shape,
                var reader = try? session.reader(piece)
            else { continue }
            while reader.header.depth >= TensorHead.maximumDepth, let base = reader.base { reader = base }
            if !readers.contains(where: { $0.header.tensor == reader.header.tensor }) {
                readers.append(reader)
            }
        }
        return readers
    }
}
