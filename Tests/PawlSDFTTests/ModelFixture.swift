import Foundation
import PawlCore

@testable import PawlModel
@testable import PawlSDFT

/// A tiny random model of one family and what PyTorch computed with it (tools/fixtures/models).
struct ModelFixture {
    static let families = [
        "llama", "llama3", "llama-bias", "mistral", "qwen2", "qwen2-window", "qwen3",
    ]
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/models")

    let directory: URL
    let configuration: ModelConfiguration
    let pool: ComputePool
    let parameters: Parameters
    let transformer: Transformer
    private let expected: SafetensorsDirectory

    init(_ family: String) throws {
        directory = Self.root.appending(path: family)
        configuration = try ModelConfiguration(directory: directory)
        pool = try ComputePool(threads: 2)
        parameters = try Parameters(reading: SafetensorsDirectory(directory), configuration, pool)
        transformer = Transformer(configuration, parameters, positions: 256, pool: pool)
        expected = try SafetensorsDirectory(directory.appending(path: "expected"))
    }

    /// The numbers of a recorded tensor.
    func numbers(_ name: String) throws -> [Double] {
        var result: [Double] = []
        try expected.read(name) { _, dtype, bytes in
            result =
                switch dtype {
                case .f32: Self.load(bytes, Float.self).map(Double.init)
                case .f64: Self.load(bytes, Double.self)
                case .i32: Self.load(bytes, Int32.self).map(Double.init)
                default: throw PawlError(.internalError, "fixture of type \(dtype.rawValue)")
                }
        }
        return result
    }

    private static func load<T: BitwiseCopyable>(_ bytes: UnsafeRawBufferPointer, _: T.Type) -> [T] {
        stride(from: 0, to: bytes.count, by: MemoryLayout<T>.size).map {
            bytes.loadUnaligned(fromByteOffset: $0, as: T.self)
        }
    }

    func number(_ name: String) throws -> Double { try numbers(name)[0] }

    func tokens(_ name: String) throws -> [Int32] { try numbers(name).map { Int32($0) } }

    /// The sequences that everything was computed on.
    func sequences() throws -> [[Int32]] { try (0..<4).map { try tokens("sequence.\($0)") } }
}

/// |a - b| / |b|, L2.
func relativeError(_ a: some Sequence<Float>, _ b: [Double]) -> Double {
    var (difference, norm) = (0.0, 0.0)
    for (x, y) in zip(a, b) {
        difference += (Double(x) - y) * (Double(x) - y)
        norm += y * y
    }
    return (difference / max(norm, 1e-30)).squareRoot()
}

extension TrainingRecipe {
    /// A recipe with a few settings changed.
    static func sample(_ changes: [String: JSONValue] = [:]) throws -> TrainingRecipe {
        let members: [String: JSONValue] = [
            "method": "sdft", "steps": 10, "prompts_per_step": 4, "rehearsal_share": 0.5,
            "learning_rate": 1e-2,
            "warmup_steps": 3, "schedule": "cosine", "weight_decay": 0.1, "max_gradient_norm": 1.0,
            "divergence": "forward_kl", "top_k": 0, "temperature": 1.0, "on_policy_fraction": 1.0,
            "max_completion_tokens": 12, "skip_tokens": 0, "teacher_weights": "frozen", "ema_rate": 0.1,
            "micro_batch": 4, "precision": "float32", "seed": 1, "save_every": 3, "max_context_tokens": 200,
        ]
        return try TrainingRecipe(.object(members.merging(changes) { $1 }))
    }
}
