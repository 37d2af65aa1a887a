public import PawlCore

/// A tree opened for reading by name, without a copy of it: files and tensors come from the store's own objects, each
/// checked against its digest.
public struct TreeReader: Sendable {
    /// The store it is in.
    public let store: Store
    /// Name of the tree.
    public let tree: Digest
    /// What it holds.
    public let manifest: TreeManifest
    private let session: ReadSession
    private let pieces: [TreeManifest.Piece]
    /// Index of a piece by entry and name of tensor (nil: the file's own bytes, or its header).
    private let places: [Place: Int]

    private struct Place: Hashable {
        let entry: Int
        let tensor: String?
    }

    /// Opens a tree.
    public init(_ store: Store, _ tree: Digest) throws {
        self.store = store
        self.tree = tree
        manifest = try store.tree(tree)
        session = ReadSession(store)
        pieces = manifest.pieces
        var places: [Place: Int] = [:]
        for (index, piece) in pieces.enumerated() {
            places[Place(entry: piece.entry, tensor: piece.tensorName)] = index
        }
        self.places = places
    }

    /// The bytes of a file that is no safetensors file, or the header of one; nil when there is none.
    public func file(_ path: String) throws -> [UInt8]? {
        guard let entry = manifest.entries.firstIndex(where: { $0.path.equalsBytewise(path) }),
            let index = places[Place(entry: entry, tensor: nil)]
        else { return nil }
        let lock = try store.lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        session.forgetReaders()
        return try Store.bytes(of: try session.reader(pieces[index]))
    }

    /// Hands out tensors by their place in `names`, in any order, on several threads at once.
    ///
    /// The bytes are the elements as they stand in the file (little-endian, row-major) and live for the call alone.
    ///
    /// - Parameter tensors: index of an entry, and the name of a tensor in it.
    public func read(
        _ tensors: [(entry: Int, name: String)],
        _ body: @Sendable (Int, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let chosen = try tensors.map { tensor -> TreeManifest.Piece in
            guard let index = places[Place(entry: tensor.entry, tensor: tensor.name)] else {
                throw PawlError(.notFound, "tree \(tree.short) has no tensor \"\(tensor.name.escaped)\"")
            }
            return pieces[index]
        }
        let lock = try store.lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        session.forgetReaders()
        // The large ones block by block on all processors, the others side by side, the largest first.
        let order = chosen.indices.sorted { (-chosen[$0].byteCount, $0) < (-chosen[$1].byteCount, $1) }
        for index in order where chosen[index].byteCount >= Self.largeBytes {
            try readLarge(chosen[index]) { try body(index, $0) }
        }
        let small = order.filter { chosen[$0].byteCount < Self.largeBytes }
        try Worker.run(small.count) { job, worker in
            let piece = chosen[small[job]]
            let reader = try session.named(piece)
            let room = Scratch(max(piece.byteCount, 1))
            for block in reader.head.blocks.indices {
                let range = Blocks.range(block, of: piece.byteCount)
                try reader.readBlock(
                    block, into: UnsafeMutableRawBufferPointer(rebasing: room.memory[range]), worker)
            }
            try body(small[job], UnsafeRawBufferPointer(room.prefix(piece.byteCount)))
        }
    }

    /// From this size on a tensor has enough blocks for all processors.
    private static let largeBytes = 16 << 20

    private func readLarge(_ piece: TreeManifest.Piece, _ body: (UnsafeRawBufferPointer) throws -> Void)
        throws
    {
        let reader = try session.named(piece)
        let room = TensorRoom(piece.byteCount)
        try Worker.run(reader.head.blocks.count) { block, worker in
            try reader.readBlock(
                block, into: room.part(Blocks.range(block, of: piece.byteCount)), worker)
        }
        try body(room.bytes)
    }
}

/// Memory for a tensor that threads fill together, each its own blocks.
private final class TensorRoom: @unchecked Sendable {
    private let memory: UnsafeMutableRawBufferPointer

    init(_ size: Int) { memory = .allocate(byteCount: max(size, 1), alignment: 64) }
    deinit { memory.deallocate() }

    func part(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[range])
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(memory) }
}
