internal import CCodec
internal import PawlCore

/// Differences in groups that are alike, each written in the way that its small values ask for.
struct DeltaGroups {
    /// How a group is written: two bits of its place in `modes`.
    enum Mode: UInt8 {
        /// A token each.
        case tokens = 0
        /// Runs of zeros, and the values between them.
        case runs = 1
        /// Two values to a byte.
        case pairs = 2
        /// Four values to a byte.
        case fours = 3
    }

    /// Forms of tokens of whole values, and of gaps and large values.
    struct Forms {
        let tokens: pawl_token_form
        let packs: pawl_token_form
    }

    /// What of a level decides on modes, in per cent of a group's values.
    struct Thresholds {
        /// With so many zeros, runs.
        let zeros: UInt32
        /// With at most so many that go to the large ones, fours or pairs.
        let large: UInt32
    }

    private let values: Scratch
    private let sizes: [Int]
    private let width: Int

    init(_ values: Scratch, _ sizes: [Int], width: Int) {
        self.values = values
        self.sizes = sizes
        self.width = width
    }

    /// Groups written down, in the coder's memory.
    struct Encoded {
        /// Four groups to a byte, the first one lowest.
        var modes: [UInt8]
        /// Numbers of bytes of the last three streams.
        var counts: [Int] = []
        /// Tokens, gaps, packed and large values, and where groups end in them.
        var streams: [(bytes: UnsafeRawBufferPointer, ends: [Int])] = []
        /// Bits of tokens, of gaps, of large values.
        var bits: [UnsafeRawBufferPointer] = []
    }

    private func start(_ offset: Int) -> UnsafeMutablePointer<UInt8> { values.bytes + offset * width }

    // MARK: Writing

