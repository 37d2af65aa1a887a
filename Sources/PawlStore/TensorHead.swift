internal import PawlCore

/// The first object of a tensor: what the tensor is and where its blocks are (docs/format.md, "Head").
struct TensorHead: Sendable {
    /// The part that is JSON.
    struct Header: Sendable, Codable {
        var type = "tensor"
        let version: Int
        let tensor: Digest
        let dtype: DType
        let shape: [Int]
        /// Encodings that a reader goes through: 1, or one more than the base's.
        var depth: Int
        var base: Source?
        /// Low-rank updates that make a folded block of the base's, first one first.
        let folds: [Fold]?
        let codec: CodecIdentity
        /// The objects that hold the payload; empty when it follows in the head itself.
        let parts: [Part]
        /// The level it was written at; nil for the default one.
        var level: EncodingLevel?

        init(
            tensor: Digest, dtype: DType, shape: [Int], depth: Int, base: Source?, folds: [Fold] = [],
            codec: CodecIdentity, parts: [Part], level: EncodingLevel? = nil
        ) {
            self.tensor = tensor
            self.dtype = dtype
            self.shape = shape
            self.depth = depth
            self.base = base
            self.codec = codec
            self.parts = parts
            self.level = level
            self.folds = folds.isEmpty ? nil : folds
            version = folds.isEmpty ? 1 : TensorHead.newestVersion
        }

        /// Every tensor that blocks are restored from.
        var sources: [Source] { [base].compactMap { $0 } + (folds ?? []).flatMap { [$0.a, $0.b] } }
    }

    /// A tensor that blocks are restored from, each of smaller depth.
    struct Source: Sendable, Hashable, Codable {
        /// Its head object.
        let object: Digest
        /// Its digest, so that the damage of a source can be named, and another encoding of it found.
        let tensor: Digest
    }

    /// A low-rank update: scale B A is added to a matrix (docs/format.md, "Folded").
    struct Fold: Sendable, Hashable, Codable {
        /// A [rank, columns] and B [rows, rank].
        let a, b: Source
        /// Bits of the scale as an fp32 number.
        let scale: UInt32
    }

    /// An object with payload of so many blocks.
    struct Part: Sendable, Hashable, Codable {
        let object: Digest
        let blocks: Int
    }

    /// A row of the block table.
    struct Block: Sendable {
        let encoding: BlockEncoding
        /// Bytes of payload.
        let length: Int
        /// SHA-256 of the block's raw bytes.
        let digest: Digest
    }

    let header: Header
    let blocks: [Block]

    /// At most so many encodings are chained.
    static let maximumDepth = 4
    /// At most so many low-rank updates are folded into one base.
    static let maximumFolds = 8
    /// Version 2 has low-rank updates.
    fileprivate static let newestVersion = 2
    private static let rowSize = 1 + 4 + Digest.byteCount
    /// Bytes before the payload of a part object.
    static let partPrefix = ObjectKind.partMagic.count

    var byteCount: Int { header.dtype.byteCount(shape: header.shape) ?? 0 }

    /// The bytes of the head without payload.
    func encoded() throws -> [UInt8] {
        let json = try JSON.canonical(header)
        var bytes = ObjectKind.headMagic
        bytes.reserveCapacity(bytes.count + 4 + json.count + blocks.count * Self.rowSize)
        bytes.append(littleEndian: UInt32(json.count))
        bytes += json
        for block in blocks {
            bytes.append(block.encoding.rawValue)
            bytes.append(littleEndian: UInt32(block.length))
            bytes += block.digest.bytes
        }
        return bytes
    }

    /// Bytes that ``encoded()`` takes at most for a tensor without parts.
    static func sizeBound(blocks: Int, shape: [Int], folds: Int) -> Int {
        1024 + 24 * shape.count + 512 * folds + blocks * rowSize
    }

