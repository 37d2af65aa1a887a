/// The printable alphabet in which byte-level vocabularies spell bytes.
///
/// Bytes that are printable in Latin-1 stand for themselves; the other 68 take the scalars from U+0100 on,
/// in order (the map of GPT-2's `bytes_to_unicode`).
enum ByteAlphabet {
    /// The scalar of each byte.
    static let scalars: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (UInt8.min...UInt8.max).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
            default:
                defer { next += 1 }
                return Unicode.Scalar(next) ?? Unicode.Scalar(byte)
            }
        }
    }()

    /// The byte of each scalar up to U+0143, or -1.
    private static let byteOfScalar: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = Int16(byte) }
        return bytes
    }()

    /// The bytes that a token spells; nil when it holds a scalar outside the alphabet.
    static func bytes(of token: some Sequence<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var decoder = UTF8()
        var units = token.makeIterator()
        while case .scalarValue(let scalar) = decoder.decode(&units) {
            guard scalar.value < 0x144, byteOfScalar[Int(scalar.value)] >= 0 else { return nil }
            bytes.append(UInt8(byteOfScalar[Int(scalar.value)]))
        }
        return bytes
    }
}
