internal import PawlCore

/// Writes a tensor of the store again, in another way, and proves that it comes back the same.
struct TensorRewriter {
    let publisher: Publisher
    let store: Store
    let level: EncodingLevel
    let runner: BlockRunner
    /// Opens what was written; it has seen nothing before, so every byte is read and hashed again.
    let proof: ReadSession

    /// Blocks whose payload is in memory at a time, beside the object that grows.
    private static let round = 16

    /// Payload of a tensor on its way into objects.
    private struct Growing {
        var rows: [TensorHead.Block] = []
        var payload: [[UInt8]] = []
        var payloadBytes = 0
        var parts: [TensorHead.Part] = []
    }

    /// Encodes a tensor against a base, or on its own; the new encoding is in the store, and no index file names it.
    func encode(_ tensor: TensorReader, against base: TensorReader?) throws -> TensorReader {
        var growing = Growing()
        let count = tensor.head.blocks.count
        for start in stride(from: 0, to: count, by: Self.round) {
            let blocks = try runner.map(min(Self.round, count - start)) { [level] index, worker in
                try Self.encode(tensor, start + index, against: base, level, worker)
            }
            for block in blocks { try append(block, to: &growing, tensor) }
        }
        let whole =
            TensorHead.sizeBound(blocks: count, shape: tensor.header.shape, folds: 0) + growing.payloadBytes
        if !growing.parts.isEmpty || whole > store.objectLimit { try cut(&growing) }
        let used = growing.rows.contains { $0.encoding.needsBase } ? base : nil
        let header = TensorHead.Header(
            tensor: tensor.header.tensor, dtype: tensor.header.dtype, shape: tensor.header.shape,
            depth: (used?.header.depth ?? 0) + 1, base: used?.source, codec: Codecs.current.identity,
            parts: growing.parts, level: level.recorded)
        let head = TensorHead(header: header, blocks: growing.rows)
        return try prove(try publisher.publish([try head.encoded()] + growing.payload).digest, tensor)
    }

    /// The same payload with another encoding of its base.
    func relink(_ tensor: TensorReader, to base: TensorReader) throws -> TensorReader {
        var header = tensor.header
        header.base = base.source
        header.depth = FoldedForm.depth(base: base, tensor.folds)
        let head = TensorHead(header: header, blocks: tensor.head.blocks)
        let payload = header.parts.isEmpty ? try tensor.inlinePayload() : []
        return try prove(try publisher.publish([try head.encoded(), payload]).digest, tensor)
    }

    private static func encode(
        _ tensor: TensorReader, _ block: Int, against base: TensorReader?, _ level: EncodingLevel,
        _ worker: Worker
    ) throws -> (EncodedBlock, Digest) {
        let size = Blocks.range(block, of: tensor.head.byteCount).count
        let raw = worker.block.prefix(size)
        try tensor.readBlock(block, into: raw, worker)
        var old: UnsafeRawBufferPointer?
        if let base {
            let buffer = worker.other.prefix(size)
            try base.readBlock(block, into: buffer, worker)
            old = UnsafeRawBufferPointer(buffer)
        }
        let encoded = try worker.coder(Codecs.current(level)).encode(
            UnsafeRawBufferPointer(raw), dtype: tensor.header.dtype, base: old)
        return (encoded, tensor.head.blocks[block].digest)
    }

    private func append(
        _ block: (encoded: EncodedBlock, digest: Digest), to growing: inout Growing, _ tensor: TensorReader
    ) throws {
        let length = block.encoded.payload.count
        if TensorHead.partPrefix + growing.payloadBytes + length > store.objectLimit { try cut(&growing) }
        growing.rows.append(
            TensorHead.Block(encoding: block.encoded.encoding, length: length, digest: block.digest))
        growing.payload.append(block.encoded.payload)
        growing.payloadBytes += length
    }

    private func cut(_ growing: inout Growing) throws {
        guard !growing.payload.isEmpty else { return }
        let placed = try publisher.publish([ObjectKind.partMagic] + growing.payload)
        growing.parts.append(TensorHead.Part(object: placed.digest, blocks: growing.payload.count))
        growing.payload = []
        growing.payloadBytes = 0
    }

    /// Restores all of a new encoding from what is in the store, each block checked against its digest.
    private func prove(_ object: Digest, _ tensor: TensorReader) throws -> TensorReader {
        let reader = try proof.reader(object: object)
        guard reader.header.tensor == tensor.header.tensor, reader.header.dtype == tensor.header.dtype,
            reader.header.shape == tensor.header.shape
        else {
            throw PawlError(
                .internalError, "object \(object) was written to hold tensor \(tensor.header.tensor)")
        }
        _ = try runner.map(reader.head.blocks.count) { block, worker in
            let size = Blocks.range(block, of: reader.head.byteCount).count
            try reader.readBlock(block, into: worker.block.prefix(size), worker)
        }
        return reader
    }
}
