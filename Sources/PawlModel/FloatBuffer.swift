internal import Foundation

/// fp32 numbers that one owner holds; zero at first.
public final class FloatBuffer: @unchecked Sendable {
    /// The first number.
    public let pointer: UnsafeMutablePointer<Float>
    /// How many there are.
    public let count: Int

    /// Room for `count` numbers, all 0. Pages that are never written take no memory.
    public init(_ count: Int) {
        self.count = count
        pointer = UnsafeMutablePointer(
            mutating: calloc(max(count, 1), MemoryLayout<Float>.stride)!.assumingMemoryBound(to: Float.self))
    }

    deinit { free(pointer) }

    /// The numbers; valid while something holds the buffer itself, so never taken from a temporary.
    public var values: UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: pointer, count: count)
    }

    /// Sets every number to 0.
    public func clear() { values.update(repeating: 0) }

    /// Takes the numbers of another buffer of the same size.
    public func copy(from other: FloatBuffer) { pointer.update(from: other.pointer, count: count) }
}
