public import PawlCore

/// A tree opened for reading by name, without a copy of it: files and tensors come from the store's own objects, each
/// compared with its digest every time something of it is read.
public struct TreeReader: Sendable {
    /// The store it is in.
    public let store: Store
    /// Name of the tree.
    public let tree: Digest
    /// What it holds.
    public let manifest: TreeManifest
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
        return try locked { try Store.bytes(of: try $0.reader(pieces[index])) }
    }

    /// A tensor's place in the tree; `notFound` when it has none.
    func piece(entry: Int, tensor: String) throws -> TreeManifest.Piece {
        guard let index = places[Place(entry: entry, tensor: tensor)] else {
            throw PawlError(.notFound, "tree \(tree.short) has no tensor \"\(tensor.escaped)\"")
        }
        return pieces[index]
    }

    /// Reads under the store's lock, in a session of its own: between two calls a tensor may get another encoding
    /// and lose the one that was open, and a disk may go bad.
    func locked<Value>(_ body: (ReadSession) throws -> Value) throws -> Value {
        let lock = try store.lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        return try body(ReadSession(store))
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
        let chosen = try tensors.map { try piece(entry: $0.entry, tensor: $0.name) }
        try locked { try read(chosen, $0, body) }
    }

    private func read(
        _ chosen: [TreeManifest.Piece], _ session: ReadSession,
        _ body: @Sendable (Int, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        // The large ones block by block on all processors, the others side by side, the largest first.
        let order = chosen.indices.sorted { (-chosen[$0].byteCount, $0) < (-chosen[$1].byteCount, $1) }
        let ahead = ReadAhead(store, order.map { (chosen[$0].digest, chosen[$0].byteCount) })
        defer { ahead.stop() }
        for index in order where chosen[index].byteCount >= Self.largeBytes {
            try readLarge(chosen[index], session) { try body(index, $0) }
            ahead.advance(taken: chosen[index].byteCount)
        }
        let small = order.filter { chosen[$0].byteCount < Self.largeBytes }
        try Worker.run(small.count) { job, worker in
            let piece = chosen[small[job]]
            let reader = try session.named(piece)
            ahead.advance(taken: piece.byteCount)
            let room = worker.room(piece.byteCount)
            for block in reader.head.blocks.indices {
                let range = Blocks.range(block, of: piece.byteCount)
                try reader.restoreBlock(
                    block, into: UnsafeMutableRawBufferPointer(rebasing: room[range]), worker)
            }
            try body(small[job], UnsafeRawBufferPointer(room))
        }
    }

    /// From this size on a tensor has enough blocks for all processors.
    private static let largeBytes = 16 << 20

    private func readLarge(
        _ piece: TreeManifest.Piece, _ session: ReadSession, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let room = Scratch(piece.byteCount)
        let (reader, target) = (try session.named(piece), SharedMemory(room.memory))
        try Worker.run(reader.head.blocks.count) { block, worker in
            let range = Blocks.range(block, of: piece.byteCount)
            try reader.restoreBlock(block, into: target.part(range.lowerBound, range.count), worker)
        }
        try body(UnsafeRawBufferPointer(room.memory))
    }
}
