internal import PawlCore

/// Codec `planes` version 1: byte planes of the elements, each through libzstd (docs/format.md, "Codec planes 1").
///
/// An element is first brought into a form whose high bytes are predictable: a float is rotated left by one
/// bit, so that its exponent fills the top byte; a delta is the zigzag of the difference of the two elements
/// in the order of their values, so that a small update is a small number whatever its sign.
struct PlaneCodec: TensorCodec {
    let identity = CodecIdentity(name: "planes", version: 1)
    func makeCoder() throws -> any BlockCoder { try PlaneCoder() }
}

private final class PlaneCoder: BlockCoder {
    private let zstd: Zstd
    private let planes = Scratch()
    private let attempts = (Scratch(Zstd.bound(Blocks.size)), Scratch(Zstd.bound(Blocks.size)))

    /// Bytes before each plane in a payload: method and length.
    private static let prefix = 5

    /// Bytes of a plane that decide how to compress it.
    private static let sampleSize = 64 << 10

    private enum Method: UInt8 { case raw = 0, zstd = 1 }

    init() throws { zstd = try Zstd() }

    func encodeFull(_ block: UnsafeRawBufferPointer, dtype: DType) throws -> [UInt8]? {
        let form = ElementForm(dtype)
        form.splitFull(block, into: planes.prefix(block.count))
        // Bytes on their own are text more often than not, where matches are everything.
        return try pack(block.count, width: form.width, level: form.width == 1 ? 3 : 1)
    }

    func encodeDelta(_ block: UnsafeRawBufferPointer, base: UnsafeRawBufferPointer, dtype: DType) throws
        -> [UInt8]?
    {
        let form = ElementForm(dtype)
        form.splitDelta(block, base: base, into: planes.prefix(block.count))
        return try pack(block.count, width: form.width, level: 1)
    }

    func decodeFull(
        _ payload: UnsafeRawBufferPointer, dtype: DType, into block: UnsafeMutableRawBufferPointer
    )
        throws
    {
        let form = ElementForm(dtype)
        try unpack(payload, block.count, width: form.width)
        form.joinFull(UnsafeRawBufferPointer(planes.prefix(block.count)), into: block)
    }

    func decodeDelta(
        _ payload: UnsafeRawBufferPointer, dtype: DType, onto block: UnsafeMutableRawBufferPointer
    )
        throws
    {
        let form = ElementForm(dtype)
        try unpack(payload, block.count, width: form.width)
        form.joinDelta(UnsafeRawBufferPointer(planes.prefix(block.count)), onto: block)
    }

    /// Writes the planes down, each in its smallest form; nil when that is no gain.
    private func pack(_ count: Int, width: Int, level: Int32) throws -> [UInt8]? {
        let planeSize = count / width
        var payload: [UInt8] = []
        payload.reserveCapacity(count)
        for index in 0..<width {
            let plane = UnsafeRawBufferPointer(
                rebasing: planes.prefix(count)[index * planeSize..<(index + 1) * planeSize])
            let best = try smallest(plane, level: level)
            payload.append(best.method.rawValue)
            withUnsafeBytes(of: UInt32(best.bytes.count).littleEndian) { payload.append(contentsOf: $0) }
            payload.append(contentsOf: best.bytes)
        }
        return payload.count < count ? payload : nil
    }

    private func smallest(_ plane: UnsafeRawBufferPointer, level: Int32) throws -> (
        method: Method, bytes: UnsafeRawBufferPointer
    ) {
        let strategies: [Zstd.Strategy] = [.entropy, .matches(level: level)]
        guard plane.count > 2 * Self.sampleSize else {
            return try smallest(plane, among: strategies)
        }
        // A sample from the middle tells which strategy wins, and whether any pays, at an eighth of the cost.
        let start = (plane.count - Self.sampleSize) / 2
        let sample = UnsafeRawBufferPointer(rebasing: plane[start..<start + Self.sampleSize])
        let sizes = try strategies.map { try zstd.compress(sample, into: attempts.0.memory, $0) }
        let winner = sizes[1] < sizes[0] ? 1 : 0
        guard sizes[winner] < Self.sampleSize else { return (.raw, plane) }
        return try smallest(plane, among: [strategies[winner]])
    }

    private func smallest(_ plane: UnsafeRawBufferPointer, among strategies: [Zstd.Strategy]) throws -> (
        method: Method, bytes: UnsafeRawBufferPointer
    ) {
        var best = (method: Method.raw, bytes: plane)
        for (strategy, scratch) in zip(strategies, [attempts.0, attempts.1]) {
            let size = try zstd.compress(plane, into: scratch.memory, strategy)
            // A per mille is not worth the time to read it back.
            if size < best.bytes.count - plane.count / 1000 {
                best = (.zstd, UnsafeRawBufferPointer(scratch.prefix(size)))
            }
        }
        return best
    }

    private func unpack(_ payload: UnsafeRawBufferPointer, _ count: Int, width: Int) throws {
        let planeSize = count / width
        var rest = payload[...]
        for index in 0..<width {
            guard rest.count >= Self.prefix, let method = Method(rawValue: rest[rest.startIndex]) else {
                throw PawlError(.corrupt, "a block is damaged: plane \(index) has no valid beginning")
            }
            let length = Int(
                UInt32(
                    littleEndian: payload.loadUnaligned(fromByteOffset: rest.startIndex + 1, as: UInt32.self))
            )
            rest = rest.dropFirst(Self.prefix)
            guard length <= rest.count, method == .zstd || length == planeSize else {
                throw PawlError(.corrupt, "a block is damaged: plane \(index) has a wrong length")
            }
            let bytes = UnsafeRawBufferPointer(rebasing: rest.prefix(length))
            let plane = UnsafeMutableRawBufferPointer(
                rebasing: planes.prefix(count)[index * planeSize..<(index + 1) * planeSize])
            switch method {
            case .raw: plane.copyMemory(from: bytes)
            case .zstd: try zstd.decompress(bytes, into: plane)
            }
            rest = rest.dropFirst(length)
        }
        guard rest.isEmpty else {
            throw PawlError(.corrupt, "a block is damaged: bytes after its last plane")
        }
    }
}
