internal import CKernels
internal import Foundation
internal import PawlCore

/// One number for each of a model's weights, in one run: the weights themselves, their gradients, moments, an average.
public final class Parameters: Sendable {
    public let layout: ParameterLayout
    public let buffer: FloatBuffer

    /// All zero.
    public init(_ layout: ParameterLayout) {
        self.layout = layout
        buffer = FloatBuffer(layout.count)
    }

    /// A copy of the same numbers.
    public convenience init(copying other: Parameters) {
        self.init(other.layout)
        buffer.copy(from: other.buffer)
    }

    /// A copy of numbers that were held in bf16.
    convenience init(widening frozen: FrozenWeights, _ pool: ComputePool) {
        self.init(frozen.layout)
        pawl_f32_from_bf16(pool.handle, buffer.pointer, frozen.rounded.at(0), buffer.count)
        for entry in layout.entries where !entry.isMatrix {
            at(entry.offset).update(from: frozen.vector(entry.offset), count: entry.count)
        }
    }

    /// Reads a model's weights, tensor by tensor.
    ///
    /// Fails when a tensor is missing, has another shape, is of a type without fp32 meaning, or holds a NaN or infinity.
    public convenience init(
        reading source: some WeightSource, _ configuration: ModelConfiguration, _ pool: ComputePool
    ) throws {
        let layout = ParameterLayout(configuration)
        try layout.check(source, configuration)
        self.init(layout)
        let place = source.description
        try source.read(layout.entries.map(\.name)) { index, shape, dtype, bytes in
            try fill(layout.entries[index], shape, dtype, bytes, place, pool)
        }
    }

    private func fill(
        _ entry: ParameterLayout.Entry, _ shape: [Int], _ dtype: DType, _ bytes: UnsafeRawBufferPointer,
        _ source: String, _ pool: ComputePool
    ) throws {
        try entry.check(shape, dtype, bytes, source)
        try entry.widen(bytes, dtype, into: buffer.pointer + entry.offset, source, pool)
    }

    /// The sum of the squares of all numbers.
    public func squaredNorm(_ pool: ComputePool) -> Double {
        pawl_squared_norm(pool.handle, buffer.pointer, buffer.count)
    }

    /// The first number of a tensor or group at an offset of the layout.
    func at(_ offset: Int) -> UnsafeMutablePointer<Float> { buffer.pointer + offset }
}

extension ParameterLayout.Entry {
    /// Takes a tensor's numbers as fp32; refuses NaN and infinity, and types without a meaning in fp32.
    func widen(
        _ bytes: UnsafeRawBufferPointer, _ dtype: DType, into numbers: UnsafeMutablePointer<Float>,
        _ source: String, _ pool: ComputePool
    ) throws {
        guard let start = bytes.baseAddress else { return }
        switch dtype {
        case .f32: UnsafeMutableRawPointer(numbers).copyMemory(from: start, byteCount: bytes.count)
        case .bf16: Self.aligned(bytes) { pawl_f32_from_bf16(pool.handle, numbers, $0, count) }
        case .f16: Self.aligned(bytes) { pawl_f32_from_f16(pool.handle, numbers, $0, count) }
        default:
            throw failure(
                "weights of type \(dtype.rawValue) are not supported; F32, BF16 and F16 are", source)
        }
        // Squares of finite fp32 numbers cannot overflow a sum in double.
        guard pawl_squared_norm(pool.handle, numbers, count).isFinite else {
            throw failure("it holds a NaN or an infinity", source)
        }
    }

    /// The bytes as 16-bit numbers, copied when they do not lie on an even address.
    private static func aligned(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafePointer<UInt16>) throws -> Void
    ) rethrows {
        guard let start = bytes.baseAddress else { return }
        if UInt(bitPattern: start) % 2 == 0 { return try body(start.assumingMemoryBound(to: UInt16.self)) }
        try withUnsafeTemporaryAllocation(of: UInt16.self, capacity: bytes.count / 2) { copy in
            UnsafeMutableRawBufferPointer(copy).copyMemory(from: bytes)
            if let start = copy.baseAddress { try body(start) }
        }
    }

    /// Takes a tensor's numbers in bf16 as they are; refuses NaN and infinity.
    func take(_ bytes: UnsafeRawBufferPointer, into numbers: UnsafeMutablePointer<UInt16>, _ source: String)
        throws
    {
        let room = UnsafeMutableRawBufferPointer(start: numbers, count: bytes.count)
        room.copyMemory(from: bytes)
        guard room.assumingMemoryBound(to: UInt16.self).allFinite else {
            throw failure("it holds a NaN or an infinity", source)
        }
    }
}

extension UnsafeMutableBufferPointer<UInt16> {
    /// Whether no number, as bf16, is a NaN or an infinity: those have all bits of the exponent set.
    fileprivate var allFinite: Bool {
        let block = 1 << 16
        return stride(from: 0, to: count, by: block).allSatisfy { start in
            self[start..<Swift.min(start + block, count)].reduce(0) { Swift.max($0, $1 & 0x7F80) } < 0x7F80
        }
    }
}
