internal import CKernels
internal import PawlCore
internal import PawlModel

/// The loss at the output projection, chunk by chunk: logits, divergence, and the gradients of hidden states and
/// projection. The (tokens x vocabulary) matrix of a batch never exists.
struct FusedLoss {
    let student: Transformer
    let recipe: TrainingRecipe
    /// Rows at a time: 64 rows of 49,152 logits are 12.6 MB.
    private static let chunk = 64

    /// What the loss compares the student with.
    enum Target {
        /// A teacher's hidden states [R, D] behind the same output projection of another model.
        case teacher(FloatBuffer, Transformer)
        /// The tokens themselves, R of them.
        case tokens([Int32])
    }

    /// - Parameters:
    ///   - hidden: the student's states [R, D]; overwritten with their gradient.
    ///   - weights: what each row counts; rows of 0 carry no loss.
    ///   - gradients: the output projection's gradient is added here, where it learns.
    /// - Returns: each row's loss, unweighted.
    func run(
        _ hidden: FloatBuffer, _ target: Target, weights: [Float], into gradients: Gradients
    ) throws -> [Float] {
        let (rows, d, v) = (
            weights.count, student.configuration.hiddenSize, student.configuration.vocabularySize
        )
        var losses = [Float](repeating: 0, count: rows)
        let logits = FloatBuffer(min(Self.chunk, rows) * v)
        let other = FloatBuffer(min(Self.chunk, rows) * v)
        for start in stride(from: 0, to: rows, by: Self.chunk) {
            let count = min(Self.chunk, rows - start)
            let states = hidden.pointer + start * d
            try student.logits(states, rows: count, into: logits.pointer)
            let part = Array(weights[start..<start + count])
            try losses.withUnsafeMutableBufferPointer { losses in
                let out = losses.baseAddress.map { $0 + start }
                switch target {
                case .teacher(let teacherStates, let teacher):
                    try teacher.logits(teacherStates.pointer + start * d, rows: count, into: other.pointer)
                    try divergence(out, logits.pointer, other.pointer, part)
                case .tokens(let tokens):
                    try check(
                        pawl_cross_entropy(
                            student.pool.handle, out, logits.pointer, logits.pointer,
                            Array(tokens[start..<start + count]),
                            part, count, v), "loss")
                }
            }
            try student.outputBackward(logits.pointer, states, rows: count, into: gradients)
        }
        return losses
    }

    private func divergence(
        _ losses: UnsafeMutablePointer<Float>?, _ student: UnsafeMutablePointer<Float>,
        _ teacher: UnsafeMutablePointer<Float>, _ weights: [Float]
    ) throws {
        let v = self.student.configuration.vocabularySize
        let pool = self.student.pool.handle
        let kind =
            switch recipe.divergence {
            case .forwardKL: PAWL_FORWARD_KL
            case .reverseKL: PAWL_REVERSE_KL
            case .jsd: PAWL_JENSEN_SHANNON
            }
        let settings = pawl_divergence_settings(kind: kind, beta: 0.5, temperature: Float(recipe.temperature))
        guard recipe.topK > 0, recipe.topK < v else {
            pawl_divergence(pool, losses, student, student, teacher, weights, weights.count, v, settings)
            return
        }
        let k = recipe.topK
        var support = [Int32](repeating: 0, count: weights.count * k)
        var values = [Float](repeating: 0, count: weights.count * k)
        try check(pawl_top_k(pool, &support, &values, teacher, weights.count, v, k), "top-K")
        try check(
            pawl_divergence_top_k(
                pool, losses, student, student, support, values, weights, weights.count, v, k, true, settings),
            "loss")
    }
}
