import PawlCore
import Testing

@testable import PawlStore

/// Codec `fields`: every bit comes back, by the coder and by a plain reader of the format.
@Suite struct FieldCodecTests {
    // MARK: Words

    /// Bytes of words, low end first.
    static func bytes(_ words: [UInt32], _ dtype: DType) -> [UInt8] {
        let width = dtype.bits / 8
        var bytes = [UInt8](repeating: 0, count: words.count * width)
        for i in words.indices {
            withUnsafeBytes(of: words[i].littleEndian) { for k in 0..<width { bytes[i * width + k] = $0[k] } }
        }
        return bytes
    }

    static func words(_ bytes: [UInt8], _ dtype: DType) -> [UInt32] {
        let width = dtype.bits / 8
        return (0..<bytes.count / width).map { i in
            var word: UInt32 = 0
            for k in 0..<width { word |= UInt32(bytes[i * width + k]) << UInt32(8 * k) }
            return word
        }
    }

    /// Contents that a form must not trip over.
    enum Content: CaseIterable {
        case noise, weights, constant, zeros, nonFinite, tiny, ramp

        func words(_ count: Int, _ dtype: DType, _ random: inout SeededGenerator) -> [UInt32] {
            let bits = UInt32(dtype.bits)
            let mask = UInt32(truncatingIfNeeded: UInt64(1) << UInt64(bits) - 1)
            return (0..<count).map { i in
                let noise = UInt32(truncatingIfNeeded: random.next()) & mask
                switch self {
                case .noise: return noise
                case .weights:
                    // The exponent falls off as it does in weights; sign and mantissa are noise.
                    let fall = UInt32(min(random.next().trailingZeroBitCount, 7))
                    let low = noise & (mask >> min(10, bits - 2))
                    return (noise & (1 << (bits - 1)) | low | (mask >> 3) - fall << (bits - 6)) & mask
                case .constant: return 0x3F80_3C00 & mask
                case .zeros: return i % 5 == 0 ? 1 << (bits - 1) : 0
                case .nonFinite: return (noise & (mask >> bits / 2) | mask >> 1 & ~(mask >> bits / 2)) & mask
                case .tiny: return noise & 0x7 | noise & (1 << (bits - 1))
                case .ramp: return UInt32(truncatingIfNeeded: i) & mask
                }
            }
        }
    }

    /// Memory of `size` bytes: these, over and over.
    private static func filled(_ bytes: [UInt8], _ size: Int) -> Scratch {
        let scratch = Scratch(max(size, 1))
        for start in stride(from: 0, to: size, by: bytes.count) {
            UnsafeMutableRawBufferPointer(rebasing: scratch.memory[start..<min(start + bytes.count, size)])
                .copyBytes(from: bytes.prefix(size - start))
        }
        return scratch
    }

    /// Expects payloads for a block to bring it back: in full, and as the difference to a base where there is one.
    private func expectRoundTrip(
        _ bytes: [UInt8], base: [UInt8], size: Int? = nil, _ dtype: DType, _ coder: any BlockCoder,
        _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let size = size ?? bytes.count
        let (block, target) = (Self.filled(bytes, size), Self.filled(base, size))
        let (raw, result) = (UnsafeRawBufferPointer(block.prefix(size)), target.prefix(size))
        if let payload = try coder.encodeDelta(raw, base: UnsafeRawBufferPointer(result), dtype: dtype) {
            try payload.withUnsafeBytes { try coder.decodeDelta($0, dtype: dtype, onto: result) }
            #expect(raw.equals(UnsafeRawBufferPointer(result)), comment, sourceLocation: sourceLocation)
            if payload[0] != FieldForm.planes.rawValue, size == bytes.count, size <= 20000 {
                let words = try FieldReference.delta(payload, dtype, base: Self.words(base, dtype))
                #expect(Self.bytes(words, dtype) == bytes, comment, sourceLocation: sourceLocation)
            }
        }
        guard let payload = try coder.encodeFull(raw, dtype: dtype) else { return }
        try payload.withUnsafeBytes { try coder.decodeFull($0, dtype: dtype, into: result) }
        #expect(raw.equals(UnsafeRawBufferPointer(result)), comment, sourceLocation: sourceLocation)
        if payload[0] == FieldForm.fields.rawValue, size <= 9000 {
            let words = try FieldReference.full(payload, dtype, count: bytes.count * 8 / dtype.bits)
            #expect(Self.bytes(words, dtype) == bytes, comment, sourceLocation: sourceLocation)
        }
    }

