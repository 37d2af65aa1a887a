import Foundation
import PawlCore
import Testing

@testable import PawlStore

@Suite struct CodecTests {
    @Test(
        "whatever bytes a coder is given, it restores the block or throws corrupt",
        arguments: [1, 2, 3] as [UInt64])
    func damagedPayloads(seed: UInt64) throws {
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let coder = try Codecs.current.makeCoder()
        let (block, base, result) = (Scratch(), Scratch(), Scratch())
        for dtype in [DType.u8, .bf16, .f32, .f64, .i64] {
            let count = 4096
            let bytes = random.bytes(count).map { $0 & 0x0F }
            block.prefix(count).copyBytes(from: bytes)
            base.prefix(count).copyBytes(from: bytes.map { $0 ^ 1 })
            let payload = try #require(
                try coder.encodeFull(UnsafeRawBufferPointer(block.prefix(count)), dtype: dtype))
            for _ in 0..<100 {
                var damaged = payload
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    damaged[Int.random(in: 0..<damaged.count, using: &random)] ^=
                        1 << UInt8.random(in: 0..<8, using: &random)
                }
                if random.next() % 4 == 0 {
                    damaged.removeLast(Int.random(in: 0..<damaged.count, using: &random))
                }
                do {
                    try damaged.withUnsafeBytes {
                        try coder.decodeFull($0, dtype: dtype, into: result.prefix(count))
                    }
                } catch let error as PawlError {
                    #expect(error.code == .corrupt)
                }
            }
        }
    }

    @Test("blocks are written in the smallest way: same, delta, full or raw")
    func choice() throws {
        var random = SeededGenerator(seed: 5)
        let coder = try Codecs.current.makeCoder()
        let (block, base) = (Scratch(), Scratch())
        func encoding(_ new: [UInt8], _ old: [UInt8]?) throws -> BlockEncoding {
            block.prefix(new.count).copyBytes(from: new)
            if let old { base.prefix(old.count).copyBytes(from: old) }
            return try coder.encode(
                UnsafeRawBufferPointer(block.prefix(new.count)), dtype: .bf16,
                base: old.map { UnsafeRawBufferPointer(base.prefix($0.count)) }
            ).encoding
        }
        let noise = random.bytes(8192)
        let weights = SampleTensor.weights("w", [4096], &random)
        #expect(try encoding(noise, noise) == .same)
        #expect(try encoding(noise, nil) == .raw)
        #expect(try encoding(noise, random.bytes(8192)) == .raw)
        #expect(try encoding(weights.bytes, nil) == .full)
        #expect(try encoding(weights.bytes, noise) == .full)
        #expect(try encoding(weights.trained(&random).bytes, weights.bytes) == .delta)
    }
}
