internal import Foundation

/// fp32 numbers that one owner holds; zero at first.
public final class FloatBuffer: @unchecked Sendable {
    /// The first number.
    public let pointer: UnsafeMutablePointer<Float>
    /// How many there are.
    public let count: Int
    /// Bytes that were mapped; 0 for memory of the C library.
    private let mapped: Int

    /// From this size on, pages of 2 MiB are asked for: one fault in place of 512, and fewer address translations while
    /// weights stream through.
    private static let largeBytes = 4 << 20

    /// Room for `count` numbers, all 0. Pages that are never written take no memory.
    public init(_ count: Int) {
        self.count = count
        let bytes = max(count, 1) * MemoryLayout<Float>.stride
        if let memory = Self.map(bytes) {
            (pointer, mapped) = (memory, bytes)
        } else {
            pointer = calloc(bytes, 1)!.assumingMemoryBound(to: Float.self)
            mapped = 0
        }
    }

    private static func map(_ bytes: Int) -> UnsafeMutablePointer<Float>? {
        #if canImport(Glibc)
            guard bytes >= largeBytes,
                let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                memory != MAP_FAILED
            else { return nil }
            madvise(memory, bytes, MADV_HUGEPAGE)
            return memory.assumingMemoryBound(to: Float.self)
        #else
            return nil
        #endif
    }

    deinit {
        if mapped > 0 { munmap(pointer, mapped) } else { free(pointer) }
    }

    /// The numbers; valid while something holds the buffer itself, so never taken from a temporary.
    public var values: UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: pointer, count: count)
    }

    /// Sets every number to 0.
    public func clear() { values.update(repeating: 0) }

    /// Takes the numbers of another buffer, which has at most as many.
    public func copy(from other: FloatBuffer) {
        precondition(other.count <= count, "a copy of \(other.count) numbers into room for \(count)")
        pointer.update(from: other.pointer, count: other.count)
    }
}