    /// Reads the head of an object and where its payload begins. Everything in it is checked against the rest.
    static func read(_ reader: FileReader, object: Digest) throws -> (head: TensorHead, payload: Int) {
        func fail(_ reason: String) -> PawlError {
            PawlError(.corrupt, "object \(object) is no valid tensor: \(reason)")
        }
        let size = try reader.size()
        let start = try reader.bytes(0..<12)
        guard start.count == 12, ObjectKind(magic: start.prefix(8)) == .head else {
            throw fail("it does not begin like one")
        }
        let length = Int(start.littleEndian(UInt32.self, at: 8))
        guard length <= size - 12 else { throw fail("its header is longer than the object") }
        let header = try JSON.decode(
            Header.self, from: try reader.bytes(12..<12 + length), source: "object \(object)")
        guard header.type == "tensor", (1...newestVersion).contains(header.version) else {
            throw PawlError(
                .unsupported, "object \(object) is a \(header.type) of version \(header.version)",
                hint: "use a newer Pawl")
        }
        guard let byteCount = header.dtype.byteCount(shape: header.shape) else { throw fail("its shape") }
        let count = Blocks.count(byteCount)
        guard count <= (size - 12 - length) / rowSize else { throw fail("its block table is cut off") }
        let payload = 12 + length + count * rowSize
        let table = try reader.bytes(12 + length..<payload)
        guard table.count == count * rowSize else { throw fail("its block table is cut off") }
        let blocks = try (0..<count).map { index in
            try block(table, index, of: byteCount) ?? { throw fail("block \(index) of its table") }()
        }
        let head = TensorHead(header: header, blocks: blocks)
        try head.check(payloadSize: size - payload, fail)
        return (head, payload)
    }

    private static func block(_ table: [UInt8], _ index: Int, of byteCount: Int) throws -> Block? {
        let row = index * rowSize
        let length = Int(table.littleEndian(UInt32.self, at: row + 1))
        let rawSize = Blocks.range(index, of: byteCount).count
        guard let encoding = BlockEncoding(rawValue: table[row]), length <= rawSize,
            encoding != .raw || length == rawSize, encoding.hasPayload || length == 0
        else { return nil }
        return Digest(bytes: table[row + 5..<row + rowSize]).map {
            Block(encoding: encoding, length: length, digest: $0)
        }
    }

    private func check(payloadSize: Int, _ fail: (String) -> PawlError) throws {
        let needsBase = blocks.contains { $0.encoding.needsBase }
        guard needsBase == (header.base != nil), (1...Self.maximumDepth).contains(header.depth),
            (header.depth > 1) == needsBase
        else { throw fail("its base and depth do not fit its blocks") }
        let folds = header.folds ?? []
        guard folds.isEmpty == !blocks.contains(where: { $0.encoding == .folded }),
            folds.isEmpty == (header.version == 1), folds.count <= Self.maximumFolds,
            folds.isEmpty || LowRankFold.canChange(header.dtype, header.shape)
        else { throw fail("its low-rank updates do not fit its blocks") }
        let inline = header.parts.isEmpty ? blocks.reduce(0) { $0 + $1.length } : 0
        guard payloadSize == inline else {
            throw fail("it has \(payloadSize) bytes of payload, its table says \(inline)")
        }
        guard header.parts.isEmpty || header.parts.reduce(0, { $0 &+ $1.blocks }) == blocks.count,
            header.parts.allSatisfy({ (0...blocks.count).contains($0.blocks) })
        else { throw fail("its parts do not hold its blocks") }
        let digest = Blocks.tensorDigest(
            dtype: header.dtype, shape: header.shape, blocks: blocks.map(\.digest))
        guard digest == header.tensor else {
            throw fail("its block digests are not those of tensor \(header.tensor)")
        }
    }
}

extension [UInt8] {
    /// Appends a number, low byte first.
    mutating func append(littleEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    /// The number that stands at an offset, low byte first.
    func littleEndian<T: FixedWidthInteger>(_: T.Type, at offset: Int) -> T {
        withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
    }
}
