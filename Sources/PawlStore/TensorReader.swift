internal import Foundation
internal import PawlCore
internal import Synchronization

/// A tensor or blob in a store whose objects, those of its chain included, have been checked against their names.
final class TensorReader: Sendable {
    let object: Digest
    let head: TensorHead
    /// The tensor that its deltas are relative to.
    let base: TensorReader?
    private let store: Store
    private let codec: any TensorCodec
    /// Object and offset of every block's payload.
    private let places: [(object: Digest, offset: Int)]

    var header: TensorHead.Header { head.header }

    init(_ store: Store, object: Digest, head: TensorHead, payload: Int, base: TensorReader?) throws {
        self.store = store
        self.object = object
        self.head = head
        self.base = base
        codec = try Codecs.codec(head.header.codec, object: object)
        places = Self.places(head, object: object, payload: payload)
    }

    private static func places(_ head: TensorHead, object: Digest, payload: Int) -> [(object: Digest, offset: Int)] {
        var holders = [(object: object, offset: payload, blocks: head.blocks.count)]
        if !head.header.parts.isEmpty {
            holders = head.header.parts.map { ($0.object, TensorHead.partPrefix, $0.blocks) }
        }
        var places: [(object: Digest, offset: Int)] = []
        places.reserveCapacity(head.blocks.count)
        for holder in holders {
            var offset = holder.offset
            for _ in 0..<holder.blocks {
                let length = head.blocks[places.count].length
                places.append((holder.object, offset))
                offset += length
            }
        }
        return places
    }

    /// Restores block `index` into `block`, which has exactly its size, and checks it against its digest.
    func readBlock(_ index: Int, into block: UnsafeMutableRawBufferPointer, _ worker: Worker) throws {
        try restore(index, into: block, worker)
        guard Digest(of: UnsafeRawBufferPointer(block)) == head.blocks[index].digest else {
            throw PawlError(
                .corrupt, "block \(index) of tensor \(header.tensor) (object \(object)) does not have its digest")
        }
    }

    private func restore(_ index: Int, into block: UnsafeMutableRawBufferPointer, _ worker: Worker) throws {
        let row = head.blocks[index]
        if row.encoding.needsBase {
            guard let base else { throw Store.damaged(object) }
            try base.restore(index, into: block, worker)
        }
        if row.encoding == .same { return }
        let target = row.encoding == .raw ? block : worker.payload.prefix(row.length)
        let place = places[index]
        let file = try worker.file(store.url(ofObject: place.object).path)
        guard try file.read(into: target, at: place.offset) == row.length else { throw Store.damaged(place.object) }
        let payload = UnsafeRawBufferPointer(target)
        do {
            switch row.encoding {
            case .raw, .same: break
            case .full: try worker.coder(codec).decodeFull(payload, dtype: header.dtype, into: block)
            case .delta: try worker.coder(codec).decodeDelta(payload, dtype: header.dtype, onto: block)
            }
        } catch let error as PawlError {
            throw PawlError(error.code, "block \(index) of tensor \(header.tensor): \(error.message)")
        }
    }
}

/// Scratch memory and open files of one thread.
final class Worker {
    let block = Scratch()
    let other = Scratch()
    let payload = Scratch()
    private var coders: [CodecIdentity: any BlockCoder] = [:]
    private var lastFile: FileReader?
    private var lastOutput: FileWriter?

    /// Bytes of memory that a worker takes, its coder included.
    static let footprint = 12 << 20

    func coder(_ codec: any TensorCodec) throws -> any BlockCoder {
        if let coder = coders[codec.identity] { return coder }
        let coder = try codec.makeCoder()
        coders[codec.identity] = coder
        return coder
    }

    /// A file open for reading; the one that was used last stays open.
    func file(_ path: String) throws -> FileReader {
        if let lastFile, lastFile.path.equalsBytewise(path) { return lastFile }
        let file = try FileReader(path)
        lastFile = file
        return file
    }

    /// A file open for writing; the one that was used last stays open.
    func output(_ path: String) throws -> FileWriter {
        if let lastOutput, lastOutput.path.equalsBytewise(path) { return lastOutput }
        let file = try FileWriter(path)
        lastOutput = file
        return file
    }