    // MARK: Tests

    @Test(
        "all 65,536 patterns of 16-bit floats come back, in order and shuffled, on their own and as differences",
        arguments: [DType.bf16, .f16], EncodingLevel.allCases)
    func allPatterns(dtype: DType, level: EncodingLevel) throws {
        var random = SeededGenerator(seed: 65536)
        let coder = try FieldCodec(level: level).makeCoder()
        let ramp = (0..<UInt32(65536)).map { $0 }
        let shuffled = ramp.shuffled(using: &random)
        for (new, old) in [(ramp, shuffled), (shuffled, shuffled.map { $0 ^ 1 })] {
            try expectRoundTrip(
                Self.bytes(new, dtype), base: Self.bytes(old, dtype), dtype, coder, "\(dtype) \(level)")
        }
    }

    @Test("every type comes back, whatever it holds", arguments: DType.allCases.filter { $0.bits >= 8 })
    func contents(dtype: DType) throws {
        var random = SeededGenerator(seed: 7)
        let width = dtype.bits / 8
        let coder = try FieldCodec().makeCoder()
        for count in [1, 2, 3, 5, 64, 1000, 4097] {
            for content in Content.allCases {
                // Types of 64 bits are made of two words.
                let word = width > 4 ? DType.u32 : dtype
                let bytes = Self.bytes(content.words(count * max(1, width / 4), word, &random), word)
                try expectRoundTrip(
                    bytes, base: bytes.map { random.next() % 7 == 0 ? $0 &+ 3 : $0 }, dtype, coder,
                    "\(dtype) \(count) \(content)")
            }
        }
    }

    @Test(
        "blocks of the full size and just around it come back, whatever the difference is",
        arguments: [DType.u8, .bf16, .f32])
    func borders(dtype: DType) throws {
        var random = SeededGenerator(seed: 11)
        let width = dtype.bits / 8
        // Patterns of a few thousand words, over and over: a debug build makes no million of them.
        let old = Self.bytes(Content.weights.words(5000, dtype, &random), dtype)
        let new = old.map { random.next() % 5 == 0 ? $0 ^ UInt8(random.next() % 4) : $0 }
        for size in [Blocks.size, Blocks.size - width, 65537 * width, 16385 * width] {
            for level in dtype == .bf16 ? EncodingLevel.allCases : [.standard] {
                try expectRoundTrip(
                    new, base: old, size: size, dtype, try FieldCodec(level: level).makeCoder(),
                    "\(dtype) \(size) \(level)")
            }
        }
    }

    /// Differences that are hard in one way each.
    enum Change: CaseIterable {
        case oneIn100, oneIn3, firstOnly, lastOnly, signFlips, half, toNonFinite, small, wide, swapped

        func apply(_ old: [UInt32], _ dtype: DType, _ random: inout SeededGenerator) -> [UInt32] {
            let sign = UInt32(1) << UInt32(dtype.bits - 1)
            if self == .swapped { return old.reversed() }
            return old.indices.map { i in
                let (word, dice) = (old[i], random.next())
                switch self {
                case .oneIn100: return dice % 100 == 0 ? word ^ 1 : word
                case .oneIn3: return dice % 3 == 0 ? word ^ 1 : word
                case .firstOnly: return i == 0 ? word ^ 1 : word
                case .lastOnly: return i == old.count - 1 ? word ^ 1 : word
                case .signFlips: return dice % 2 == 0 ? word ^ sign : word
                case .half: return i < old.count / 2 ? word : word ^ UInt32(dice % 64)
                case .toNonFinite: return dice % 5 == 0 ? (sign - 1) & ~UInt32(dice % 4) : word
                case .small: return word ^ UInt32(dice % 16)
                case .wide: return word ^ UInt32(truncatingIfNeeded: dice >> 32) & (sign - 1)
                case .swapped: return word
                }
            }
        }
    }

    @Test(
        "any change of any parent comes back, all exponents included",
        arguments: [DType.bf16, .f16, .f32, .f8e4m3, .f8e5m2, .i8, .u16, .i32])
    func changes(dtype: DType) throws {
        var random = SeededGenerator(seed: 13)
        for level in dtype == .bf16 ? [EncodingLevel.fastReading, .standard] : [.standard] {
            let coder = try FieldCodec(level: level).makeCoder()
            for content in [Content.noise, .weights] {
                let old = content.words(4200, dtype, &random)
                for change in Change.allCases {
                    let new = change.apply(old, dtype, &random)
                    let comment: Comment = "\(dtype) \(level) \(content) \(change)"
                    try expectRoundTrip(
                        Self.bytes(new, dtype), base: Self.bytes(old, dtype), dtype, coder, comment)
                }
            }
        }
    }

