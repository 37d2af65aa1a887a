internal import PawlCore

/// Codec `fields` version 1: the fields of floats apart, differences in the contexts of what they differ from, both
/// through libzstd's entropy coder (docs/format.md, "Codec fields 1").
///
/// What is read does not depend on the level it was written at.
struct FieldCodec: TensorCodec {
    let identity = CodecIdentity(name: "fields", version: 1)
    var level = EncodingLevel.standard

    func makeCoder() throws -> any BlockCoder { try FieldCoder(level: level) }
}

/// The forms of payloads: the first byte.
enum FieldForm: UInt8 {
    /// The payload of codec `planes` follows.
    case planes = 0
    /// Full: fields of floats. Delta: sorted by context.
    case fields = 1
    /// Delta: in the order of the elements.
    case inOrder = 2
}

/// Chooses the form of every block.
private final class FieldCoder: BlockCoder {
    private let planes: any BlockCoder
    private let floats: FloatFields
    private let deltas: DeltaFields

    init(level: EncodingLevel) throws {
        planes = try PlaneCodec().makeCoder()
        let packer = StreamPacker(zstd: try Zstd())
        let memory = FieldMemory()
        floats = FloatFields(packer: packer, memory: memory, level: level)
        deltas = DeltaFields(packer: packer, memory: memory, level: level)
    }

    func encodeFull(_ block: UnsafeRawBufferPointer, dtype: DType) throws -> [UInt8]? {
        let limit = block.count
        guard let layout = FloatFields.Layout(dtype) else {
            return Self.smaller(Self.marked(try planes.encodeFull(block, dtype: dtype)), nil, limit)
        }
        let (fields, isPlain) = try floats.encode(block, layout)
        // Weights have noise in their low bits; what has not, such as pruned or constant tensors, may have matches.
        guard !isPlain || fields.count >= limit else { return fields }
        return Self.smaller(fields, Self.marked(try planes.encodeFull(block, dtype: dtype)), limit)
    }

    func encodeDelta(_ block: UnsafeRawBufferPointer, base: UnsafeRawBufferPointer, dtype: DType) throws
        -> [UInt8]?
    {
        guard let words = DeltaFields.Words(dtype), try !arePlanesBetter(block, base, dtype, words) else {
            return Self.smaller(
                Self.marked(try planes.encodeDelta(block, base: base, dtype: dtype)), nil, block.count)
        }
        return Self.smaller(try deltas.encode(block, base: base, words), nil, block.count)
    }

    /// Bytes that decide on the form of a delta.
    private static let sampleSize = 64 << 10

    /// Whether the bytes of differences have patterns that tokens would hide: what weight decay alone does to a row
    /// of wide words, for one, is a few values over and over. A sample from the middle of the block tells.
    private func arePlanesBetter(
        _ block: UnsafeRawBufferPointer, _ base: UnsafeRawBufferPointer, _ dtype: DType,
        _ words: DeltaFields.Words
    ) throws -> Bool {
        guard words.width == 4 || !words.isFloat else { return false }
        let size = min(block.count, Self.sampleSize)
        let start = (block.count - size) / 2 & ~15
        let new = UnsafeRawBufferPointer(rebasing: block[start..<start + size])
        let old = UnsafeRawBufferPointer(rebasing: base[start..<start + size])
        let planar = try planes.encodeDelta(new, base: old, dtype: dtype)?.count ?? size
        return try planar < deltas.encode(new, base: old, words).count
    }

    func decodeFull(
        _ payload: UnsafeRawBufferPointer, dtype: DType, into block: UnsafeMutableRawBufferPointer
    ) throws {
        var reader = PayloadReader(payload)
        switch (FieldForm(rawValue: try reader.byte()), FloatFields.Layout(dtype)) {
        case (.planes, _):
            try planes.decodeFull(Self.unmarked(payload), dtype: dtype, into: block)
        case (.fields, let layout?):
            try floats.decode(&reader, into: block, layout)
        default:
            throw PayloadReader.damaged("its form is unknown")
        }
    }

    func decodeDelta(
        _ payload: UnsafeRawBufferPointer, dtype: DType, onto block: UnsafeMutableRawBufferPointer
    ) throws {
        var reader = PayloadReader(payload)
        switch (FieldForm(rawValue: try reader.byte()), DeltaFields.Words(dtype)) {
        case (.planes, _):
            try planes.decodeDelta(Self.unmarked(payload), dtype: dtype, onto: block)
        case (.fields, let words?):
            try deltas.decode(&reader, onto: block, words, isSorted: true)
        case (.inOrder, let words?):
            try deltas.decode(&reader, onto: block, words, isSorted: false)
        default:
            throw PayloadReader.damaged("its form is unknown")
        }
    }

    private static func marked(_ planes: [UInt8]?) -> [UInt8]? {
        planes.map { [FieldForm.planes.rawValue] + $0 }
    }

    private static func unmarked(_ payload: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: payload[1...])
    }

    private static func smaller(_ first: [UInt8]?, _ second: [UInt8]?, _ limit: Int) -> [UInt8]? {
        [first, second].compactMap { $0 }.filter { $0.count < limit }.min { $0.count < $1.count }
    }
}

/// Memory of one coder: one block each, for whatever a step needs it.
final class FieldMemory {
    /// Words of 16 bits, or differences.
    let words = Scratch()
    let sorted = Scratch()
    let symbols = Scratch()
    let contexts = Scratch()
    /// Packed values, of which there may be one more than elements in every group; or symbols by class, or rests.
    let gathered = Scratch(Blocks.size + 1024)
    /// Gaps, of which there may be as many.
    let gaps = Scratch(Blocks.size + 1024)
    let large = Scratch()
    /// Strings of bits, with room to write 8 bytes at a time; or planes.
    let lists = (Scratch(Blocks.size + 64), Scratch(Blocks.size + 64), Scratch(Blocks.size + 64))
    /// Classes of segments.
    let segments = Scratch(Blocks.size / 16)
}
