import Foundation
import PawlCore
import Testing

@testable import PawlModel

@Suite("Weights between two models")
struct InterpolationTests {
    /// Elements of two models; tools/fixtures/interpolation.py draws the same.
    private func elements(_ dtype: DType, count: Int = 4096) -> (parent: [UInt8], candidate: [UInt8]) {
        var state: UInt64 = 1
        func draw() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> (64 - UInt64(dtype.bits)) & ~(1 << UInt64(dtype.bits - 2))
        }
        func bytes(_ bits: UInt64) -> [UInt8] {
            (0..<dtype.bits / 8).map { UInt8(truncatingIfNeeded: bits >> UInt64(8 * $0)) }
        }
        let parent = (0..<count).map { _ in draw() }
        let candidate = (0..<count).map { $0 % 4 == 0 ? parent[$0] : draw() }
        return (parent.flatMap(bytes), candidate.flatMap(bytes))
    }

    @Test(
        "every bit is what numpy and torch make of it",
        arguments: [
            (
                .f64, 1,
                "8576aa96e906675b0ca12338c99b40c21f72b64b5f1a9d1a3986581c75244f46"
            ),
            (
                .f64, 5,
                "b115010df0f87cfcf5f2598ae1f351a90567da4617056f8eea5f0f392a11163f"
            ),
            (
                .f64, 8,
                "e44f3aa54f5317b93d0ff85dd6518340bcf1205e759fc2f6b7e534e8b7eb227f"
            ),
            (
                .f64, 15,
                "a1121a4ac439d2a199aaacedb295b91177f296e16c7026394202aaf727e91201"
            ),
            (
                .f32, 1,
                "89194a9e694e3b818fc3c02b8be9a9cd46b8a5beb04ca5870ded0ebcc86e99db"
            ),
            (
                .f32, 5,
                "d21a221b32f1aa14827e1a89f2d19c8139404619ffeb307be5112942ab18d6c3"
            ),
            (
                .f32, 8,
                "f907409e4a0f06b8ad6573336beba2d5d2f0149d43d76d7a491433543110ff8f"
            ),
            (
                .f32, 15,
                "ba572cb5c9eda3c6c6e3166817ba05b335e982929e7edf963b12ee088fead554"
            ),
            (
                .f16, 1,
                "92f0bef0895f0bc7187227fe776038138e0c8e11ca22fc7eb8e4298a4357b25c"
            ),
            (
                .f16, 5,
                "7a5ca679252c1e81b2a979bd90b498445f27834b0871d28038e6f200bbc92a90"
            ),
            (
                .f16, 8,
                "83fdf40ef00658d04f29e24a7007ae85f86500dd5da4a529cc3b82f836cc4a5e"
            ),
            (
                .f16, 15,
                "bf771b8d6fe506a0b3f6cde4e7bcd715fe6118fe0a27099e11d5f614a73e1d33"
            ),
            (
                .bf16, 1,
                "5b866641b5618be22f09c5bbc852473acbb03dc7a31f22ab52f8034d2ea0e8e8"
            ),
            (
                .bf16, 5,
                "f8a23407982bca11ccc758a80c35e2937505f72488e71735de400158f686e076"
            ),
            (
                .bf16, 8,
                "e2f06c43d71b00d37de308932c84abb58e93295ec66dd12ac3f3f6417e1f9c67"
            ),
            (
                .bf16, 15,
                "c7022574faa628146b58836276b11a076cd092a49afcef2c080fa4ff26ad9ca7"
            ),
        ] as [(DType, Int, String)])
    func reference(dtype: DType, sixteenths: Int, digest: String) throws {
        let (parent, candidate) = elements(dtype)
        let result = try Interpolation.bytes(
            dtype, parent: parent, candidate: candidate, at: Float(sixteenths) / 16)
        #expect(Digest(of: result).hex == digest)
    }

    @Test("equal bits stay, NaN payloads and negative zeros among them")
    func equal() throws {
        let special: [UInt16] = [0x7FC1, 0xFF80, 0x8000, 0x3F80]
        let bytes = special.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        #expect(try Interpolation.bytes(.bf16, parent: bytes, candidate: bytes, at: 0.5) == bytes)
    }

    @Test("what is not finite, or would not be, is refused")
    func refused() {
        func between(_ p: UInt32, _ c: UInt32) throws -> [UInt8] {
            try Interpolation.bytes(
                .f32, parent: withUnsafeBytes(of: p.littleEndian, Array.init),
                candidate: withUnsafeBytes(of: c.littleEndian, Array.init), at: 0.5)
        }
        #expect(throws: PawlError.self) { try between(0x7FC0_0000, 0x3F80_0000) }
        #expect(throws: PawlError.self) { try between(0x3F80_0000, 0x7F80_0000) }
        // The difference of the two largest numbers of either sign overflows.
        #expect(throws: PawlError.self) { try between(0x7F7F_FFFF, 0xFF7F_FFFF) }
        #expect(throws: Never.self) { try between(0x7F7F_FFFF, 0x7F7F_FFFE) }
    }
}
