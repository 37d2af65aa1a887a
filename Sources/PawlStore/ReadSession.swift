internal import Foundation
internal import PawlCore
internal import Synchronization

/// Opens tensors for one operation: every object is checked once, every head read once.
final class ReadSession: Sendable {
    let store: Store
    private let state = Mutex(State())
    private let indexRepaired = Mutex(false)

    private struct State {
        var checked: Set<Digest> = []
        var readers: [Digest: TensorReader] = [:]
    }

    private let checksObjects: Bool

    /// - Parameters:
    ///   - checked: objects whose bytes have been compared with their names already.
    ///   - checksObjects: false to compare none. What a head says is bound to its tensor's digest all the same, so
    ///     a block that fits its digest is right; but damage is not named, and no way around it is looked for.
    init(_ store: Store, checked: Set<Digest> = [], checksObjects: Bool = true) {
        self.store = store
        self.checksObjects = checksObjects
        state.withLock { $0.checked = checked }
    }

    /// Opens a tensor by its digest.
    ///
    /// A missing or damaged index file is made again from the objects; `notFound` when none holds the tensor,
    /// `corrupt` when the object that holds it is damaged.
    func reader(tensor: Digest) throws -> TensorReader {
        if let reader = try? indexed(tensor) { return reader }
        if try !isIndexed(tensor) { try repairIndexOnce() }
        guard let reader = try indexed(tensor) else {
            throw PawlError(.notFound, "there is no tensor \(tensor) in the store \(store.root.path)")
        }
        return reader
    }

    /// False when the index does not lead to a head object, or to one that says it holds another tensor.
    private func isIndexed(_ tensor: Digest) throws -> Bool {
        guard let object = try? store.pointer(tensor), Files.exists(store.url(ofObject: object)) else {
            return false
        }
        // A damaged head is what a reader must hear of; looking for another one would read the whole store.
        guard let head = try? TensorHead.read(try store.openObject(object), object: object).head else {
            return true
        }
        return head.header.tensor == tensor
    }

    /// Opens a tensor through its index file; nil when there is none.
    func indexed(_ tensor: Digest) throws -> TensorReader? {
        guard let object = try store.pointer(tensor) else { return nil }
        let reader = try reader(object: object)
        guard reader.header.tensor == tensor else {
            throw PawlError(
                .corrupt,
                "the index file \(Store.name(ofPointer: tensor)) is damaged: it names another tensor's object"
            )
        }
        return reader
    }

    private func repairIndexOnce() throws {
        try indexRepaired.withLock { done in
            if !done { _ = try store.rebuildIndex() }
            done = true
        }
    }

    /// Opens the tensor that a head object holds.
    func reader(object: Digest) throws -> TensorReader {
        if let reader = state.withLock({ $0.readers[object] }) { return reader }
        try check(object)
        let (head, payload) = try TensorHead.read(try store.openNamedObject(object), object: object)
        try Parallel.forEach(head.header.parts.count) { try check(head.header.parts[$0].object) }
        try checkPartSizes(head, object)
        let base = try head.header.base.map { try self.base($0, of: head, object) }
        let folds = try (head.header.folds ?? []).map { try fold($0, of: head, object) }
        let reader = try TensorReader(
            store, object: object, head: head, payload: payload, base: base, folds: folds)
        state.withLock { $0.readers[object] = reader }
        return reader
    }

    private func checkPartSizes(_ head: TensorHead, _ object: Digest) throws {
        var next = 0
        for part in head.header.parts {
            let blocks = head.blocks[next..<next + part.blocks]
            next += part.blocks
            let expected = blocks.reduce(TensorHead.partPrefix) { $0 + $1.length }
            let file = try store.openNamedObject(part.object)
            guard try file.size() == expected, ObjectKind(magic: try file.bytes(0..<8)) == .part else {
                throw PawlError(.corrupt, "object \(part.object) is not the part that object \(object) names")
            }
        }
    }

    private func base(_ base: TensorHead.Source, of head: TensorHead, _ object: Digest) throws -> TensorReader
    {
        let reader = try source(base, of: head, object)
        guard reader.header.dtype == head.header.dtype, reader.header.shape == head.header.shape else {
            throw PawlError(.corrupt, "object \(object) names a base that does not fit it: \(base.object)")
        }
        return reader
    }

    private func fold(_ fold: TensorHead.Fold, of head: TensorHead, _ object: Digest) throws -> LowRankFold {
        let (a, b) = (try source(fold.a, of: head, object), try source(fold.b, of: head, object))
        guard LowRankFold.fits(a.header, b.header, shape: head.header.shape) else {
            throw PawlError(
                .corrupt,
                "object \(object) names factors that do not fit it: \(fold.a.object) and \(fold.b.object)")
        }
        return LowRankFold(a: a, b: b, scale: Float(bitPattern: fold.scale))
    }

    /// Opens what a tensor is restored from; when its object is damaged, another encoding of the same tensor does as well.
    private func source(_ source: TensorHead.Source, of head: TensorHead, _ object: Digest) throws
        -> TensorReader
    {
        var reader: TensorReader
        do {
            reader = try self.reader(object: source.object)
        } catch let error as PawlError where error.code == .corrupt {
            guard let other = try? store.pointer(source.tensor), other != source.object else { throw error }
            // Depth falls from link to link, so a chain ends whatever the objects say.
            guard try self.head(other).header.depth < head.header.depth else { throw error }
            reader = try self.reader(object: other)
        }
        guard reader.header.tensor == source.tensor, reader.header.depth < head.header.depth else {
            throw PawlError(
                .corrupt, "object \(object) names a source that does not fit it: \(source.object)")
        }
        return reader
    }

    private func head(_ object: Digest) throws -> TensorHead {
        try check(object)
        return try TensorHead.read(try store.openNamedObject(object), object: object).head
    }

    /// Checks an object's bytes against its name, once.
    func check(_ object: Digest) throws {
        if !checksObjects || state.withLock({ $0.checked.contains(object) }) { return }
        guard try store.openNamedObject(object).digest().digest == object else { throw Store.damaged(object) }
        state.withLock { _ = $0.checked.insert(object) }
    }
}
