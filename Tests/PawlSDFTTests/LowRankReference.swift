import Foundation
import PawlCore

@testable import PawlModel

/// What PEFT computed for one model (tools/fixtures/low_rank).
struct LowRankReference {
    static let runs = ["llama", "mistral", "qwen3", "llama-bias"]

    let rank: Int
    let alpha: Double
    let modules: [String]
    private let tensors: SafetensorsDirectory

    private struct Manifest: Decodable {
        struct Run: Decodable {
            let rank: Int
            let alpha: Double
            let modules: [String]
        }
        let runs: [String: Run]
    }

    init(_ name: String) throws {
        let folder = ModelFixture.root.deletingLastPathComponent().appending(path: "low-rank")
        let url = folder.appending(path: "MANIFEST.json")
        let manifest = try JSON.decode(Manifest.self, from: Files.read(url), source: url.path)
        guard let run = manifest.runs[name] else { throw PawlError(.notFound, "no run \(name)") }
        (rank, alpha, modules) = (run.rank, run.alpha, run.modules)
        tensors = try SafetensorsDirectory(folder.appending(path: name))
    }

    func numbers(_ name: String) throws -> [Double] {
        var result: [Double] = []
        try tensors.read(name) { _, dtype, bytes in
            result =
                dtype == .f64
                ? Array(bytes.bindMemory(to: Double.self)) : bytes.bindMemory(to: Float.self).map(Double.init)
        }
        return result
    }

    /// A set of recorded factors, by the first part of their names, laid out as ours.
    func factors(_ set: String, _ weights: ParameterLayout) throws -> LowRankFactors {
        let layout = try LowRankLayout(weights, rank: rank, alpha: alpha, modules: modules)
        let factors = LowRankFactors(layout)
        for module in layout.modules {
            for (factor, offset) in [("lora_A", module.a), ("lora_B", module.b)] {
                let numbers = try numbers("\(set).base_model.model.\(module.name).\(factor).weight")
                for (index, number) in numbers.enumerated() { factors.at(offset)[index] = Float(number) }
            }
        }
        return factors
    }
}
