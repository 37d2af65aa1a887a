public import PawlCore

/// A tensor taken out of a store.
public struct Tensor: Sendable, Hashable {
    /// Type of an element.
    public let dtype: DType
    /// Extents, outermost first; empty for a scalar.
    public let shape: [Int]
    /// The elements as they stand in the file: little-endian, row-major.
    public let bytes: [UInt8]
}
