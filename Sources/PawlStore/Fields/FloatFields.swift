internal import CCodec
internal import Foundation
internal import PawlCore

/// Full form `fields`: the exponents of floats with the top bits of their mantissas through the entropy coder, the
/// rest as it is.
final class FloatFields {
    /// Where the fields of a type lie; nil for types without this form.
    enum Layout {
        /// Words of 16 bits.
        case two
        /// Words of 32 bits: the upper half as of 16 bits, and two bytes below.
        case four

        init?(_ dtype: DType) {
            switch dtype {
            case .bf16, .f16: self = .two
            case .f32: self = .four
            default: return nil
            }
        }

        var width: Int { self == .two ? 2 : 4 }
    }

    private let packer: StreamPacker
    private let memory: FieldMemory
    private let level: EncodingLevel

    /// Elements of a segment that has a class.
    private static let segmentLength = 256

    init(packer: StreamPacker, memory: FieldMemory, level: EncodingLevel) {
        self.packer = packer
        self.memory = memory
        self.level = level
    }

    /// The payload, and whether the low bits of the words are noise.
    func encode(_ block: UnsafeRawBufferPointer, _ layout: Layout) throws -> (payload: [UInt8], isPlain: Bool)
    {
        let count = block.count / layout.width
        let words = upperHalves(block, layout, count)
        let plan = FieldPlan(words, count)
        let symbols = memory.symbols.bytes
        let escapes = pawl_fields_symbols(symbols, words, count, plan.restBits, plan.top, plan.window)
        let classes = level == .smallest && count >= 64 * Self.segmentLength

        var payload = PayloadWriter(capacity: block.count)
        payload.append(FieldForm.fields.rawValue)
        payload.append(UInt8(plan.restBits))
        payload.append(UInt16(plan.top))
        payload.append(UInt8(plan.window))
        payload.append(UInt16(classes ? Self.segmentLength : 0))
        payload.append(UInt32(escapes))
        try appendSymbols(count, classes, to: &payload)
        var isPlain = try appendRest(words, count, plan, to: &payload)
        try appendEscapes(words, count, escapes, plan, to: &payload)
        if layout == .four {
            for plane in [memory.lists.0, memory.lists.1] {
                let isNoise = try packer.appendSampled(
                    UnsafeRawBufferPointer(plane.prefix(count)), to: &payload)
                isPlain = isPlain && isNoise
            }
        }
        return (payload.bytes, isPlain)
    }

    /// Words of 16 bits; the planes of the two low bytes of larger ones go to the first two lists.
    private func upperHalves(_ block: UnsafeRawBufferPointer, _ layout: Layout, _ count: Int)
        -> UnsafePointer<UInt16>
    {
        let source = block.baseAddress ?? UnsafeRawPointer(memory.words.bytes)
        guard layout == .four else { return source.assumingMemoryBound(to: UInt16.self) }
        let high = memory.words.elements(UInt16.self)
        pawl_halves_split(
            high, memory.lists.0.bytes, memory.lists.1.bytes, source.assumingMemoryBound(to: UInt32.self),
            count)
        return UnsafePointer(high)
    }

    private func appendSymbols(_ count: Int, _ classes: Bool, to payload: inout PayloadWriter) throws {
        guard classes else {
            return try packer.append(UnsafeRawBufferPointer(memory.symbols.prefix(count)), to: &payload)
        }
        let length = Self.segmentLength
        let segments = (count + length - 1) / length
        let means = memory.contexts.elements(UInt32.self)
        pawl_classes_choose(memory.segments.bytes, means, memory.symbols.bytes, count, length)
        pawl_classes_gather(memory.gathered.bytes, memory.symbols.bytes, memory.segments.bytes, count, length)
        let list = UnsafeRawBufferPointer(memory.segments.prefix(segments))
        try packer.append(list, to: &payload)
        let gathered = UnsafeRawBufferPointer(memory.gathered.prefix(count))
        // Every class begins a frame of its own.
        var ends: [Int] = []
        for number in UInt8(0)..<8 {
            let size = list.indices.reduce(0) { sum, segment in
                list[segment] == number ? sum + min(length, count - segment * length) : sum
            }
            ends.append((ends.last ?? 0) + size)
        }
        try packer.append(gathered, to: &payload, cuts: StreamPacker.cuts(gathered, ends: ends))
    }

