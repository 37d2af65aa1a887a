internal import CKernels
internal import PawlCore
internal import PawlModel

/// What a training moves, and who reads it.
protocol Learner: AnyObject {
    /// The decoder that learns.
    var student: Transformer { get }
    /// The student as its checkpoint would be saved, in bf16: who answers, where anything is sampled. Half the memory to
    /// read for each token.
    var sampler: Transformer? { get }
    /// The numbers that the optimizer moves, and what a saved state calls them.
    var numbers: (name: String, values: FloatBuffer) { get }
    /// Their gradients, as the way back takes them and as numbers.
    var gradients: Gradients { get }
    var gradientNumbers: FloatBuffer { get }
    /// The factors that learn; nil where all weights do.
    var factors: LowRankFactors? { get }
    /// Runs of the numbers, and whether weight decay applies to them.
    func ranges(isDecaying: Bool) -> [(start: Int, count: Int, decays: Bool)]
    /// To be called after the numbers have changed, before the next use.
    func changed() throws
    /// Moves an average of the student's weights towards them.
    func average(into average: Parameters, rate: Float) throws
}

/// All weights learn.
final class FullLearner: Learner {
    let student: Transformer
    let sampler: Transformer?
    let gradients: Gradients
    private let weights: Parameters
    private let weightGradients: Parameters

    /// - Parameters:
    ///   - weights: changed in place.
    ///   - samples: whether the student answers.
    init(_ weights: Parameters, _ c: ModelConfiguration, positions: Int, samples: Bool, _ pool: ComputePool) {
        self.weights = weights
        student = Transformer(c, weights, positions: positions, pool: pool)
        sampler =
            samples
            ? Transformer(c, weights, positions: positions, pool: pool, precision: .bf16Decoding) : nil
        weightGradients = Parameters(weights.layout)
        gradients = .weights(weightGradients)
    }

    var numbers: (name: String, values: FloatBuffer) { ("weights", weights.buffer) }
    var gradientNumbers: FloatBuffer { weightGradients.buffer }
    var factors: LowRankFactors? { nil }

    /// All numbers at once, or tensor by tensor where some decay and some do not.
    func ranges(isDecaying: Bool) -> [(start: Int, count: Int, decays: Bool)] {
        guard isDecaying else { return [(0, weights.layout.count, false)] }
        return weights.layout.entries.map { ($0.offset, $0.count, $0.isMatrix) }
    }

    func changed() { sampler?.weightsChanged() }

    func average(into average: Parameters, rate: Float) {
        pawl_ema(
            student.pool.handle, average.buffer.pointer, weights.buffer.pointer, rate, average.buffer.count)
    }
}

/// The factors of a low-rank update learn; the weights stay, in bf16 where that holds them exactly.
final class LowRankLearner: Learner {
    let student: Transformer
    let sampler: Transformer?
    let gradients: Gradients
    private let learning: LowRankFactors
    private let factorGradients: LowRankFactors
    /// What the sampler reads: the weights with the update folded in, in bf16.
    private let folded: FrozenWeights?

    init(
        _ weights: ModelWeights, _ factors: LowRankFactors, _ c: ModelConfiguration, positions: Int,
        samples: Bool, _ pool: ComputePool
    ) {
        learning = factors
        student = Transformer(
            c, weights, positions: positions, pool: pool, update: LowRankUpdate(factors, pool))
        folded =
            switch weights {
            case _ where !samples: nil
            case .full(let parameters): FrozenWeights(rounding: parameters, pool)
            case .frozen(let frozen): FrozenWeights(copying: frozen)
            }
        sampler = folded.map { Transformer(c, frozen: $0, positions: positions, pool: pool) }
        factorGradients = LowRankFactors(factors.layout)
        gradients = .factors(factorGradients)
    }

    var numbers: (name: String, values: FloatBuffer) { ("factors", learning.buffer) }
    var factors: LowRankFactors? { learning }
    var gradientNumbers: FloatBuffer { factorGradients.buffer }

    /// Both factors are matrices.
    func ranges(isDecaying: Bool) -> [(start: Int, count: Int, decays: Bool)] {
        [(0, learning.layout.count, isDecaying)]
    }

    func changed() throws {
        student.weightsChanged()
        guard let folded else { return }
        try student.forEachUpdated { offset, numbers, count in
            folded.replace(offset, with: numbers, count: count, student.pool)
        }
    }

    func average(into average: Parameters, rate: Float) throws {
        try student.forEachUpdated { offset, numbers, count in
            pawl_ema(student.pool.handle, average.buffer.pointer + offset, numbers, rate, count)
        }
    }
}
