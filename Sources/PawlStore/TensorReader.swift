internal import Foundation
internal import PawlCore

/// A tensor or blob in a store whose objects, those of its chain included, have been checked against their names.
final class TensorReader: Sendable {
    let object: Digest
    let head: TensorHead
    /// The tensor that its deltas are relative to.
    let base: TensorReader?
    /// What makes a folded block of the base's.
    let folds: [LowRankFold]
    private let store: Store
    private let codec: any TensorCodec
    /// Object and offset of every block's payload.
    private let places: [(object: Digest, offset: Int)]

    var header: TensorHead.Header { head.header }

    /// It as what another tensor is restored from.
    var source: TensorHead.Source { TensorHead.Source(object: object, tensor: header.tensor) }

    /// Every tensor that blocks are restored from.
    var sources: [TensorReader] { [base].compactMap { $0 } + folds.flatMap { [$0.a, $0.b] } }

    init(
        _ store: Store, object: Digest, head: TensorHead, payload: Int, base: TensorReader?,
        folds: [LowRankFold] = []
    ) throws {
        self.store = store
        self.object = object
        self.head = head
        self.base = base
        self.folds = folds
        codec = try Codecs.codec(head.header.codec, object: object)
        places = Self.places(head, object: object, payload: payload)
    }

    private static func places(_ head: TensorHead, object: Digest, payload: Int) -> [(
        object: Digest, offset: Int
    )] {
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
                .corrupt,
                "block \(index) of tensor \(header.tensor) (object \(object)) does not have its digest")
        }
    }

    /// Bytes of payload of all blocks.
    var payloadBytes: Int { head.blocks.reduce(0) { $0 + $1.length } }

    /// The payload that stands in the head object itself: all that follows the table of blocks.
    func inlinePayload() throws -> [UInt8] {
        guard let first = places.first else { return [] }
        let file = try store.openObject(object)
        return try file.bytes(first.offset..<max(first.offset, file.size()))
    }

    /// Restores block `index` without comparing it with its digest, which costs a second for each GB: the objects
    /// have just been compared with their names, and what they hold was restored and compared before it was stored.
    ///
    /// Where restoring is more than moving bytes about, the digest is compared all the same.
    func restoreBlock(_ index: Int, into block: UnsafeMutableRawBufferPointer, _ worker: Worker) throws {
        if isByteExact(index) { return try restore(index, into: block, worker) }
        try readBlock(index, into: block, worker)
    }

    private func isByteExact(_ index: Int) -> Bool {
        let encoding = head.blocks[index].encoding
        guard BlockEncoding.byteExact.contains(encoding) else { return false }
        return !encoding.needsBase || base?.isByteExact(index) == true
    }

    private func restore(_ index: Int, into block: UnsafeMutableRawBufferPointer, _ worker: Worker) throws {
        let row = head.blocks[index]
        if row.encoding.needsBase {
            guard let base else { throw Store.damaged(object) }
            try base.restore(index, into: block, worker)
        }
        if row.encoding == .folded {
            let offset = Blocks.range(index, of: head.byteCount).lowerBound
            for fold in folds { try fold.apply(to: block, at: offset, header.dtype) }
        }
        guard row.encoding.hasPayload else { return }
        let target = row.encoding == .raw ? block : worker.payload.prefix(row.length)
        let place = places[index]
        let file = try worker.file(store.url(ofObject: place.object).path)
        guard try file.read(into: target, at: place.offset) == row.length else {
            throw Store.damaged(place.object)
        }
        let payload = UnsafeRawBufferPointer(target)
        do {
            switch row.encoding {
            case .raw, .same, .folded: break
            case .full: try worker.coder(codec).decodeFull(payload, dtype: header.dtype, into: block)
            case .delta: try worker.coder(codec).decodeDelta(payload, dtype: header.dtype, onto: block)
            }
        } catch let error as PawlError {
            throw PawlError(error.code, "block \(index) of tensor \(header.tensor): \(error.message)")
        }
    }
}
