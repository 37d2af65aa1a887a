internal import PawlCore

/// How one block of a tensor is written down.
enum BlockEncoding: UInt8, Sendable, CaseIterable {
    /// The bytes themselves.
    case raw = 0
    /// On its own, compressed.
    case full = 1
    /// The difference to the same block of the base tensor, compressed.
    case delta = 2
    /// The bytes of the base's block; no payload.
    case same = 3
    /// The base's block with the head's low-rank updates folded in; no payload.
    case folded = 4

    /// True when decoding needs the base's block.
    var needsBase: Bool { self == .delta || self == .same || self == .folded }

    /// False when everything is in the base and the head.
    var hasPayload: Bool { self != .same && self != .folded }

    /// Encodings that integer arithmetic undoes, so that the same payload gives the same bytes on every machine.
    static let byteExact: Set<BlockEncoding> = [.raw, .full, .delta, .same]

    /// The name in reports.
    var name: String {
        switch self {
        case .raw: "raw"
        case .full: "full"
        case .delta: "delta"
        case .same: "same"
        case .folded: "folded"
        }
    }
}

/// A block written down.
struct EncodedBlock: Sendable {
    let encoding: BlockEncoding
    let payload: [UInt8]
}

/// A lossless way to write blocks of tensors, named by every object that uses it.
///
/// A better codec is a new conformer with a new name or version, added to ``Codecs``; the old one stays, since
/// old objects name it. `raw`, `same` and `folded` mean the same in every codec and never reach a coder.
protocol TensorCodec: Sendable {
    /// Name and version as an object states them.
    var identity: CodecIdentity { get }
    /// What its coders mind most when they write.
    var level: EncodingLevel { get }
    /// A coder with scratch memory of its own, for one thread.
    func makeCoder() throws -> any BlockCoder
}

extension TensorCodec {
    var level: EncodingLevel { .standard }
}

/// Writes and reads blocks on one thread.
protocol BlockCoder: AnyObject {
    /// The smallest payload for a block on its own; nil when none is smaller than the block.
    func encodeFull(_ block: UnsafeRawBufferPointer, dtype: DType) throws -> [UInt8]?
    /// The smallest payload for a block beside a base of the same size; nil when none is smaller than the block.
    func encodeDelta(_ block: UnsafeRawBufferPointer, base: UnsafeRawBufferPointer, dtype: DType) throws
        -> [UInt8]?
    /// Restores a block; throws `corrupt` for a payload that no encoder wrote, whatever its bytes.
    func decodeFull(_ payload: UnsafeRawBufferPointer, dtype: DType, into: UnsafeMutableRawBufferPointer)
        throws
    /// Restores a block whose base stands in `block` already.
    func decodeDelta(_ payload: UnsafeRawBufferPointer, dtype: DType, onto: UnsafeMutableRawBufferPointer)
        throws
}

extension BlockCoder {
    /// The smallest of all encodings.
    func encode(_ block: UnsafeRawBufferPointer, dtype: DType, base: UnsafeRawBufferPointer?) throws
        -> EncodedBlock
    {
        if let base, block.equals(base) { return EncodedBlock(encoding: .same, payload: []) }
        let delta = try base.flatMap { try encodeDelta(block, base: $0, dtype: dtype) }
        if let delta, try isSmall(delta.count, beside: block, dtype: dtype) {
            return EncodedBlock(encoding: .delta, payload: delta)
        }
        let full = try encodeFull(block, dtype: dtype)
        if let delta, delta.count < full?.count ?? block.count {
            return EncodedBlock(encoding: .delta, payload: delta)
        }
        if let full { return EncodedBlock(encoding: .full, payload: full) }
        return EncodedBlock(encoding: .raw, payload: Array(block))
    }

    /// Whether a delta of so many bytes is so much smaller than a block on its own promises to be, by a sample of it,
    /// that the latter need not be tried.
    private func isSmall(_ delta: Int, beside block: UnsafeRawBufferPointer, dtype: DType) throws -> Bool {
        let size = block.count / 32 & ~15
        guard size >= 16 << 10 else { return false }
        let start = block.count / 2 & ~15
        let sample = UnsafeRawBufferPointer(rebasing: block[start..<start + size])
        let full = try encodeFull(sample, dtype: dtype)?.count ?? size
        return delta < full * 24
    }
}

/// Name and version of a codec.
struct CodecIdentity: Sendable, Hashable, Codable, CustomStringConvertible {
    let name: String
    let version: Int
    var description: String { "\(name) \(version)" }
}

/// The codecs that this build knows.
enum Codecs {
    /// The one that new objects use.
    static let current: any TensorCodec = FieldCodec()

    /// The same at a level.
    static func current(_ level: EncodingLevel) -> any TensorCodec { FieldCodec(level: level) }

    private static let all: [any TensorCodec] = [FieldCodec(), PlaneCodec()]

    /// The codec that an object names.
    static func codec(_ identity: CodecIdentity, object: Digest) throws -> any TensorCodec {
        guard let codec = all.first(where: { $0.identity == identity }) else {
            throw PawlError(
                .unsupported,
                "object \(object) is written in codec \(identity), which this Pawl does not know",
                hint: "use a newer Pawl")
        }
        return codec
    }
}