    private func appendRest(
        _ words: UnsafePointer<UInt16>, _ count: Int, _ plan: FieldPlan, to payload: inout PayloadWriter
    ) throws -> Bool {
        let size = pawl_rest_size(count, plan.restBits)
        pawl_rest_pack(memory.gathered.bytes, words, count, plan.restBits)
        return try packer.appendSampled(UnsafeRawBufferPointer(memory.gathered.prefix(size)), to: &payload)
    }

    private func appendEscapes(
        _ words: UnsafePointer<UInt16>, _ count: Int, _ escapes: Int, _ plan: FieldPlan,
        to payload: inout PayloadWriter
    ) throws {
        let (high, low) = (memory.contexts, memory.sorted)
        pawl_fields_escapes(
            high.bytes, low.bytes, memory.symbols.bytes, words, count, plan.restBits, plan.window)
        try packer.append(UnsafeRawBufferPointer(high.prefix(escapes)), to: &payload)
        if plan.restBits < 8 {
            try packer.append(UnsafeRawBufferPointer(low.prefix(escapes)), to: &payload)
        }
    }

    func decode(
        _ reader: inout PayloadReader, into block: UnsafeMutableRawBufferPointer, _ layout: Layout
    ) throws {
        let count = block.count / layout.width
        let restBits = Int32(try reader.byte())
        let (top, window) = (UInt32(try reader.number16()), UInt32(try reader.byte()))
        let length = try reader.number16()
        let escapes = try reader.number32()
        guard restBits == 6 || restBits == 8, top < 1024, escapes <= count else {
            throw PayloadReader.damaged("its fields are impossible")
        }
        let zstd = packer.zstd
        let symbols = try readSymbols(&reader, count, length)
        let rest = try reader.stream(pawl_rest_size(count, restBits), zstd, memory.gathered)
        let high = try reader.stream(escapes, zstd, memory.contexts)
        let low = restBits < 8 ? try reader.stream(escapes, zstd, memory.sorted) : high
        let halves = layout == .four ? memory.words.memory : block
        let words = halves.baseAddress?.assumingMemoryBound(to: UInt16.self)
        guard
            pawl_fields_join(
                words, symbols.bytes, rest.bytes, count, restBits, top, window, high.bytes, low.bytes, escapes
            )
        else { throw PayloadReader.damaged("its escapes do not add up") }
        if layout == .four {
            let low1 = try reader.stream(count, zstd, memory.lists.0)
            let low0 = try reader.stream(count, zstd, memory.lists.1)
            pawl_halves_join(
                block.baseAddress?.assumingMemoryBound(to: UInt32.self), words, low1.bytes, low0.bytes, count)
        }
        try reader.end()
    }

    private func readSymbols(_ reader: inout PayloadReader, _ count: Int, _ length: Int) throws
        -> UnsafeRawBufferPointer
    {
        guard length > 0 else { return try reader.stream(count, packer.zstd, memory.symbols) }
        guard length >= 16 else { throw PayloadReader.damaged("its segments are too short") }
        let classes = try reader.stream((count + length - 1) / length, packer.zstd, memory.segments)
        let gathered = try reader.stream(count, packer.zstd, memory.gathered)
        pawl_classes_scatter(memory.symbols.bytes, gathered.bytes, classes.bytes, count, length)
        return UnsafeRawBufferPointer(memory.symbols.prefix(count))
    }
}

/// Which bits of the words go to the entropy coder, judged by a sample.
struct FieldPlan {
    var restBits: Int32 = 8
    /// The joint value of symbol 0.
    var top: UInt32 = 0
    /// Number of symbols that stand for a joint value.
    var window: UInt32 = 0

