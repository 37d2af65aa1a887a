import CKernels
import Foundation
import PawlCore
import PawlModel

/// What the machine can do at best: the rate of a large matrix product, and how fast numbers come from memory.
struct Limits {
    private let pool: ComputePool

    init(_ job: Job) throws { pool = try ComputePool(threads: job.threads) }

    func run(_ turns: Turns) throws {
        try turns.ready([
            "instruction_set": .string(pool.instructionSet), "bf16_is_fast": .bool(pawl_bf16_is_fast()),
        ])
        let clock = ContinuousClock()
        while turns.next() {
            let begin = clock.now
            let line: Turns.Line = [
                "product_f32": .double(try productRate(PAWL_F32)),
                "product_bf16": .double(try productRate(PAWL_BF16)),
                "read": .double(readRate()),
            ]
            try turns.done((clock.now - begin) / .seconds(1), line)
        }
    }

    /// GFLOP/s of C = A Bᵀ for square matrices of this size, which no cache of a core holds.
    private static let size = 2048

    private func productRate(_ type: pawl_type) throws -> Double {
        let n = Self.size
        let (a, b, c) = (FloatBuffer(n * n), FloatBuffer(n * n), FloatBuffer(n * n))
        // Read as bf16, an fp32 1 is a 1 and a 0.
        for buffer in [a, b] { buffer.values.update(repeating: 1) }
        let seconds = try fastest(5) {
            try check(
                pawl_product(
                    pool.handle, c.pointer, n, a.pointer, n, false, b.pointer, n, true, type, n, n, n, false),
                "product")
        }
        return 2e-9 * Double(n * n * n) / seconds
    }

    /// GB/s of reading once as many bytes as 134 million fp32 weights have, far more than caches hold: the product of one
    /// row, which does little else.
    private func readRate() -> Double {
        let (n, k) = (1 << 17, 1 << 10)
        let (weights, row, result) = (FloatBuffer(n * k), FloatBuffer(k), FloatBuffer(n))
        weights.values.update(repeating: 1)
        let seconds = fastest(5) {
            pawl_small_product(
                pool.handle, result.pointer, n, row.pointer, k, weights.pointer, PAWL_F32, 1, n, k, false)
        }
        return 4e-9 * Double(weights.count) / seconds
    }

    private func fastest(_ repeats: Int, _ work: () throws -> Void) rethrows -> Double {
        let clock = ContinuousClock()
        try work()
        return try (0..<repeats).map { _ in
            let begin = clock.now
            try work()
            return (clock.now - begin) / .seconds(1)
        }.min() ?? 0
    }
}
