internal import CCodec
internal import PawlCore

/// Delta forms of codec `fields`: differences in the order of values, sorted by what the base says of their size.
///
/// An update that is about as large everywhere moves a word by many steps where the word is small and by none where
/// it is large: a base's exponent foretells much of the difference, and a reader knows it already.
final class DeltaFields {
    /// What the words of a type are; nil for types without this form.
    struct Words {
        let c: pawl_words
        var width: Int { Int(c.width) }
        var isFloat: Bool { c.is_float }

        init?(_ dtype: DType) {
            // Bits below the exponent, and the exponent's.
            let exponent: (shift: Int32, mask: UInt32)
            switch dtype {
            case .bf16: exponent = (7, 0xFF)
            case .f16: exponent = (10, 0x1F)
            case .f32: exponent = (23, 0xFF)
            case .f8e4m3, .f8e4m3fnuz: exponent = (3, 0xF)
            case .f8e5m2, .f8e5m2fnuz: exponent = (2, 0x1F)
            case .u8, .i8, .i16, .u16, .i32, .u32: exponent = (0, 0)
            case .bool, .f4, .f6e2m3, .f6e3m2, .f8e8m0, .c64, .f64, .i64, .u64: return nil
            }
            c = pawl_words(
                width: Int32(dtype.bits / 8), is_float: exponent.mask != 0, field_shift: exponent.shift,
                field_mask: exponent.mask)
        }
    }

    private let packer: StreamPacker
    private let memory: FieldMemory
    private let level: EncodingLevel

    /// Elements of a group of contexts at least; of a group of elements in order exactly.
    private static let sortedGroup = 2048
    private static let orderedGroup = 64 << 10
    /// Blocks with fewer elements are not sorted.
    private static let fewElements = 4096

    private static let forms = DeltaGroups.Forms(
        tokens: pawl_token_form(direct: 6, leading: 2), packs: pawl_token_form(direct: 4, leading: 3))
    private static let thresholds = DeltaGroups.Thresholds(zeros: 65, large: 12)

    init(packer: StreamPacker, memory: FieldMemory, level: EncodingLevel) {
        self.packer = packer
        self.memory = memory
        self.level = level
    }

    // MARK: Writing

    func encode(_ block: UnsafeRawBufferPointer, base: UnsafeRawBufferPointer, _ words: Words) throws
        -> [UInt8]
    {
        let count = block.count / words.width
        let isSorted = level != .fastReading && words.c.field_mask != 0 && count >= Self.fewElements
        pawl_difference(memory.words.bytes, block.baseAddress, base.baseAddress, count, words.c)
        var groups = DeltaGroups(memory.words, Self.groups(count), width: words.width)
        if isSorted {
            let order = contexts(base, count, words)
            pawl_contexts_sort(
                memory.sorted.bytes, memory.words.bytes, memory.contexts.bytes, count, words.c.width, [order])
            groups = DeltaGroups(memory.sorted, Self.groups(order), width: words.width)
        }
        var payload = PayloadWriter(capacity: block.count / 4)
        payload.append((isSorted ? FieldForm.fields : .inOrder).rawValue)
        payload.append(UInt8(Self.forms.tokens.direct << 4 | Self.forms.tokens.leading))
        payload.append(UInt8(Self.forms.packs.direct << 4 | Self.forms.packs.leading))
        try append(groups.encode(memory, Self.forms, Self.thresholds), to: &payload)
        return payload.bytes
    }

    /// Leaves the contexts of the base's words in `contexts`.
    private func contexts(_ base: UnsafeRawBufferPointer, _ count: Int, _ words: Words) -> pawl_contexts_order
    {
        var order = pawl_contexts_order()
        pawl_contexts(memory.contexts.bytes, base.baseAddress, count, words.c)
        pawl_contexts_index(&order, memory.contexts.bytes, count)
        return order
    }

    private func append(_ groups: DeltaGroups.Encoded, to payload: inout PayloadWriter) throws {
        for count in groups.counts { payload.append(UInt32(count)) }
        groups.modes.withUnsafeBytes { payload.append($0) }
        for stream in groups.streams {
            let cuts = StreamPacker.cuts(stream.bytes, ends: stream.ends)
            try packer.append(stream.bytes, to: &payload, cuts: cuts)
        }
        for bits in groups.bits {
            payload.append(UInt32(bits.count))
            payload.append(bits)
        }
    }

    // MARK: Groups

    /// Sizes of groups of neighbouring contexts.
    private static func groups(_ order: pawl_contexts_order) -> [Int] {
        let counts = withUnsafeBytes(of: order.counts) { Array($0.bindMemory(to: UInt32.self)) }
        var groups: [Int] = []
        var open = 0
        for count in counts {
            open += Int(count)
            if open >= sortedGroup {
                groups.append(open)
                open = 0
            }
        }
        guard open > 0 else { return groups }
        // The last contexts are too few for a group of their own, unless there is no other.
        if groups.isEmpty { return [open] }
        groups[groups.count - 1] += open
        return groups
    }

    /// Sizes of groups of elements in order.
    private static func groups(_ count: Int) -> [Int] {
        stride(from: 0, to: count, by: orderedGroup).map { min(orderedGroup, count - $0) }
    }

    // MARK: Reading

    func decode(
        _ reader: inout PayloadReader, onto block: UnsafeMutableRawBufferPointer, _ words: Words,
        isSorted: Bool
    ) throws {
        let count = block.count / words.width
        let forms = DeltaGroups.Forms(tokens: try Self.form(&reader), packs: try Self.form(&reader))
        if isSorted {
            let order = contexts(UnsafeRawBufferPointer(block), count, words)
            let groups = DeltaGroups(memory.sorted, Self.groups(order), width: words.width)
            try groups.decode(&reader, memory, packer.zstd, forms)
            pawl_contexts_unsort(
                memory.words.bytes, memory.sorted.bytes, memory.contexts.bytes, count, words.c.width, [order])
        } else {
            let groups = DeltaGroups(memory.words, Self.groups(count), width: words.width)
            try groups.decode(&reader, memory, packer.zstd, forms)
        }
        try reader.end()
        pawl_difference_apply(block.baseAddress, memory.words.bytes, count, words.c)
    }

    private static func form(_ reader: inout PayloadReader) throws -> pawl_token_form {
        let byte = try reader.byte()
        let form = pawl_token_form(direct: Int32(byte >> 4), leading: Int32(byte & 15))
        guard pawl_token_form_is_valid(form) else {
            throw PayloadReader.damaged("its tokens have no such form")
        }
        return form
    }
}
