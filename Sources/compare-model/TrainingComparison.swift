internal import CKernels
internal import Foundation
internal import PawlCore
internal import PawlModel
internal import PawlSDFT

/// Whole steps of self-distillation against TRL's trainer: loss, norm of the gradient, and the weights at the end.
struct TrainingComparison {
    /// What tools/fixtures/trl_step wrote of a run.
    private struct Expected: Decodable {
        let steps: [Step]
        /// Whether `after/` holds the weights after the last step.
        let weights: Bool
    }

    private struct Step: Decodable {
        let loss: Double
        let norm: Double
    }

    private let directory: URL
    private let folder: URL
    private let model: LoadedModel

    init(_ directory: URL, _ folder: URL) throws {
        (self.directory, self.folder) = (directory, folder)
        model = try LoadedModel(directory)
    }

    /// - Returns: whether every claim holds.
    func run() throws -> Bool { try Finding.report([steps]) }

    private func steps() throws -> [Finding] {
        let url = folder.appending(path: "expected.json")
        let expected = try JSON.decode(Expected.self, from: Files.read(url), source: url.path)
        let before = Parameters(copying: model.parameters)
        let found = try train()
        var findings = try zip(found, expected.steps).enumerated().map { index, pair in
            guard let loss = pair.0["loss"], let norm = pair.0["grad_norm"] else {
                throw PawlError(.internalError, "step \(index + 1) has no loss")
            }
            let errors = (abs(loss / pair.1.loss - 1), abs(norm / pair.1.norm - 1))
            return Finding(
                claim: "step \(index + 1) of \(expected.steps.count), loss and norm of the gradient",
                figure: "\(loss) and \(norm), TRL \(pair.1.loss) and \(pair.1.norm): "
                    + "\(short(errors.0)) and \(short(errors.1)) relative (at most 1e-3)",
                isHeld: errors.0 < 1e-3 && errors.1 < 1e-3)
        }
        guard found.count == expected.steps.count else {
            throw PawlError(.internalError, "\(found.count) steps, \(expected.steps.count) recorded")
        }
        if expected.weights { findings.append(try change(before)) }
        return findings
    }

    /// Trains as the folder's recipe says; each step's metrics.
    private func train() throws -> [Trainer.Metrics] {
        let (recipe, records) = (
            folder.appending(path: "recipe.json"), folder.appending(path: "records.jsonl")
        )
        // The recipe saves no state, so that nothing is written there.
        let state = folder.appending(path: "state")
        let trainer = try Trainer(
            TrainingRecipe(JSON.parse(Files.read(recipe), source: recipe.path)),
            TrainingRecord.read(Files.read(records), source: records.path),
            configuration: model.configuration,
            chat: Chat(directory: directory, configuration: model.configuration),
            incumbent: .full(model.parameters), state: state, identity: Digest(of: ""), pool: model.pool)
        var result: [Trainer.Metrics] = []
        _ = try trainer.run { step, metrics in if step > 0 { result.append(metrics) } }
        return result
    }

    /// How far the weights' change is from TRL's, relative to its size.
    private func change(_ before: Parameters) throws -> Finding {
        let theirs = try Parameters(
            reading: SafetensorsDirectory(folder.appending(path: "after")), model.configuration, model.pool)
        let ours = model.parameters
        var (difference, size) = (0.0, 0.0)
        for index in 0..<theirs.buffer.count {
            let expected = Double(theirs.buffer.pointer[index]) - Double(before.buffer.pointer[index])
            let found = Double(ours.buffer.pointer[index]) - Double(before.buffer.pointer[index])
            difference += (found - expected) * (found - expected)
            size += expected * expected
        }
        let error = (difference / size).squareRoot()
        return Finding(
            claim: "change of all weights together", figure: "\(short(error)) relative L2 (at most 1e-2)",
            isHeld: error < 1e-2)
    }
}
