internal import CKernels
internal import Foundation
internal import PawlModel

/// AdamW (Loshchilov and Hutter 2019) on fp32 numbers: beta 0.9 and 0.999, epsilon 1e-8, decay for matrices only.
final class Optimizer {
    /// First and second moments.
    let mean: FloatBuffer
    let variance: FloatBuffer
    /// Runs of the numbers, and whether they decay.
    private let ranges: [(start: Int, count: Int, decays: Bool)]
    private let recipe: TrainingRecipe
    private let pool: ComputePool

    init(_ learner: any Learner, _ recipe: TrainingRecipe, _ pool: ComputePool) {
        let count = learner.numbers.values.count
        mean = FloatBuffer(count)
        variance = FloatBuffer(count)
        ranges = learner.ranges(isDecaying: recipe.weightDecay > 0)
        self.recipe = recipe
        self.pool = pool
    }

    /// One step (counted from 0): clips the gradient to `max_gradient_norm`, moves the numbers, clears the gradient.
    ///
    /// - Returns: the gradient's norm before clipping.
    func step(_ numbers: FloatBuffer, _ gradients: FloatBuffer, step: Int) -> Double {
        let norm = pawl_squared_norm(pool.handle, gradients.pointer, gradients.count).squareRoot()
        let scale = min(1, recipe.maxGradientNorm / (norm + 1e-6))
        for range in ranges {
            var settings = pawl_adamw_settings(
                learning_rate: recipe.learningRate(at: step), beta1: 0.9, beta2: 0.999, epsilon: 1e-8,
                weight_decay: range.decays ? recipe.weightDecay : 0, gradient_scale: scale,
                step: Int64(step + 1))
            pawl_adamw(
                pool.handle, numbers.pointer + range.start, mean.pointer + range.start,
                variance.pointer + range.start, gradients.pointer + range.start, nil, range.count, &settings)
        }
        gradients.clear()
        return norm
    }
}
