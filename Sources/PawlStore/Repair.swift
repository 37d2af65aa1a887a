internal import Foundation
public import PawlCore
internal import Synchronization

/// A file of a store that a repair made sound.
public struct Mended: Sendable, Hashable, Codable {
    /// How it was mended.
    public enum Means: String, Sendable, Hashable, Codable, CaseIterable {
        /// The very object came from the other store.
        case copied
        /// The tensor came from the other store and was written anew, on its own.
        case encoded
        /// The index file was made again from the objects that are here.
        case indexed
    }

    /// The file, relative to the root of the store.
    public let object: String
    /// How.
    public let means: Means

    private enum CodingKeys: String, CodingKey { case object, means }
}

extension Store {
    /// Mends what a verification found, with what another store holds; nothing is taken from there unchecked.
    ///
    /// One pass: an object that comes back may name others that are missing, so verify and repeat until nothing
    /// is mended any more. Everything is written as an import writes it, so a crash leaves no half of an object.
    ///
    /// - Parameters:
    ///   - damage: what ``verify(deep:trees:progress:)`` said.
    ///   - documents: further documents that are missing; a store cannot know what its owner needs.
    /// - Returns: what was mended, in the order of the file names.
    public func repair(_ damage: [Damage], documents: [Digest] = [], from other: Store) throws -> [Mended] {
        guard FileAccess.resolved(root.path) != FileAccess.resolved(other.root.path) else {
            throw PawlError(
                .invalidArgument, "\(root.path.escaped) cannot be mended from itself",
                hint: "name the directory of another registry")
        }
        let otherLock = try other.lock(.shared)
        defer { withExtendedLifetime(otherLock) {} }
        return try publishing { publisher in
            var mender = Mender(self, other, publisher)
            try mender.mend(damage, documents)
            return mender.mended.map { Mended(object: $0.key, means: $0.value) }
                .sorted { $0.object < $1.object }
        }
    }
}

/// One pass of a repair.
private struct Mender {
    private let store: Store
    private let other: Store
    private let publisher: Publisher
    private let source: ReadSession
    private(set) var mended: [String: Mended.Means] = [:]
    /// Tensors that were written anew.
    private var encoded: Set<Digest> = []

    init(_ store: Store, _ other: Store, _ publisher: Publisher) {
        (self.store, self.other, self.publisher) = (store, other, publisher)
        source = ReadSession(other)
    }

    mutating func mend(_ damage: [Damage], _ documents: [Digest]) throws {
        var unsound: [Digest] = []
        var indexes: [Digest] = []
        for item in damage {
            let parts = item.object.split(separator: "/")
            guard parts.count == 3, let digest = Digest(hex: parts[2]) else { continue }
            if parts[0] == "tensors" {
                indexes.append(digest)
            } else if try !copy(digest) {
                unsound.append(digest)
            }
        }
        for document in documents { _ = try copy(document) }
        try publisher.sync()
        try replace(unsound)
        try mendIndex(indexes)
    }

    /// Brings the very object over; false when the other store has none that is intact, or when this one's bytes
    /// are intact, so that what is wrong is not them.
    private mutating func copy(_ object: Digest) throws -> Bool {
        guard (try? store.objectBytes(object)) == nil, let bytes = try? other.objectBytes(object) else {
            return false
        }
        _ = try publisher.publish([bytes])
        mended[Store.name(ofObject: object)] = .copied
        return true
    }

    // MARK: Objects that the other store does not have

    /// Writes the tensors that rest on unsound objects anew and takes the unsound ones away.
    private mutating func replace(_ unsound: [Digest]) throws {
        guard !unsound.isEmpty else { return }
        let uses = try Uses(store)
        for object in unsound {
            let heads = uses.heads(with: object)
            let tensors = uses.tensors(in: object).union(heads.compactMap { uses.headers[$0]?.tensor })
            guard !tensors.isEmpty, try tensors.allSatisfy({ try encode($0) }) else { continue }
            // Their names must lead to the new objects, on disk, before the old ones go.
            try publisher.sync()
            for old in heads + [object] { try remove(old) }
            mended[Store.name(ofObject: object)] = .encoded
        }
        try publisher.sync()
    }

    private func remove(_ object: Digest) throws {
        let path = store.url(ofObject: object).path
        store.observer?(.remove(path))
        try FileAccess.unlinkFile(path)
    }

    private mutating func mendIndex(_ tensors: [Digest]) throws {
        guard !tensors.isEmpty else { return }
        // An index file that leads to an object which is missing: the object is what comes back.
        for tensor in tensors {
            if let head = try? store.pointer(tensor), try copy(head) {
                mended[Store.name(ofPointer: tensor)] = .copied
            }
        }
        try publisher.sync()
        for tensor in try store.rebuildIndex() { mended[Store.name(ofPointer: tensor)] = .indexed }
        for tensor in tensors where (try? ReadSession(store).indexed(tensor)) == nil {
            // What an object just copied rests on may be missing still; the next pass brings it.
            if mended[Store.name(ofPointer: tensor)] == .copied { continue }
            if try encode(tensor) { mended[Store.name(ofPointer: tensor)] = .encoded }
        }
        try publisher.sync()
    }