    /// Elements that are looked at: all of a few, or four stretches.
    private static let sample = (stretches: 4, elements: 8 << 10)

    init(_ words: UnsafePointer<UInt16>, _ count: Int) {
        let fine = Self.counts(words, count)
        // With two mantissa bits fewer, four joint values become one.
        let coarse = stride(from: 0, to: fine.count, by: 4).map { fine[$0..<$0 + 4].reduce(0, +) }
        let total = Double(max(fine.reduce(0, +), 1))
        let (best6, best8) = (Self.best(fine, total, step: 4), Self.best(coarse, total, step: 1))
        // libzstd takes bytes for noise of which none is more frequent than one in 120.
        let isPeaked = Double(fine.max() ?? 0) > total / 60
        let isFine = isPeaked && best6.bits + 6 * total < best8.bits + 8 * total
        restBits = isFine ? 6 : 8
        top = UInt32(isFine ? best6.top : best8.top)
        window = UInt32(isFine ? best6.window : best8.window)
    }

    private static func counts(_ words: UnsafePointer<UInt16>, _ count: Int) -> [Int] {
        var (sum, part) = ([Int](repeating: 0, count: 1024), [UInt32](repeating: 0, count: 1024))
        let whole = sample.stretches * sample.elements
        let starts = count <= whole ? [0] : (0..<sample.stretches).map { count / sample.stretches * $0 }
        for start in starts {
            pawl_fields_count(&part, words + start, count <= whole ? count : sample.elements, 6)
            for value in part.indices { sum[value] += Int(part[value]) }
        }
        return sum
    }

    /// The window with the smallest estimate, of a multiple of `step` symbols that all differ from one another.
    private static func best(_ counts: [Int], _ total: Double, step: Int) -> (
        bits: Double, top: Int, window: Int
    ) {
        // Some too large values become escapes rather than symbols of their own.
        var (top, above) = (counts.count - 1, 0)
        while top > 0, Double(above + counts[top]) <= total / 16384 {
            above += counts[top]
            top -= 1
        }
        top = min(counts.count - 1, top / step * step + step - 1)
        // What is outside the window is written by exponent, and its lower bits as they are.
        let groups = stride(from: 0, to: counts.count, by: step).map { counts[$0..<$0 + step].reduce(0, +) }
        var outside = groups.reduce(0.0) { $0 + weight($1) }
        var (inside, insideCount, excess) = (0.0, 0, 0.0)
        var best = (bits: Double.infinity, top: top, window: 1)
        for window in 1...min(255, top + 1) {
            let symbol = counts[top - window + 1]
            inside += bits(symbol, total)
            excess += surplus(symbol, total)
            insideCount += symbol
            guard window % step == 0 else { continue }
            outside -= weight(groups[(top - window + 1) / step])
            let escapes = Int(total) - insideCount
            // Two bits more for the time that an escape takes.
            let escaped = max(weight(escapes) - outside, Double(escapes)) + Double(escapes * (step / 2 + 2))
            // A code of at most 11 bits a symbol takes room from the others.
            let share = min(0.9, excess + surplus(escapes, total))
            let estimate =
                inside + bits(escapes, total) - total * log2(1 - share) + escaped + Double(4 * window)
            if estimate < best.bits { best = (estimate, top, window) }
        }
        return best
    }

    /// n log n: what n numbers of one kind save of n times the logarithm of all.
    private static func weight(_ count: Int) -> Double {
        count == 0 ? 0 : Double(count) * log2(Double(count))
    }

    private static func bits(_ count: Int, _ total: Double) -> Double {
        count == 0 ? 0 : Double(count) * max(1, min(11, -log2(Double(count) / total)))
    }

    private static func surplus(_ count: Int, _ total: Double) -> Double {
        count == 0 ? 0 : max(0, 1.0 / 2048 - Double(count) / total)
    }
}

extension UnsafeRawBufferPointer {
    /// Its bytes; nil when there are none.
    var bytes: UnsafePointer<UInt8>? { baseAddress?.assumingMemoryBound(to: UInt8.self) }
}
