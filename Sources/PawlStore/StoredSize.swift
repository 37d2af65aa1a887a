public import PawlCore

extension Store {
    /// How much room a tree takes, by encoding, and how deep its delta chains are.
    ///
    /// Only heads are read, a fraction of the tree's bytes; whether the rest is sound is `verify`'s to say.
    public func storedSize(of tree: Digest) throws -> StoredSize {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        let manifest = try self.tree(tree)
        let session = ReadSession(self, checksObjects: false)
        let readers = try session.open(manifest.pieces)
        var own: Set<Digest> = []
        var payload: [String: Int] = [:]
        var depths: [Int] = []
        for reader in readers where own.insert(reader.object).inserted {
            own.formUnion(reader.header.parts.map(\.object))
            for block in reader.head.blocks { payload[block.encoding.name, default: 0] += block.length }
            depths += Array(repeating: 0, count: max(0, reader.header.depth - depths.count))
            depths[reader.header.depth - 1] += 1
        }
        var bases: Set<Digest> = []
        for reader in readers {
            var next = reader.sources
            while let source = next.popLast() {
                bases.insert(source.object)
                bases.formUnion(source.header.parts.map(\.object))
                next += source.sources
            }
        }
        func bytes(_ objects: Set<Digest>) throws -> Int {
            try objects.reduce(0) { $0 + (try openObject($1).size()) }
        }
        return StoredSize(
            logicalBytes: manifest.logicalBytes, storedBytes: try bytes(own),
            baseBytes: try bytes(bases.subtracting(own)), payloadBytes: payload, depths: depths)
    }
}
