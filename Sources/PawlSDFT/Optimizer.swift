internal import CKernels
internal import Foundation
internal import PawlModel

/// AdamW (Loshchilov and Hutter 2019) on fp32 weights: beta 0.9 and 0.999, epsilon 1e-8, decay for matrices only.
final class Optimizer {
    /// First and second moments.
    let mean: Parameters
    let variance: Parameters
    private let recipe: TrainingRecipe
    private let pool: ComputePool

    init(_ layout: ParameterLayout, _ recipe: TrainingRecipe, _ pool: ComputePool) {
        mean = Parameters(layout)
        variance = Parameters(layout)
        self.recipe = recipe
        self.pool = pool
    }

    /// One step (counted from 0): clips the gradient to `max_gradient_norm`, moves the weights, clears the gradient.
    ///
    /// - Returns: the gradient's norm before clipping.
    func step(_ weights: Parameters, _ gradients: Parameters, step: Int) -> Double {
        let norm = pawl_squared_norm(pool.handle, gradients.buffer.pointer, gradients.buffer.count)
            .squareRoot()
        let scale = min(1, recipe.maxGradientNorm / (norm + 1e-6))
        for range in ranges(weights.layout) {
            var settings = pawl_adamw_settings(
                learning_rate: recipe.learningRate(at: step), beta1: 0.9, beta2: 0.999, epsilon: 1e-8,
                weight_decay: range.decays ? recipe.weightDecay : 0, gradient_scale: scale,
                step: Int64(step + 1))
            pawl_adamw(
                pool.handle, weights.buffer.pointer + range.start, mean.buffer.pointer + range.start,
                variance.buffer.pointer + range.start, gradients.buffer.pointer + range.start, nil,
                range.count, &settings)
        }
        gradients.buffer.clear()
        return norm
    }

    /// All numbers at once, or tensor by tensor where some decay and some do not.
    private func ranges(_ layout: ParameterLayout) -> [(start: Int, count: Int, decays: Bool)] {
        guard recipe.weightDecay > 0 else { return [(0, layout.count, false)] }
        return layout.entries.map { ($0.offset, $0.count, $0.isMatrix) }
    }
}
