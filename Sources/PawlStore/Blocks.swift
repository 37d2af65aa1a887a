internal import Foundation
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
    /// Its beginning.
    private let start: UnsafeMutableRawPointer

    init(_ size: Int = Blocks.size) {
        start = .allocate(byteCount: size, alignment: 64)
        memory = UnsafeMutableRawBufferPointer(start: start, count: size)
    }

    deinit { start.deallocate() }

    /// All of it as elements.
    func elements<T: BitwiseCopyable>(_: T.Type) -> UnsafeMutablePointer<T> {
        start.assumingMemoryBound(to: T.self)
    }

    /// All of it as bytes.
    var bytes: UnsafeMutablePointer<UInt8> { elements(UInt8.self) }

    /// The first bytes of it.
    func prefix(_ count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
    }
}

extension UnsafeRawBufferPointer {
    /// True when both hold the same bytes (`elementsEqual` compares them one by one).
    func equals(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard let a = baseAddress, let b = other.baseAddress, count > 0 else { return true }
        return memcmp(a, b, count) == 0
    }
}
