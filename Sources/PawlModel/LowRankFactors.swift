internal import CKernels

/// One number for each of a low-rank update's factors: the factors themselves, their gradients.
public final class LowRankFactors: Sendable {
    public let layout: LowRankLayout
    public let buffer: FloatBuffer

    /// All zero.
    public init(_ layout: LowRankLayout) {
        self.layout = layout
        buffer = FloatBuffer(layout.count)
    }

    /// As PEFT begins: A uniform within 1 / sqrt(in) of 0 (Kaiming's with a = sqrt 5), B zero, so that nothing is changed yet.
    /// Each A comes from the seed and its module's name.
    public convenience init(_ layout: LowRankLayout, seed: Int) {
        self.init(layout)
        for module in layout.modules {
            var random = NamedRandom("\(seed)/factor/\(module.name)")
            let bound = 1 / Double(module.in).squareRoot()
            for index in module.a..<module.a + layout.rank * module.in {
                buffer.pointer[index] = Float((2 * random.uniform() - 1) * bound)
            }
        }
    }

    func at(_ offset: Int) -> UnsafeMutablePointer<Float> { buffer.pointer + offset }
}

/// Where the way back puts its gradients; they are added.
public enum Gradients: Sendable {
    /// Of every weight.
    case weights(Parameters)
    /// Of the factors of the decoder's low-rank update; weights get none.
    case factors(LowRankFactors)

    /// The place of a norm's or bias's gradient, or of another that the offset names; nil where it is not wanted.
    func at(_ offset: Int) -> UnsafeMutablePointer<Float>? {
        switch self {
        case .weights(let parameters): parameters.at(offset)
        case .factors: nil
        }
    }
}

/// A low-rank update that a decoder reads with its weights.
///
/// The decoder multiplies by W + scale B A, made row by row in the window where frozen weights become fp32 anyway. That is
/// 2 rank in out operations for T tokens that go through together; two products beside W's own would be
/// 2 rank T (in + out), more from T = in out / (in + out) on (288 tokens at 576 x 576), and would pass over all activations
/// again. The way back has side products alone: dB = scale dYᵀ (X Aᵀ) and dA = (scale dY B)ᵀ X are the exact gradients without
/// dYᵀ X, a third of full training's products.
public final class LowRankUpdate: Sendable {
    public let factors: LowRankFactors
    /// scale B, one after the other as in the factors.
    private let scaled: FloatBuffer
    private var layout: LowRankLayout { factors.layout }

    /// An update by these factors, which the caller may go on changing between calls (see ``factorsChanged(_:)``).
    public init(_ factors: LowRankFactors, _ pool: ComputePool) {
        self.factors = factors
        scaled = FloatBuffer(factors.layout.count - factors.layout.inputCount)
        factorsChanged(pool)
    }

    /// To be called after the factors have changed, before the next use.
    public func factorsChanged(_ pool: ComputePool) {
        scaled.pointer.update(from: factors.at(layout.inputCount), count: scaled.count)
        pawl_scale(pool.handle, scaled.pointer, layout.scale, scaled.count)
    }

    /// Whether the matrix at an offset of the weights' layout is updated, all or in part.
    func changes(_ weight: Int) -> Bool { layout.groups[weight] != nil }

    private func scaledB(_ module: LowRankLayout.Module) -> UnsafeMutablePointer<Float> {
        scaled.pointer + (module.b - layout.inputCount)
    }

    /// Adds scale B A to rows of the matrix at an offset of the weights' layout; `numbers` is the first of them.
    func add(
        to numbers: UnsafeMutablePointer<Float>, rows: Range<Int>, of weight: Int, _ pool: ComputePool
    ) throws {
        for module in layout.groups[weight] ?? [] {
            let part = rows.clamped(to: module.firstRow..<module.firstRow + module.out)
            guard !part.isEmpty else { continue }
            try check(
                pawl_product(
                    pool.handle, numbers + (part.lowerBound - rows.lowerBound) * module.in, module.in,
                    scaledB(module) + (part.lowerBound - module.firstRow) * layout.rank, layout.rank, false,
                    factors.at(module.a), module.in, false, PAWL_F32, part.count, module.in, layout.rank, true
                ),
                "low-rank update")
        }
    }

    /// Adds the factors' gradients from dY [rows, out] and X [rows, in] of a product with the matrix at an offset.
    func backward(
        _ weight: Int, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, rows: Int, out: Int, in size: Int,
        into gradients: LowRankFactors, _ pool: ComputePool
    ) throws {
        guard let modules = layout.groups[weight], let first = modules.first else { return }
        let (rank, width) = (layout.rank, layout.rank * modules.count)
        let inner = FloatBuffer(rows * width)
        func multiply(
            _ c: UnsafeMutablePointer<Float>, _ ldc: Int, _ a: UnsafePointer<Float>, _ lda: Int,
            _ aTurned: Bool,
            _ b: UnsafePointer<Float>, _ ldb: Int, _ bTurned: Bool, _ m: Int, _ n: Int, _ k: Int, add: Bool
        ) throws {
            try check(
                pawl_product(
                    pool.handle, c, ldc, a, lda, aTurned, b, ldb, bTurned, PAWL_F32, m, n, k, add),
                "gradient of a low-rank update")
        }
        // X Aᵀ of all modules side by side, [rows, width].
        try multiply(
            inner.pointer, width, x, size, false, factors.at(first.a), size, true, rows, width, size,
            add: false)
        pawl_scale(pool.handle, inner.pointer, layout.scale, inner.count)
        for (index, module) in modules.enumerated() {
            try multiply(
                gradients.at(module.b), rank, dy + module.firstRow, out, true, inner.pointer + index * rank,
                width, false, module.out, rank, rows, add: true)
        }
        // scale dY B in the same room.
        for (index, module) in modules.enumerated() {
            try multiply(
                inner.pointer + index * rank, width, dy + module.firstRow, out, false, scaledB(module), rank,
                false, rows, rank, module.out, add: false)
        }
        try multiply(
            gradients.at(first.a), size, inner.pointer, width, true, x, size, false, width, size, rows,
            add: true)
    }
}
