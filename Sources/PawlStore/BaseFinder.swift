internal import PawlCore

/// Finds tensors of earlier trees that a new tensor may be written against.
struct BaseFinder: Sendable {
    let session: ReadSession
    /// Tensors and blobs of each parent by what they are called, in the order of the parents.
    private let parents: [[String: TreeManifest.Piece]]
    private let maximumDepth: Int

    init(_ session: ReadSession, parents: [Digest], level: EncodingLevel) throws {
        self.session = session
        maximumDepth = level.maximumDepth
        self.parents = try parents.map { parent in
            var named: [String: TreeManifest.Piece] = [:]
            for piece in try session.store.tree(parent).pieces {
                for name in Self.names(piece) { named[name] = piece }
            }
            return named
        }
    }

    /// What a piece is found by: its full name, and the tensor's alone, since sharding may move it to another file.
    static func names(_ piece: TreeManifest.Piece) -> [String] {
        [piece.name] + (piece.tensorName.map { ["\0" + $0] } ?? [])
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
            while reader.header.depth >= maximumDepth, let base = reader.base { reader = base }
            if !readers.contains(where: { $0.header.tensor == reader.header.tensor }) {
                readers.append(reader)
            }
        }
        return readers
    }
}