    @Test("weights are smaller than in planes, and deltas smaller still when they are sorted")
    func sizes() throws {
        var random = SeededGenerator(seed: 17)
        func number() -> Float {
            (0..<4).reduce(-2) { sum, _ in sum + Float.random(in: 0..<1, using: &random) }
        }
        let weights = (0..<100_000).map { _ in 0.02 * number() }
        let (block, base) = (Scratch(), Scratch())
        let size = 2 * weights.count
        func upperHalves(_ values: [Float]) -> [UInt8] {
            Self.bytes(values.map { $0.bitPattern >> 16 }, .bf16)
        }
        base.prefix(size).copyBytes(from: upperHalves(weights))
        block.prefix(size).copyBytes(from: upperHalves(weights.map { $0 + 1e-5 * number() }))
        func sizes(_ codec: any TensorCodec) throws -> (full: Int, delta: Int) {
            let coder = try codec.makeCoder()
            let raw = UnsafeRawBufferPointer(block.prefix(size))
            let full = try #require(try coder.encodeFull(raw, dtype: .bf16))
            let delta = try #require(
                try coder.encodeDelta(raw, base: UnsafeRawBufferPointer(base.prefix(size)), dtype: .bf16))
            return (full.count, delta.count)
        }
        let planes = try sizes(PlaneCodec())
        let (fast, standard) = (try sizes(FieldCodec(level: .fastReading)), try sizes(FieldCodec()))
        #expect(standard.full < planes.full)
        #expect(fast.delta < planes.delta)
        #expect(standard.delta < fast.delta)
    }

    /// Numbers in rows of 384, each row of a size of its own; `low` bits at the end of every twentieth are zero.
    private static func rows(_ count: Int, _ dtype: DType, zeros low: Int) -> [UInt8] {
        var random = SeededGenerator(seed: 20261123)
        let scales = (0..<64).map { _ in Float(1 << (random.next() % 5)) }
        let values = (0..<count).map { i -> UInt32 in
            let sum = (0..<6).reduce(Float(-3)) { sum, _ in sum + Float.random(in: 0..<1, using: &random) }
            let row = i / 384
            let bits = (sum * 0.01 * scales[row * 37 % 64]).bitPattern
            let kept = row % 20 == 7 ? (bits >> UInt32(low)) << UInt32(low) : bits
            return dtype == .f32 ? kept : kept >> 16
        }
        return bytes(values, dtype)
    }

    private static func size(_ bytes: [UInt8], _ dtype: DType, _ level: EncodingLevel) throws -> Int {
        let coder = try Codecs.current(level).makeCoder()
        return try bytes.withUnsafeBytes { try coder.encode($0, dtype: dtype, base: nil).payload.count }
    }

    @Test("rows of different sizes are told apart, at the level for small size best")
    func classes() throws {
        let bytes = Self.rows(Blocks.size / 2, .bf16, zeros: 0)
        let levels: [EncodingLevel] = [.fastReading, .standard, .smallest]
        let sizes = try levels.map { try Self.size(bytes, .bf16, $0) }
        #expect(sizes[1] < sizes[0] * 99 / 100)
        #expect(sizes[2] < sizes[1] * 998 / 1000)
        for level in EncodingLevel.allCases {
            let coder = try Codecs.current(level).makeCoder()
            let payload = try bytes.withUnsafeBytes { try coder.encode($0, dtype: .bf16, base: nil).payload }
            let result = Scratch(bytes.count)
            try payload.withUnsafeBytes { try coder.decodeFull($0, dtype: .bf16, into: result.memory) }
            #expect(Array(result.memory) == bytes)
        }
    }

    @Test("a few rows whose low bits are zero are found among noise")
    func unlikeRows() throws {
        let count = Blocks.size / 4
        let (plain, some) = (Self.rows(count, .f32, zeros: 0), Self.rows(count, .f32, zeros: 13))
        let sizes = try (Self.size(plain, .f32, .standard), Self.size(some, .f32, .standard))
        // A twentieth of the rows, of each word the lowest byte and five bits of the next: some of that.
        #expect(sizes.1 < sizes.0 - plain.count / 4 / 25)
    }

    @Test("the payloads of the examples in docs/format.md are what it says they are")
    func documentedPayloads() throws {
        let words: [UInt32] = [0x3F80, 0xBF80, 0x3F00, 0x0000]
        let full: [UInt8] = [
            1, 8, 0x7F, 0, 2, 0, 0, 1, 0, 0, 0,  //
            0, 4, 0, 0, 0, 0, 0, 1, 2,  //
            0, 4, 0, 0, 0, 0, 0x80, 0, 0,  //
            0, 1, 0, 0, 0, 0,
        ]
        let delta: [UInt8] =
            [2, 0x62, 0x43] + [UInt8](repeating: 0, count: 12) + [0]
            + [0, 4, 0, 0, 0, 2, 1, 0, 0] + [UInt8](repeating: 0, count: 3 * 5 + 3 * 4)
        let coder = try FieldCodec().makeCoder()
        let block = Scratch(8)
        try full.withUnsafeBytes { try coder.decodeFull($0, dtype: .bf16, into: block.prefix(8)) }
        #expect(Array(block.prefix(8)) == Self.bytes(words, .bf16))
        #expect(try FieldReference.full(full, .bf16, count: 4) == words)
        try delta.withUnsafeBytes { try coder.decodeDelta($0, dtype: .bf16, onto: block.prefix(8)) }
        #expect(Array(block.prefix(8)) == Self.bytes([0x3F81, 0xBF81, 0x3F00, 0x0000], .bf16))
    }

    @Test("payloads of codec planes, version 1, are still read")
    func planesStayReadable() throws {
        var random = SeededGenerator(seed: 19)
        let codec = try Codecs.codec(CodecIdentity(name: "planes", version: 1), object: Digest(of: [UInt8]()))
        let bytes = Self.bytes(Content.weights.words(5000, .bf16, &random), .bf16)
        let (block, result) = (Scratch(), Scratch())
        block.prefix(bytes.count).copyBytes(from: bytes)
        let raw = UnsafeRawBufferPointer(block.prefix(bytes.count))
        let payload = try #require(try PlaneCodec().makeCoder().encodeFull(raw, dtype: .bf16))
        try payload.withUnsafeBytes {
            try codec.makeCoder().decodeFull($0, dtype: .bf16, into: result.prefix(bytes.count))
        }
        #expect(raw.equals(UnsafeRawBufferPointer(result.prefix(bytes.count))))
    }

    @Test(
        "a delta with damaged bytes restores something or throws corrupt, and reads and writes nothing else",
        arguments: [1, 2] as [UInt64])
    func damagedDeltas(seed: UInt64) throws {
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for dtype in [DType.bf16, .f16, .f32, .f8e4m3, .i8] {
            for level in [EncodingLevel.fastReading, .standard] {
                let coder = try FieldCodec(level: level).makeCoder()
                for change in [Change.oneIn100, .oneIn3, .small, .wide] {
                    let old = Content.weights.words(6000, dtype, &random)
                    let base = Self.bytes(old, dtype)
                    let bytes = Self.bytes(change.apply(old, dtype, &random), dtype)
                    try expectSurvival(bytes, base, dtype, coder, &random)
                }
            }
        }
    }

    private func expectSurvival(
        _ bytes: [UInt8], _ base: [UInt8], _ dtype: DType, _ coder: any BlockCoder,
        _ random: inout SeededGenerator
    ) throws {
        let (block, other) = (Scratch(), Scratch())
        block.prefix(bytes.count).copyBytes(from: bytes)
        other.prefix(bytes.count).copyBytes(from: base)
        let raw = UnsafeRawBufferPointer(block.prefix(bytes.count))
        let payload = try coder.encodeDelta(
            raw, base: UnsafeRawBufferPointer(other.prefix(bytes.count)), dtype: dtype)
        guard let payload else { return }
        for round in 0..<30 {
            // Every byte before the first stream is hit, the others by chance.
            var damaged = payload
            let place = round < 16 ? round % payload.count : Int.random(in: 0..<payload.count, using: &random)
            damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            if round % 5 == 0 { damaged.removeLast(Int.random(in: 0..<damaged.count, using: &random)) }
            other.prefix(bytes.count).copyBytes(from: base)
            do {
                try damaged.withUnsafeBytes {
                    try coder.decodeDelta($0, dtype: dtype, onto: other.prefix(bytes.count))
                }
            } catch let error as PawlError {
                #expect(error.code == .corrupt)
            }
        }
    }
}
