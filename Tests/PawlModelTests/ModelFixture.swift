import Foundation
import PawlCore

@testable import PawlModel

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

    /// A decoder over the same weights.
    func decoder(_ precision: Precision) -> Transformer {
        precision == .f32
            ? transformer
            : Transformer(configuration, parameters, positions: 256, pool: pool, precision: precision)
    }

    /// Logits [T, V] of a batch's tokens.
    func logits(_ sequences: [[Int32]], prefix: Prefix? = nil, precision: Precision = .f32) throws
        -> FloatBuffer
    {
        let (batch, model) = (SequenceBatch(sequences), decoder(precision))
        let hidden = try model.forward(batch, prefix: prefix)
        let logits = FloatBuffer(batch.tokens.count * configuration.vocabularySize)
        try model.logits(hidden.pointer, rows: batch.tokens.count, into: logits.pointer)
        return logits
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

/// max |a - b|; NaN when any difference is.
func largestDifference(_ a: some Sequence<Float>, _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { largest, pair in
        let difference = abs(Double(pair.0) - pair.1)
        return difference.isNaN || difference > largest ? difference : largest
    }
}

/// A folder that is gone at the end.
func withScratch<R>(_ body: (URL) throws -> R) throws -> R {
    let folder = FileManager.default.temporaryDirectory.appending(path: "pawl-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}
