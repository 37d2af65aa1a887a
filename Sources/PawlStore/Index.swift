internal import Foundation
public import PawlCore

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

    /// `repairIndex` for a caller that holds the lock. Reads the header of every tensor, not its payload.
    func rebuildIndex() throws -> [Digest] {
        var holders: [Digest: [(depth: Int, object: Digest)]] = [:]
        for object in try objectNames() where try objectKind(object) == .head {
            // A damaged head says nothing here; `verify` names it.
            guard let header = try? TensorHead.read(try openObject(object), object: object).head.header else {
                continue
            }
            holders[header.tensor, default: []].append((header.depth, object))
        }
        var repaired: [Digest] = []
        let publisher = try Publisher(self)
        defer { publisher.close() }
        for (tensor, objects) in holders.sorted(by: { $0.key < $1.key }) {
            if let named = try? pointer(tensor), objects.contains(where: { $0.object == named }) { continue }
            let intact = try objects.sorted { ($0.depth, $0.object) < ($1.depth, $1.object) }.first {
                holder in
                try openObject(holder.object).digest().digest == holder.object
            }
            guard let intact else { continue }
            try publisher.publishPointer(tensor: tensor, head: intact.object)
            repaired.append(tensor)
        }
        try publisher.sync()
        return repaired
    }
}