    /// Runs jobs 0..<count on all processors in that order, each thread with a worker of its own.
    static func run(
        _ count: Int, memoryLimit: Int = 512 << 20, _ body: @Sendable (Int, Worker) throws -> Void
    ) throws {
        let threads = min(count, Parallel.width, max(1, memoryLimit / 2 / footprint))
        guard threads > 0 else { return }
        let next = Atomic(0)
        try Parallel.forEach(threads) { _ in
            let worker = Worker()
            do {
                while true {
                    let job = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard job < count else { return }
                    try body(job, worker)
                }
            } catch {
                next.store(count, ordering: .relaxed)
                throw error
            }
        }
    }
}

/// Opens tensors for one operation: every object is checked once, every head read once.
final class ReadSession: Sendable {
    let store: Store
    private let state = Mutex(State())
    private let indexRepaired = Mutex(false)

    private struct State {
        var checked: Set<Digest> = []
        var readers: [Digest: TensorReader] = [:]
    }

    init(_ store: Store) { self.store = store }

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
        guard let object = try? store.pointer(tensor), Files.exists(store.url(ofObject: object)) else { return false }
        // A damaged head is what a reader must hear of; looking for another one would read the whole store.
        guard let head = try? TensorHead.read(try store.openObject(object), object: object).head else { return true }
        return head.header.tensor == tensor
    }

    /// Opens a tensor through its index file; nil when there is none.
    func indexed(_ tensor: Digest) throws -> TensorReader? {
        guard let object = try store.pointer(tensor) else { return nil }
        let reader = try reader(object: object)
        guard reader.header.tensor == tensor else {
            throw PawlError(
                .corrupt, "the index file \(Store.name(ofPointer: tensor)) is damaged: it names another tensor's object")
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
        let (head, payload) = try TensorHead.read(try store.openObject(object), object: object)
        try Parallel.forEach(head.header.parts.count) { try check(head.header.parts[$0].object) }
        try checkPartSizes(head, object)
        let base = try head.header.base.map { try self.base($0, of: head, object) }
        let reader = try TensorReader(store, object: object, head: head, payload: payload, base: base)
        state.withLock { $0.readers[object] = reader }
        return reader
    }

    private func checkPartSizes(_ head: TensorHead, _ object: Digest) throws {
        var next = 0
        for part in head.header.parts {
            let blocks = head.blocks[next..<next + part.blocks]
            next += part.blocks
            let expected = blocks.reduce(TensorHead.partPrefix) { $0 + $1.length }
            let file = try store.openObject(part.object)
            guard try file.size() == expected, ObjectKind(magic: try file.bytes(0..<8)) == .part else {
                throw PawlError(.corrupt, "object \(part.object) is not the part that object \(object) names")
            }
        }
    }

    /// Opens a base; when its object is damaged, another encoding of the same tensor does as well.
    private func base(_ base: TensorHead.Base, of head: TensorHead, _ object: Digest) throws -> TensorReader {
        var reader: TensorReader
        do {
            reader = try self.reader(object: base.object)
        } catch let error as PawlError where error.code == .corrupt || error.code == .notFound {
            guard let other = try? store.pointer(base.tensor), other != base.object else { throw error }
            // Depth falls from link to link, so a chain ends whatever the objects say.
            guard try self.head(other).header.depth < head.header.depth else { throw error }
            reader = try self.reader(object: other)
        }
        guard reader.header.tensor == base.tensor, reader.header.depth < head.header.depth,
            reader.header.dtype == head.header.dtype, reader.header.shape == head.header.shape
        else {
            throw PawlError(.corrupt, "object \(object) names a base that does not fit it: \(base.object)")
        }
        return reader
    }

    private func head(_ object: Digest) throws -> TensorHead {
        try check(object)
        return try TensorHead.read(try store.openObject(object), object: object).head
    }

    /// Checks an object's bytes against its name, once.
    func check(_ object: Digest) throws {
        if state.withLock({ $0.checked.contains(object) }) { return }
        guard try store.openObject(object).digest().digest == object else { throw Store.damaged(object) }
        state.withLock { _ = $0.checked.insert(object) }
    }
}
