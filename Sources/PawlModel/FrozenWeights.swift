internal import CKernels
internal import PawlCore

/// A model's weights in bf16 alone, for a decoder that does not learn: half of fp32's memory, and the same results, since
/// only weights that bf16 holds exactly are taken.
public final class FrozenWeights: Sendable {
    let layout: ParameterLayout
    let rounded: RoundedWeights
    /// Norms and biases, which kernels read in fp32, one after the other; where each begins, by its offset in the layout.
    private let vectors: FloatBuffer
    private let places: [Int: Int]

    /// A copy of the same numbers; nil when bf16 does not hold each exactly.
    public convenience init?(exactly parameters: Parameters, _ pool: ComputePool) {
        guard parameters.isExactInBF16 else { return nil }
        self.init(RoundedWeights(parameters, pool), parameters.layout, pool)
    }

    /// The same numbers rounded to bf16; norms and biases keep theirs.
    public convenience init(rounding parameters: Parameters, _ pool: ComputePool) {
        self.init(RoundedWeights(parameters, pool), parameters.layout) { entry, numbers in
            numbers.update(from: parameters.at(entry.offset), count: entry.count)
        }
    }

    /// A copy, to be changed (see ``replace(_:with:count:_:)``).
    public convenience init(copying other: FrozenWeights) {
        self.init(RoundedWeights(copying: other.rounded), other.layout) { entry, numbers in
            numbers.update(from: other.vector(entry.offset), count: entry.count)
        }
    }

    /// Puts other numbers, rounded to nearest even, in the place of those of a matrix or a part of one, which begin at an
    /// offset of the layout. Not while a decoder reads them.
    public func replace(_ offset: Int, with numbers: UnsafePointer<Float>, count: Int, _ pool: ComputePool) {
        pawl_bf16_from_f32(pool.handle, rounded.at(offset), numbers, count)
    }

    /// Whether a source stores all of a model's weights in bf16, so that they can be held so.
    public static func holds(_ source: some WeightSource, _ configuration: ModelConfiguration) throws -> Bool
    {
        try ParameterLayout(configuration).entries.allSatisfy { try source.form(of: $0.name).dtype == .bf16 }
    }

    /// Reads a model's weights, tensor by tensor; nil when any of them is not stored in bf16.
    ///
    /// Fails when a tensor is missing, has another shape, or holds a NaN or infinity.
    public static func read(
        _ source: some WeightSource, _ configuration: ModelConfiguration, _ pool: ComputePool
    ) throws -> FrozenWeights? {
        let layout = ParameterLayout(configuration)
        try layout.check(source, configuration)
        guard try holds(source, configuration) else { return nil }
        let rounded = RoundedWeights(layout)
        let place = source.description
        try source.read(layout.entries.map(\.name)) { index, shape, dtype, bytes in
            let entry = layout.entries[index]
            try entry.check(shape, dtype, bytes, place)
            try entry.take(bytes, into: rounded.at(entry.offset), place)
        }
        return FrozenWeights(rounded, layout, pool)
    }

    private convenience init(_ rounded: RoundedWeights, _ layout: ParameterLayout, _ pool: ComputePool) {
        self.init(rounded, layout) { entry, numbers in
            pawl_f32_from_bf16(pool.handle, numbers, rounded.at(entry.offset), entry.count)
        }
    }

    private init(
        _ rounded: RoundedWeights, _ layout: ParameterLayout,
        vector fill: (ParameterLayout.Entry, UnsafeMutablePointer<Float>) -> Void
    ) {
        self.layout = layout
        self.rounded = rounded
        let entries = layout.entries.filter { !$0.isMatrix }
        vectors = FloatBuffer(entries.reduce(0) { $0 + $1.count })
        var (places, end) = ([Int: Int](), 0)
        // Those that the layout keeps side by side stay so: kernels read the biases of queries, keys and values as one.
        for entry in entries {
            fill(entry, vectors.pointer + end)
            places[entry.offset] = end
            end += entry.count
        }
        self.places = places
    }

    /// The first number of a norm or bias at an offset of the layout.
    func vector(_ offset: Int) -> UnsafePointer<Float> {
        guard let place = places[offset] else { preconditionFailure("no norm or bias begins at \(offset)") }
        return UnsafePointer(vectors.pointer + place)
    }
}

extension Parameters {
    /// Whether the lower half of every number is 0.
    var isExactInBF16: Bool {
        buffer.values.withMemoryRebound(to: UInt32.self) { words in
            let block = 1 << 16
            return stride(from: 0, to: words.count, by: block).allSatisfy { start in
                words[start..<min(start + block, words.count)].reduce(0, |) & 0xFFFF == 0
            }
        }
    }
}