    func encode(_ memory: FieldMemory, _ forms: Forms, _ thresholds: Thresholds) -> Encoded {
        var encoded = Encoded(modes: [UInt8](repeating: 0, count: (sizes.count + 3) / 4))
        var tokenBits = Self.bits(memory.lists.0)
        var packs = Self.packs(memory, forms.packs)
        var ends: (tokens: [Int], gaps: [Int], packed: [Int], large: [Int]) = ([], [], [], [])
        var (offset, tokens) = (0, 0)
        for (group, size) in sizes.enumerated() {
            let (values, width) = (start(offset), Int32(width))
            let mode = mode(values, size, thresholds)
            encoded.modes[group / 4] |= mode.rawValue << UInt8(group % 4 * 2)
            switch mode {
            case .tokens:
                pawl_tokens_encode(
                    memory.symbols.bytes + tokens, &tokenBits, values, size, width, forms.tokens)
                tokens += size
            case .runs: pawl_runs_encode(&packs, values, size, width)
            case .pairs: pawl_packs_encode(&packs, values, size, width, 4)
            case .fours: pawl_packs_encode(&packs, values, size, width, 2)
            }
            offset += size
            ends.tokens.append(tokens)
            ends.gaps.append(packs.gap_count)
            ends.packed.append(packs.packed_count)
            ends.large.append(packs.large_count)
        }
        pawl_bits_finish(&tokenBits)
        pawl_bits_finish(&packs.gap_bits)
        pawl_bits_finish(&packs.large_bits)
        func bytes(_ scratch: Scratch, _ count: Int) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(scratch.prefix(count))
        }
        encoded.counts = [packs.gap_count, packs.packed_count, packs.large_count]
        encoded.streams = [
            (bytes(memory.symbols, tokens), ends.tokens), (bytes(memory.gaps, packs.gap_count), ends.gaps),
            (bytes(memory.gathered, packs.packed_count), ends.packed),
            (bytes(memory.large, packs.large_count), ends.large),
        ]
        encoded.bits = [
            bytes(memory.lists.0, tokenBits.size), bytes(memory.lists.1, packs.gap_bits.size),
            bytes(memory.lists.2, packs.large_bits.size),
        ]
        return encoded
    }

    /// A byte costs the entropy coder a bit at least: the rarer values other than the most frequent ones are, the
    /// more of them go into one byte.
    private func mode(_ values: UnsafePointer<UInt8>, _ size: Int, _ thresholds: Thresholds) -> Mode {
        var counts = [UInt32](repeating: 0, count: 16)
        pawl_values_count(&counts, values, size, Int32(width))
        func percent(_ count: UInt32, isAtLeast limit: UInt32) -> Bool {
            100 * Int(count) >= Int(limit) * size
        }
        if percent(counts[0], isAtLeast: thresholds.zeros) { return .runs }
        if percent(counts[0] + counts[1] + counts[2], isAtLeast: 100 - thresholds.large) { return .fours }
        return percent(UInt32(size) - counts[15], isAtLeast: 100 - thresholds.large) ? .pairs : .tokens
    }

    private static func bits(_ scratch: Scratch) -> pawl_bits {
        pawl_bits(bytes: scratch.bytes, size: 0, pending: 0, pending_bits: 0)
    }

    private static func packs(_ memory: FieldMemory, _ form: pawl_token_form) -> pawl_packs {
        pawl_packs(
            packed: memory.gathered.bytes, packed_count: 0, packed_room: 0, large: memory.large.bytes,
            large_count: 0, large_room: 0, large_bits: bits(memory.lists.2), gaps: memory.gaps.bytes,
            gap_count: 0, gap_room: 0, gap_bits: bits(memory.lists.1), form: form)
    }

    // MARK: Reading

    /// Restores the values.
    func decode(_ reader: inout PayloadReader, _ memory: FieldMemory, _ zstd: Zstd, _ forms: Forms) throws {
        let counts = (
            gaps: try reader.number32(), packed: try reader.number32(), large: try reader.number32()
        )
        let packedModes = try reader.take((sizes.count + 3) / 4)
        let modes = sizes.indices.map {
            Mode(rawValue: packedModes[$0 / 4] >> UInt8($0 % 4 * 2) & 3) ?? .tokens
        }
        let total = sizes.reduce(0, +)
        guard max(counts.gaps, counts.packed) <= total + sizes.count, counts.large <= total else {
            throw PayloadReader.damaged("its counts are impossible")
        }
        let tokenCount = zip(modes, sizes).reduce(0) { $0 + ($1.0 == .tokens ? $1.1 : 0) }
        let tokens = try reader.stream(tokenCount, zstd, memory.symbols)
        var packs = Self.packs(memory, forms.packs)
        packs.gaps = try Self.bytes(&reader, counts.gaps, zstd, memory.gaps)
        packs.packed = try Self.bytes(&reader, counts.packed, zstd, memory.gathered)
        packs.large = try Self.bytes(&reader, counts.large, zstd, memory.large)
        (packs.gap_room, packs.packed_room, packs.large_room) = (counts.gaps, counts.packed, counts.large)
        var tokenBits = try Self.bits(&reader)
        packs.gap_bits = try Self.bits(&reader)
        packs.large_bits = try Self.bits(&reader)
        var (offset, taken) = (0, 0)
        for (mode, size) in zip(modes, sizes) {
            let (values, width) = (start(offset), Int32(width))
            let isWhole: Bool
            switch mode {
            case .tokens:
                let group = tokens.bytes.map { $0 + taken }
                isWhole = pawl_tokens_decode(values, group, size, width, forms.tokens, &tokenBits)
                taken += size
            case .runs: isWhole = pawl_runs_decode(values, size, width, &packs)
            case .pairs: isWhole = pawl_packs_decode(values, size, width, 4, &packs)
            case .fours: isWhole = pawl_packs_decode(values, size, width, 2, &packs)
            }
            guard isWhole else { throw PayloadReader.damaged("its differences are impossible") }
            offset += size
        }
        guard packs.gap_count == counts.gaps, packs.packed_count == counts.packed,
            packs.large_count == counts.large
        else { throw PayloadReader.damaged("its counts are wrong") }
    }

    /// A stream for the loops, which do not write to what they read.
    private static func bytes(_ reader: inout PayloadReader, _ count: Int, _ zstd: Zstd, _ scratch: Scratch)
        throws
        -> UnsafeMutablePointer<UInt8>?
    {
        UnsafeMutablePointer(mutating: try reader.stream(count, zstd, scratch).bytes)
    }

    /// A string of bits to read.
    private static func bits(_ reader: inout PayloadReader) throws -> pawl_bits {
        let bytes = try reader.take(try reader.number32())
        return pawl_bits(
            bytes: UnsafeMutablePointer(mutating: bytes.bytes), size: bytes.count, pending: 0, pending_bits: 0
        )
    }
}
