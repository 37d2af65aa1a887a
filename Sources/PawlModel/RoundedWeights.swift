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

extension Precision {
    /// The fastest for weights that stay as they are, without a change in any result: reads bf16 where that holds every
    /// weight exactly, as it does when they came from a bf16 file.
    public static func unchanged(_ parameters: Parameters) -> Precision {
        parameters.isExactInBF16 ? .bf16Decoding : .f32
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

/// A model's weights rounded to bf16, each at its place in the layout.
final class RoundedWeights: @unchecked Sendable {
    /// Two of them lie in the room of each of its numbers.
    private let memory: FloatBuffer
    private let pointer: UnsafeMutablePointer<UInt16>
    private let count: Int

    init(_ parameters: Parameters, _ pool: ComputePool) {
        count = parameters.layout.count
        memory = FloatBuffer((count + 1) / 2)
        pointer = UnsafeMutableRawPointer(memory.pointer).bindMemory(to: UInt16.self, capacity: count)
        update(parameters, pool)
    }

    /// Rounds to nearest even again, after the weights have changed.
    func update(_ parameters: Parameters, _ pool: ComputePool) {
        pawl_bf16_from_f32(pool.handle, pointer, parameters.buffer.pointer, count)
    }

    /// The first number of a tensor or group at an offset of the layout.
    func at(_ offset: Int) -> UnsafePointer<UInt16> { UnsafePointer(pointer + offset) }
}
