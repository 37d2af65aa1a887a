internal import CCodec
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

    /// Elements of a segment that has a class, and what else they may be where time matters less than size: the rows of
    /// a matrix, whose numbers are of one size, are multiples of one or another.
    private static let (segmentLength, segmentLengths) = (256, [192, 256, 384, 512])

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
        let length = segmentLength(count)

        var payload = PayloadWriter(capacity: block.count)
        payload.append(FieldForm.fields.rawValue)
        payload.append(UInt8(plan.restBits))
        payload.append(UInt16(plan.top))
        payload.append(UInt8(plan.window))
        payload.append(UInt16(length))
        payload.append(UInt32(escapes))
        try appendSymbols(count, length, to: &payload)
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

    /// Elements of a segment of the symbols in memory; 0 for none.
    private func segmentLength(_ count: Int) -> Int {
        guard level != .fastReading, count >= 64 * Self.segmentLength else { return 0 }
        guard level == .smallest else { return Self.segmentLength }
        // A quarter of the block tells.
        let sample = count / 4
        let costs = Self.segmentLengths.map { length in
            choose(sample, length)
            pawl_classes_refine(memory.segments.bytes, memory.symbols.bytes, sample, length, 2)
            return pawl_classes_cost(memory.segments.bytes, memory.symbols.bytes, sample, length)
        }
        return zip(costs, Self.segmentLengths).min { $0.0 < $1.0 }?.1 ?? Self.segmentLength
    }

    /// Gives each segment of the first symbols its class.
    private func choose(_ count: Int, _ length: Int) {
        let means = memory.contexts.elements(UInt32.self)
        pawl_classes_choose(memory.segments.bytes, means, memory.symbols.bytes, count, length)
    }

    private func appendSymbols(_ count: Int, _ length: Int, to payload: inout PayloadWriter) throws {
        guard length > 0 else {
            return try packer.append(UnsafeRawBufferPointer(memory.symbols.prefix(count)), to: &payload)
        }
        let segments = (count + length - 1) / length
        choose(count, length)
        if level == .smallest {
            pawl_classes_refine(memory.segments.bytes, memory.symbols.bytes, count, length, 3)
        }
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

extension UnsafeRawBufferPointer {
    /// Its bytes; nil when there are none.
    var bytes: UnsafePointer<UInt8>? { baseAddress?.assumingMemoryBound(to: UInt8.self) }
}
