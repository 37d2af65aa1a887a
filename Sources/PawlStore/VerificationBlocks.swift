internal import PawlCore
internal import Synchronization

extension Verification {
    /// Finds the blocks that damaged objects spoil, where their heads can still be read.
    ///
    /// The digests of a tensor's blocks are its name, so a head whose table gives that name tells the truth about them
    /// whatever else is wrong with the object.
    mutating func locateBlocks() throws {
        let damaged = Set(
            faults.keys.compactMap { name in
                name.hasPrefix("objects/") ? Digest(hex: name.suffix(2 * Digest.byteCount)) : nil
            })
        guard !damaged.isEmpty else { return }
        let store = store
        let session = ReadSession(store, checked: Set(heads.keys).union(parts.keys).union(damaged))
        let affected = affectedHeads()
        var carriers: [(fault: Digest, head: Digest)] = damaged.filter { heads[$0] == nil }.map { ($0, $0) }
        for (object, head) in heads {
            for part in Set(head.parts.map(\.object)) where damaged.contains(part) {
                carriers.append((part, object))
            }
        }
        for carrier in carriers {
            guard let reader = try? session.reader(object: carrier.head),
                reader.sources.allSatisfy({ affected[$0.object] == nil })
            else { continue }
            let wrong = try Self.wrongBlocks(reader)
            blocks[Store.name(ofObject: carrier.fault), default: []] += wrong
        }
    }

    private static func wrongBlocks(_ reader: TensorReader) throws -> [Damage.Block] {
        let count = reader.head.blocks.count
        let wrong = Mutex(Set<Int>())
        try Worker.run(count) { index, worker in
            let size = Blocks.range(index, of: reader.head.byteCount).count
            do {
                try reader.readBlock(index, into: worker.block.prefix(size), worker)
            } catch {
                wrong.withLock { _ = $0.insert(index) }
            }
        }
        return wrong.withLock { $0.sorted() }.map {
            Damage.Block(tensor: reader.header.tensor, block: $0, count: count)
        }
    }
}
