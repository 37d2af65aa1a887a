public import PawlCore
internal import Foundation

extension Store {
    /// Makes missing or damaged index files of tensors again from the objects; returns the tensors.
    ///
    /// Reading does the same by itself when it meets one.
    @discardableResult
    public func repairIndex() throws -> [Digest] {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        return try rebuildIndex()
    }

    /// `repairIndex` for a caller that holds the lock.
    func rebuildIndex() throws -> [Digest] {
        var best: [Digest: (depth: Int, object: Digest)] = [:]
        for object in try objectNames() where try objectKind(object) == .head {
            // A damaged head says nothing; `verify` names it.
            guard let head = try? intactHead(object) else { continue }
            let (depth, tensor) = (head.header.depth, head.header.tensor)
            if let other = best[tensor], (other.depth, other.object) <= (depth, object) { continue }
            best[tensor] = (depth, object)
        }
        var repaired: [Digest] = []
        let publisher = try Publisher(self)
        defer { publisher.close() }
        for (tensor, found) in best.sorted(by: { $0.key < $1.key }) {
            if let named = try? pointer(tensor), (try? intactHead(named))?.header.tensor == tensor { continue }
            try publisher.publishPointer(tensor: tensor, head: found.object)
            repaired.append(tensor)
        }
        try publisher.sync()
        return repaired
    }

    private func intactHead(_ object: Digest) throws -> TensorHead {
        let file = try openObject(object)
        guard try file.digest().digest == object else { throw Self.damaged(object) }
        return try TensorHead.read(file, object: object).head
    }
}
