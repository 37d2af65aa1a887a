internal import PawlCore

/// The blocks that every tensor and blob is cut into.
enum Blocks {
    /// Raw bytes of a block; only the last one of a tensor is shorter.
    static let size = 1 << 20

    /// Number of blocks of so many bytes.
    static func count(_ bytes: Int) -> Int { (bytes + size - 1) / size }

    /// Where block `index` of a tensor of `bytes` bytes lies.
    static func range(_ index: Int, of bytes: Int) -> Range<Int> {
        index * size..<min((index + 1) * size, bytes)
    }

    /// The identity of a tensor (docs/format.md, "Tensor"): SHA-256 of dtype, shape and the digests of its blocks.
    static func tensorDigest(dtype: DType, shape: [Int], blocks: [Digest]) -> Digest {
        var hasher = SHA256()
        let extents = shape.map(String.init).joined(separator: ",")
        hasher.update(Array("pawl tensor 1\n\(dtype.rawValue)\n\(extents)\n".utf8))
        for block in blocks { hasher.update(block.bytes) }
        return hasher.finish()
    }

    /// The identity of bytes that are all in memory.
    static func tensorDigest(dtype: DType, shape: [Int], bytes: UnsafeRawBufferPointer) -> Digest {
        let blocks = (0..<count(bytes.count)).map {
            Digest(of: UnsafeRawBufferPointer(rebasing: bytes[range($0, of: bytes.count)]))
        }
        return tensorDigest(dtype: dtype, shape: shape, blocks: blocks)
    }
}

/// Memory for one block, aligned for every element; for one thread.
final class Scratch {
    let memory: UnsafeMutableRawBufferPointer

    init(_ size: Int = Blocks.size) { memory = .allocate(byteCount: size, alignment: 64) }
    deinit { memory.deallocate() }

    /// The first bytes of it.
    func prefix(_ count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
    }
}
