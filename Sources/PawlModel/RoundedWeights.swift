internal import CKernels
internal import Foundation

/// In which numbers a decoder multiplies. Weights, gradients, norms, softmax and all sums are fp32 in any case.
public enum Precision: String, Sendable, CaseIterable {
    /// Weights and activations as they are.
    case f32
    /// Products of few rows, which is what decoding has, read the weights rounded to bf16: half the memory traffic that
    /// limits them. All else is fp32. Exact for weights that came from a bf16 file and have not changed.
    case bf16Decoding
    /// Every product takes rounded weights, and those of many rows rounded activations too. A gain only on processors
    /// that multiply bf16 faster (`pawl_bf16_is_fast`).
    case bf16
}

/// A model's weights rounded to bf16, each at its place in the layout.
final class RoundedWeights: @unchecked Sendable {
    /// Two of them lie in the room of each of its numbers.
    private let memory: FloatBuffer
    private let pointer: UnsafeMutablePointer<UInt16>
    private let count: Int

    /// All zero.
    init(_ layout: ParameterLayout) {
        count = layout.count
        memory = FloatBuffer((count + 1) / 2)
        pointer = UnsafeMutableRawPointer(memory.pointer).bindMemory(to: UInt16.self, capacity: count)
    }

    convenience init(_ parameters: Parameters, _ pool: ComputePool) {
        self.init(parameters.layout)
        update(parameters, pool)
    }

    /// The same numbers.
    init(copying other: RoundedWeights) {
        count = other.count
        memory = FloatBuffer(other.memory.count)
        memory.copy(from: other.memory)
        pointer = UnsafeMutableRawPointer(memory.pointer).bindMemory(to: UInt16.self, capacity: count)
    }

    /// Rounds to nearest even again, after the weights have changed.
    func update(_ parameters: Parameters, _ pool: ComputePool) {
        pawl_bf16_from_f32(pool.handle, pointer, parameters.buffer.pointer, count)
    }

    /// The first number of a tensor or group at an offset of the layout.
    func at(_ offset: Int) -> UnsafeMutablePointer<UInt16> { pointer + offset }
}
