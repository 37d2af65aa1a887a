import PawlCore

/// zstd on blocks as they are, the plainest of peers; a delta is its exclusive or with the base.
struct ZstdPeer: TensorCodec {
    let level: Int32
    /// Bytes of equal rank together, as BitX does.
    let planes: Bool
    var identity: CodecIdentity {
        CodecIdentity(name: planes ? "xor planes zstd" : "zstd", version: Int(level))
    }
    func makeCoder() throws -> any BlockCoder { try Coder(level, planes) }

    private final class Coder: BlockCoder {
        private let zstd = Result { try Zstd() }
        private let level: Int32
        private let planes: Bool
        private let (input, split, output) = (Scratch(), Scratch(), Scratch(Zstd.bound(Blocks.size)))

        init(_ level: Int32, _ planes: Bool) throws {
            self.level = level
            self.planes = planes
        }

        func encodeFull(_ block: UnsafeRawBufferPointer, dtype: DType) throws -> [UInt8]? {
            var source = block
            if planes {
                let width = dtype.bits / 8
                let count = block.count / width
                for plane in 0..<width {
                    for i in 0..<count { split.memory[plane * count + i] = block[i * width + plane] }
                }
                source = UnsafeRawBufferPointer(split.prefix(block.count))
            }
            let size = try zstd.get().compress(source, into: output.memory, .matches(level: level))
            return size < block.count ? Array(output.prefix(size)) : nil
        }

        func encodeDelta(_ block: UnsafeRawBufferPointer, base: UnsafeRawBufferPointer, dtype: DType) throws
            -> [UInt8]?
        {
            for i in 0..<block.count { input.memory[i] = block[i] ^ base[i] }
            return try encodeFull(UnsafeRawBufferPointer(input.prefix(block.count)), dtype: dtype)
        }

        func decodeFull(
            _ payload: UnsafeRawBufferPointer, dtype: DType, into block: UnsafeMutableRawBufferPointer
        ) throws {
            guard planes else { return try zstd.get().decompress(payload, into: block) }
            let (width, count) = (dtype.bits / 8, block.count * 8 / dtype.bits)
            try zstd.get().decompress(payload, into: split.prefix(block.count))
            for plane in 0..<width {
                for i in 0..<count { block[i * width + plane] = split.memory[plane * count + i] }
            }
        }

        func decodeDelta(
            _ payload: UnsafeRawBufferPointer, dtype: DType, onto block: UnsafeMutableRawBufferPointer
        ) throws {
            let target = input.prefix(block.count)
            try decodeFull(payload, dtype: dtype, into: target)
            for i in 0..<block.count { block[i] ^= target[i] }
        }
    }
}
