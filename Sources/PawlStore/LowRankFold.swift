internal import CCodec
internal import PawlCore
internal import Synchronization

/// A low-rank update of a matrix, opened for reading: scale B A is added, rounded as docs/format.md ("Folded") says.
///
/// A [rank, columns], B [rows, rank], both of floats that fp32 holds exactly.
final class LowRankFold: Sendable {
    let a, b: TensorReader
    let scale: Float
    private let factors = Mutex<Factors?>(nil)

    /// Both factors in fp32.
    private struct Factors: Sendable {
        let a, b: [Float]
    }

    init(a: TensorReader, b: TensorReader, scale: Float) {
        self.a = a
        self.b = b
        self.scale = scale
    }

    /// Whether an update can be folded into tensors of a form.
    static func canChange(_ dtype: DType, _ shape: [Int]) -> Bool { form(dtype) != nil && shape.count == 2 }

    /// Whether tensors are the factors of a matrix of a shape.
    static func fits(_ a: TensorHead.Header, _ b: TensorHead.Header, shape: [Int]) -> Bool {
        guard form(a.dtype) != nil, form(b.dtype) != nil, shape.count == 2, a.shape.count == 2,
            b.shape.count == 2, let rank = a.shape.first, rank >= 1
        else { return false }
        return a.shape[1] == shape[1] && b.shape == [shape[0], rank]
    }

    private static func form(_ dtype: DType) -> pawl_float? {
        switch dtype {
        case .bf16: PAWL_BF16
        case .f16: PAWL_F16
        case .f32: PAWL_F32
        default: nil
        }
    }

    /// Folds the update into a run of the matrix's bytes that begins at a byte offset, on an element.
    func apply(to bytes: UnsafeMutableRawBufferPointer, at offset: Int, _ dtype: DType) throws {
        guard let form = Self.form(dtype), let start = bytes.baseAddress else { return }
        let factors = try read()
        let (rank, columns) = (a.header.shape[0], a.header.shape[1])
        let width = dtype.bits / 8
        var element = offset / width
        let end = element + bytes.count / width
        factors.a.withUnsafeBufferPointer { a in
            factors.b.withUnsafeBufferPointer { b in
                guard let a = a.baseAddress, let b = b.baseAddress else { return }
                while element < end {
                    let (row, column) = element.quotientAndRemainder(dividingBy: columns)
                    let count = min(columns - column, end - element)
                    pawl_fold(
                        start + (element * width - offset), count, form, a + column, columns, b + row * rank,
                        rank, scale)
                    element += count
                }
            }
        }
    }

    /// The factors, read once; other threads wait for the first.
    private func read() throws -> Factors {
        try factors.withLock { known in
            if let known { return known }
            let factors = Factors(a: try Self.numbers(a), b: try Self.numbers(b))
            known = factors
            return factors
        }
    }

    private static func numbers(_ reader: TensorReader) throws -> [Float] {
        let bytes = try Store.bytes(of: reader)
        return bytes.withUnsafeBytes { bytes in
            switch reader.header.dtype {
            case .bf16:
                (0..<bytes.count / 2).map { Float(bitPattern: UInt32(word(bytes, $0) as UInt16) << 16) }
            case .f16:
                (0..<bytes.count / 2).map { Float(Float16(bitPattern: word(bytes, $0))) }
            default:
                (0..<bytes.count / 4).map { Float(bitPattern: word(bytes, $0)) }
            }
        }
    }

    private static func word<W: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> W {
        W(littleEndian: bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<W>.size, as: W.self))
    }
}
