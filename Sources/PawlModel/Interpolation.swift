public import PawlCore

/// Weights between two models: docs/gate.md, "Rescue", specifies them to the last bit.
///
/// Each element is parent + t * (candidate - parent): three operations, each rounded to the nearest fp32 number (ties to
/// even), never fused, then rounded the same way to the tensor's format (F64: in fp64 throughout). IEEE 754 gives these
/// operations one result, so every machine makes the same bytes. An element whose bits are equal in both keeps them.
public enum Interpolation {
    /// Whether the formula has a meaning for a type; what else differs between two models cannot be interpolated.
    public static func isDefined(for dtype: DType) -> Bool {
        [.f64, .f32, .f16, .bf16].contains(dtype)
    }

    /// Makes the elements of a tensor.
    ///
    /// - Parameters:
    ///   - parent: little-endian elements; `candidate` as many.
    ///   - t: between 0 (the parent) and 1 (the candidate); an fp32 number.
    /// - Returns: as many bytes.
    /// - Throws: `invalidArgument` when an element that differs is not finite, or its result would not be.
    public static func bytes(
        _ dtype: DType, parent: [UInt8], candidate: [UInt8], at t: Float
    ) throws -> [UInt8] {
        precondition(parent.count == candidate.count && isDefined(for: dtype))
        var result = candidate
        let isFinite = parent.withUnsafeBytes { parent in
            candidate.withUnsafeBytes { candidate in
                result.withUnsafeMutableBytes { result in
                    switch dtype {
                    case .f32: fill(UInt32.self, parent, candidate, result) { between($0, $1, t) }
                    case .bf16: fill(UInt16.self, parent, candidate, result) { betweenBF16($0, $1, t) }
                    case .f16: fill(UInt16.self, parent, candidate, result) { betweenF16($0, $1, t) }
                    default: fill(UInt64.self, parent, candidate, result) { between($0, $1, Double(t)) }
                    }
                }
            }
        }
        guard isFinite else {
            throw PawlError(.invalidArgument, "an element that differs is not a finite number")
        }
        return result
    }

    /// Writes the elements that differ; false when one of them has no finite result.
    private static func fill<Bits: FixedWidthInteger>(
        _: Bits.Type, _ parent: UnsafeRawBufferPointer, _ candidate: UnsafeRawBufferPointer,
        _ result: UnsafeMutableRawBufferPointer, _ body: (Bits, Bits) -> Bits?
    ) -> Bool {
        let width = MemoryLayout<Bits>.size
        for offset in stride(from: 0, to: parent.count, by: width) {
            let p = Bits(littleEndian: parent.loadUnaligned(fromByteOffset: offset, as: Bits.self))
            let c = Bits(littleEndian: candidate.loadUnaligned(fromByteOffset: offset, as: Bits.self))
            guard p != c else { continue }
            guard let value = body(p, c) else { return false }
            result.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Bits.self)
        }
        return true
    }

    private static func step<Number: BinaryFloatingPoint>(_ p: Number, _ c: Number, _ t: Number) -> Number {
        let difference = c - p
        let part = t * difference
        return p + part
    }

    private static func between(_ p: UInt32, _ c: UInt32, _ t: Float) -> UInt32? {
        let value = step(Float(bitPattern: p), Float(bitPattern: c), t)
        return value.isFinite ? value.bitPattern : nil
    }

    private static func between(_ p: UInt64, _ c: UInt64, _ t: Double) -> UInt64? {
        let value = step(Double(bitPattern: p), Double(bitPattern: c), t)
        return value.isFinite ? value.bitPattern : nil
    }

    private static func betweenBF16(_ p: UInt16, _ c: UInt16, _ t: Float) -> UInt16? {
        let value = step(Float(bitPattern: UInt32(p) << 16), Float(bitPattern: UInt32(c) << 16), t)
        guard value.isFinite else { return nil }
        // To nearest, ties to even: a bf16 number is the upper half of an fp32 number.
        let bits = value.bitPattern
        let rounded = UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
        return rounded & 0x7F80 == 0x7F80 ? nil : rounded
    }

    private static func betweenF16(_ p: UInt16, _ c: UInt16, _ t: Float) -> UInt16? {
        let value = Float16(step(Float(Float16(bitPattern: p)), Float(Float16(bitPattern: c)), t))
        return value.isFinite ? value.bitPattern : nil
    }
}
