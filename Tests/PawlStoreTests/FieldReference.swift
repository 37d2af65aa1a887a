import PawlCore

@testable import PawlStore

/// A reader of codec `fields` written from docs/format.md alone, one element at a time: what the loops in C must do.
struct FieldReference {
    struct Damaged: Error {}

    private var rest: ArraySlice<UInt8>
    private let dtype: DType
    private let zstd: Zstd

    private init(_ payload: [UInt8], _ dtype: DType) throws {
        rest = payload[...]
        self.dtype = dtype
        zstd = try Zstd()
    }

    // MARK: Parts of a payload

    private mutating func take(_ count: Int) throws -> [UInt8] {
        guard count <= rest.count else { throw Damaged() }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    private mutating func number(_ bytes: Int) throws -> Int {
        try take(bytes).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    private mutating func stream(_ count: Int) throws -> [UInt8] {
        let method = try number(1)
        let bytes = try take(try number(4))
        guard method == 1 else { return bytes }
        var result = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeBytes { source in
            try result.withUnsafeMutableBytes { try zstd.decompress(source, into: $0) }
        }
        return result
    }

    // MARK: Full

    /// The words of a full payload of form 1.
    static func full(_ payload: [UInt8], _ dtype: DType, count: Int) throws -> [UInt32] {
        var reader = try FieldReference(payload, dtype)
        guard try reader.number(1) == 1 else { throw Damaged() }
        return try reader.full(count)
    }

    private mutating func full(_ count: Int) throws -> [UInt32] {
        let restBits = try number(1)
        let (top, window, length, escapes) = (try number(2), try number(1), try number(2), try number(4))
        let symbols = try symbols(count, length)
        let packed = try stream(restBits == 8 ? count : (count + 3) / 4 * 3)
        let high = try stream(escapes)
        let low = restBits == 6 ? try stream(escapes) : []
        let planes = dtype == .f32 ? [try stream(count), try stream(count)] : []
        var taken = 0
        return (0..<count).map { i in
            var joint = top - Int(symbols[i])
            if Int(symbols[i]) == window {
                joint = restBits == 6 ? Int(high[taken]) << 2 | Int(low[taken]) : Int(high[taken])
                taken += 1
            }
            let bits = Self.rest(i, count, restBits, packed)
            let word =
                UInt32(bits >> (restBits - 1)) << 15 | UInt32(joint) << UInt32(restBits - 1)
                | UInt32(bits & (1 << (restBits - 1) - 1))
            return planes.isEmpty ? word : word << 16 | UInt32(planes[0][i]) << 8 | UInt32(planes[1][i])
        }
    }

    private mutating func symbols(_ count: Int, _ length: Int) throws -> [UInt8] {
        guard length > 0 else { return try stream(count) }
        let classes = try stream((count + length - 1) / length)
        let gathered = try stream(count)
        var (symbols, place) = ([UInt8](repeating: 0, count: count), 0)
        for number in 0..<8 {
            for segment in classes.indices where Int(classes[segment] & 7) == number {
                for i in segment * length..<min((segment + 1) * length, count) {
                    symbols[i] = gathered[place]
                    place += 1
                }
            }
        }
        return symbols
    }

    private static func rest(_ i: Int, _ count: Int, _ restBits: Int, _ packed: [UInt8]) -> Int {
        guard restBits == 6 else { return Int(packed[i]) }
        let run = (count + 3) / 4
        if i < 3 * run { return Int(packed[i] & 63) }
        let j = i - 3 * run
        return Int(packed[j] >> 6) | Int(packed[run + j] >> 6) << 2 | Int(packed[2 * run + j] >> 6) << 4
    }

    // MARK: Delta

    /// The words that a delta payload of form 1 or 2 makes of a base's.
    static func delta(_ payload: [UInt8], _ dtype: DType, base: [UInt32]) throws -> [UInt32] {
        var reader = try FieldReference(payload, dtype)
        return try reader.delta(base)
    }

    private mutating func delta(_ base: [UInt32]) throws -> [UInt32] {
        let isSorted = try number(1) == 1
        let (tokens, packs) = (try number(1), try number(1))
        var sizes: [Int] = []
        var order = Array(base.indices)
        if isSorted {
            let contexts = base.map { Int($0 >> fieldShift & fieldMask) }
            var members = [[Int]](repeating: [], count: 256)
            for (i, context) in contexts.enumerated() { members[context].append(i) }
            order = Array(members.joined())
            var open = 0
            for count in members.map(\.count) {
                open += count
                if open >= 2048 {
                    sizes.append(open)
                    open = 0
                }
            }
            if sizes.isEmpty { sizes = [open] } else { sizes[sizes.count - 1] += open }
        } else {
            sizes = stride(from: 0, to: base.count, by: 65536).map { min(65536, base.count - $0) }
        }
        let values = try groups(sizes, tokens, packs)
        var result = base
        for (value, i) in zip(values, order) { result[i] = moved(base[i], by: value) }
        return result
    }

    private var fieldShift: UInt32 {
        switch dtype {
        case .bf16: 7
        case .f16: 10
        case .f32: 23
        case .f8e4m3, .f8e4m3fnuz: 3
        default: 2
        }
    }

    private var fieldMask: UInt32 {
        switch dtype {
        case .bf16, .f32: 255
        case .f8e4m3, .f8e4m3fnuz: 15
        default: 31
        }
    }

    /// The word whose place in the order of values is so many steps off.
    private func moved(_ word: UInt32, by zigzag: Int) -> UInt32 {
        let bits = UInt32(dtype.bits)
        let mask = UInt32(truncatingIfNeeded: UInt64(1) << UInt64(bits) - 1)
        let difference = UInt32(truncatingIfNeeded: zigzag & 1 == 0 ? zigzag >> 1 : -(zigzag >> 1) - 1)
        let isFloat = ![DType.u8, .i8, .u16, .i16, .u32, .i32].contains(dtype)
        func ordered(_ x: UInt32) -> UInt32 {
            isFloat && x >> (bits - 1) & 1 == 1 ? x ^ (mask >> 1) : x
        }
        return ordered((ordered(word) &+ difference) & mask)
    }

    /// Tokens, their bits, and how far both have been read.
    private struct Tokens {
        let bytes: [UInt8]
        var bits: [UInt8] = []
        let form: Int
        var next = 0
        var nextBit = 0

        mutating func value() throws -> Int {
            guard next < bytes.count else { throw Damaged() }
            let (direct, leading) = (form >> 4, form & 15)
            let token = Int(bytes[next])
            next += 1
            guard token >= 1 << direct else { return token }
            let beyond = token - 1 << direct
            let rest = beyond >> leading + direct - leading
            let first = (1 << leading | beyond & (1 << leading - 1)) << rest
            return try (0..<rest).reduce(first) { value, bit in
                guard nextBit < 8 * bits.count else { throw Damaged() }
                defer { nextBit += 1 }
                return value + Int(bits[nextBit / 8] >> UInt8(nextBit % 8) & 1) << bit
            }
        }
    }

    private mutating func groups(_ sizes: [Int], _ tokenForm: Int, _ packForm: Int) throws -> [Int] {
        let counts = (gaps: try number(4), packed: try number(4), large: try number(4))
        let bytes = try take((sizes.count + 3) / 4)
        let modes = sizes.indices.map { Int(bytes[$0 / 4] >> UInt8($0 % 4 * 2) & 3) }
        let tokenCount = zip(modes, sizes).reduce(0) { $0 + ($1.0 == 0 ? $1.1 : 0) }
        var tokens = Tokens(bytes: try stream(tokenCount), form: tokenForm)
        var gaps = Tokens(bytes: try stream(counts.gaps), form: packForm)
        var packed = try stream(counts.packed)[...]
        var large = Tokens(bytes: try stream(counts.large), form: packForm)
        tokens.bits = try take(try number(4))
        gaps.bits = try take(try number(4))
        large.bits = try take(try number(4))
        var values: [Int] = []
        for (mode, size) in zip(modes, sizes) {
            switch mode {
            case 0: values += try (0..<size).map { _ in try tokens.value() }
            case 1: values += try Self.runs(size, &gaps, &packed, &large)
            default: values += try Self.packs(size, mode == 2 ? 4 : 2, &packed, &large)
            }
        }
        return values
    }

    private static func packs(
        _ size: Int, _ bits: Int, _ packed: inout ArraySlice<UInt8>, _ large: inout Tokens
    ) throws
        -> [Int]
    {
        let (each, most) = (8 / bits, 1 << bits - 1)
        var values: [Int] = []
        while values.count < size {
            guard let byte = packed.popFirst() else { throw Damaged() }
            for part in 0..<each where values.count < size {
                let value = Int(byte) >> (part * bits) & most
                values.append(value == most ? most + (try large.value()) : value)
            }
        }
        return values
    }

    private static func runs(
        _ size: Int, _ gaps: inout Tokens, _ packed: inout ArraySlice<UInt8>, _ large: inout Tokens
    ) throws -> [Int] {
        var (values, byte, left): ([Int], UInt8, Int) = ([], 0, 0)
        while values.count < size {
            values += [Int](repeating: 0, count: try gaps.value())
            if values.count == size { break }
            if left == 0 {
                guard let next = packed.popFirst() else { throw Damaged() }
                (byte, left) = (next, 4)
            }
            let value = Int(byte & 3)
            (byte, left) = (byte >> 2, left - 1)
            values.append(1 + (value == 3 ? 3 + (try large.value()) : value))
        }
        return values
    }
}
