import PawlCore
import Testing

@Suite struct DigestTests {
    /// NIST FIPS 180-2 appendix B examples.
    @Test(
        "SHA-256 gives the published digests",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func publishedDigests(text: String, hex: String) {
        #expect(Digest(of: text).hex == hex)
    }

    @Test("hashing in pieces equals hashing at once")
    func pieces() {
        let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var hasher = SHA256()
        for piece in [bytes[0..<1], bytes[1..<4097], bytes[4097..<10_000]] { hasher.update(Array(piece)) }
        #expect(hasher.finish() == Digest(of: bytes))
    }

    @Test("text form round trips and sorts like the bytes")
    func text() throws {
        let digest = Digest(of: "x")
        #expect(Digest(hex: digest.hex) == digest)
        #expect(Digest(bytes: digest.bytes) == digest)
        #expect(digest.short.count == 12)
        let many = (0..<100).map { Digest(of: "\($0)") }
        #expect(many.sorted().map(\.hex) == many.map(\.hex).sorted())
    }

    @Test("anything but 64 lower-case hexadecimal digits is refused", arguments: [63, 65])
    func refused(count: Int) {
        #expect(Digest(hex: String(repeating: "a", count: count)) == nil)
        #expect(Digest(hex: String(repeating: "A", count: 64)) == nil)
        #expect(Digest(hex: String(repeating: "g", count: 64)) == nil)
    }
}
