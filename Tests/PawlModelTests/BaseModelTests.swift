import Foundation
import PawlCore
import Testing

@testable import PawlModel

/// A whole model against what transformers computed with it (tools/fixtures/base_model). Needs a release build to end
/// within a minute.
@Suite(
    "SmolLM2-135M against transformers", .serialized,
    .enabled(
        if: ProcessInfo.processInfo.environment["PAWL_BASE_MODEL"] != nil,
        "PAWL_BASE_MODEL names no directory of SmolLM2-135M-Instruct"))
struct BaseModelTests {
    private struct Reference: Decodable {
        let generations: [Generation]
        let scores: [Score]
    }

    private struct Generation: Decodable {
        let prompt: [Int32]
        let tokens: [Int32]
        /// By how much each token's logit was above the next.
        let lead: [Double]
    }

    private struct Score: Decodable {
        let context: [Int32]
        let continuation: [Int32]
        let score: Double
    }

    private let reference: Reference
    private let directory: URL
    private let configuration: ModelConfiguration
    private let parameters: Parameters
    private let pool: ComputePool

    init() throws {
        let url = ModelFixture.root.deletingLastPathComponent().appending(path: "base-model/reference.json")
        reference = try JSON.decode(Reference.self, from: Files.read(url), source: url.path)
        directory = URL(filePath: try #require(ProcessInfo.processInfo.environment["PAWL_BASE_MODEL"]))
        pool = try ComputePool()
        configuration = try ModelConfiguration(directory: directory)
        parameters = try Parameters(reading: SafetensorsDirectory(directory), configuration, pool)
    }

    private func decoder(_ precision: Precision) -> Transformer {
        Transformer(configuration, parameters, positions: 256, pool: pool, precision: precision)
    }

    @Test("The same greedy continuations but for ties", arguments: [Precision.f32, .bf16Decoding])
    func greedy(precision: Precision) throws {
        let generator = Generator(decoder(precision), .greedy, limit: 64, width: 16)
        let answers = try generator.generate(
            reference.generations.map { .init(tokens: $0.prompt, name: "") }, isFinished: { _, _ in false })
        #expect(reference.generations.count == 50)
        for (answer, expected) in zip(answers, reference.generations) {
            #expect(answer.tokens.count == 64)
            let place = zip(answer.tokens, expected.tokens).enumerated().first { $1.0 != $1.1 }?.offset
            guard let place else { continue }
            #expect(expected.lead[place] < 1e-4, "token \(place) after \(expected.prompt)")
        }
    }

    @Test("The same log-likelihoods of continuations")
    func scores() throws {
        let scores = try Scorer(decoder(.f32)).score(
            reference.scores.map { .init(context: $0.context, continuation: $0.continuation) })
        #expect(scores.count == 200)
        for (score, expected) in zip(scores, reference.scores) {
            #expect(abs(score - expected.score) < 1e-3 * abs(expected.score))
        }
    }

    @Test("Untouched, it is written as the same bytes")
    func writing() throws {
        try withScratch { scratch in
            let output = scratch.appending(path: "copy")
            try ModelWriter.write(parameters, like: directory, to: output, pool: pool)
            for file in try FileManager.default.contentsOfDirectory(atPath: directory.path) {
                let old = try Digest(of: Files.read(directory.appending(path: file)))
                let new = try Digest(of: Files.read(output.appending(path: file)))
                #expect(old == new, "\(file)")
            }
        }
    }
}