    // MARK: A tensor written anew

    /// Writes a tensor of the other store into this one without a base, so that it can be anything's base;
    /// false when the other store does not have it whole.
    private mutating func encode(_ tensor: Digest) throws -> Bool {
        if encoded.contains(tensor) { return true }
        guard let reader = try? source.indexed(tensor) else { return false }
        let head: Digest
        do {
            head = try write(reader)
        } catch let error as PawlError where error.code == .corrupt {
            return false
        }
        try publisher.sync()
        try publisher.publishPointer(tensor: tensor, head: head)
        encoded.insert(tensor)
        return true
    }

    private func write(_ reader: TensorReader) throws -> Digest {
        let digests = reader.head.blocks.map(\.digest)
        var rows: [TensorHead.Block] = []
        var payload: [[UInt8]] = []
        var parts: [TensorHead.Part] = []
        let room =
            store.objectLimit
            - TensorHead.sizeBound(
                blocks: digests.count, shape: reader.header.shape, folds: 0)
        func cut() throws {
            let placed = try publisher.publish([ObjectKind.partMagic] + payload)
            parts.append(TensorHead.Part(object: placed.digest, blocks: payload.count))
            payload = []
        }
        for first in stride(from: 0, to: digests.count, by: Self.window) {
            for block in try encode(first..<min(first + Self.window, digests.count), of: reader) {
                let size = payload.reduce(0) { $0 + $1.count }
                if !payload.isEmpty, size + block.payload.count > room { try cut() }
                rows.append(
                    TensorHead.Block(
                        encoding: block.encoding, length: block.payload.count, digest: digests[rows.count]))
                payload.append(block.payload)
            }
        }
        if !parts.isEmpty, !payload.isEmpty { try cut() }
        let header = TensorHead.Header(
            tensor: reader.header.tensor, dtype: reader.header.dtype, shape: reader.header.shape, depth: 1,
            base: nil, codec: Codecs.current.identity, parts: parts)
        let head = TensorHead(header: header, blocks: rows)
        let placed = try publisher.publish([try head.encoded()] + payload)
        try check(placed.digest)
        return placed.digest
    }

    /// Blocks that are held in memory at a time.
    private static let window = 32

    private func encode(_ blocks: Range<Int>, of reader: TensorReader) throws -> [EncodedBlock] {
        let found = Collected<EncodedBlock>(blocks.count)
        try Worker.run(blocks.count) { job, worker in
            let index = blocks.lowerBound + job
            let raw = worker.block.prefix(Blocks.range(index, of: reader.head.byteCount).count)
            try reader.readBlock(index, into: raw, worker)
            found[job] = try worker.coder(Codecs.current).encode(
                UnsafeRawBufferPointer(raw), dtype: reader.header.dtype, base: nil)
        }
        return found.all
    }

    /// Decodes what was just written: no index file names an object that does not give the tensor back.
    private func check(_ object: Digest) throws {
        let reader = try ReadSession(store).reader(object: object)
        try Worker.run(reader.head.blocks.count) { index, worker in
            let block = worker.block.prefix(Blocks.range(index, of: reader.head.byteCount).count)
            try reader.readBlock(index, into: block, worker)
        }
    }
}

/// Which tensors rest on an object, by the heads and index files that can be read.
private struct Uses {
    private(set) var headers: [Digest: TensorHead.Header] = [:]
    /// Tensors by the object that an index file names for them, or a head as what it is restored from.
    private var holders: [Digest: Set<Digest>] = [:]
    private var partHeads: [Digest: [Digest]] = [:]

    init(_ store: Store) throws {
        for object in try store.objectNames() where try store.objectKind(object) == .head {
            guard let header = try? TensorHead.read(try store.openObject(object), object: object).head.header
            else { continue }
            headers[object] = header
            for source in header.sources { holders[source.object, default: []].insert(source.tensor) }
            for part in Set(header.parts.map(\.object)) { partHeads[part, default: []].append(object) }
            holders[object, default: []].insert(header.tensor)
        }
        for tensor in try store.pointerNames() {
            if let object = try? store.pointer(tensor) { holders[object, default: []].insert(tensor) }
        }
    }

    /// Tensors that the object is said to hold.
    func tensors(in object: Digest) -> Set<Digest> { holders[object] ?? [] }

    /// Heads whose payload is in the object.
    func heads(with object: Digest) -> [Digest] { partHeads[object] ?? [] }
}
