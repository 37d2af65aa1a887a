import Foundation
import PawlCore
import PawlModel
import PawlSDFT

/// Steps of a training; one turn is one step.
struct Training {
    private let job: Job
    private let model: Model
    private let recipe: TrainingRecipe
    private let records: [TrainingRecord]

    init(_ job: Job, _ precision: Precision) throws {
        self.job = job
        model = try Model(job)
        func file(_ value: String?, _ name: String) throws -> URL {
            job.folder.appending(path: try job.field(value, name))
        }
        let (recipeFile, recordsFile) = (
            try file(job.work.recipe, "recipe"), try file(job.work.records, "records")
        )
        guard case .object(var settings) = try JSON.parse(Files.read(recipeFile), source: recipeFile.path)
        else {
            throw PawlError(.usage, "\(recipeFile.path) is not an object")
        }
        settings["precision"] = .string(precision == .bf16 ? "bfloat16" : "float32")
        recipe = try TrainingRecipe(.object(settings))
        records = try TrainingRecord.read(Files.read(recordsFile), source: recordsFile.path)
    }

    /// The driver wants no more.
    private struct Enough: Error {}

    func run(_ turns: Turns) throws {
        let trainer = try Trainer(
            recipe, records, configuration: model.configuration, chat: model.chat,
            incumbent: .full(model.parameters), state: job.folder.appending(path: "no-state"),
            identity: Digest(of: "benchmark"), pool: model.pool)
        let lengths = try records.map { try sequence($0) }
        let clock = ContinuousClock()
        var begin = clock.now
        do {
            // The first step warms up: it makes what the other steps find.
            _ = try trainer.run { step, metrics in
                if step == 0 { return }
                if step == 1 {
                    try turns.ready(facts(lengths))
                } else {
                    try turns.done((clock.now - begin) / .seconds(1), numbers(metrics, lengths))
                }
                guard turns.next() else { throw Enough() }
                begin = clock.now
            }
        } catch is Enough {}
    }

    private func sequence(_ record: TrainingRecord) throws -> StepSequence {
        let answer = try record.completion.map { try model.chat.completionTokens(record.prompt, $0).count }
        let context = try model.chat.promptTokens(record.teacher).count
        let isSampled = recipe.method == .sdft
        return StepSequence(
            prompt: try model.chat.promptTokens(record.prompt).count, answer: answer ?? 0,
            skipped: isSampled ? recipe.skipTokens : 0, isSampled: isSampled,
            context: isSampled ? context : nil)
    }

    private func facts(_ lengths: [StepSequence]) -> Turns.Line {
        [
            "prompt_tokens": .int(Int64(lengths.reduce(0) { $0 + $1.prompt })),
            "context_tokens": .int(Int64(lengths.reduce(0) { $0 + ($1.context ?? 0) })),
        ]
    }

    /// What a step did. `gflop` is what was computed; `gflop_unshared` counts what sequences begin with for each of them,
    /// as papers count.
    private func numbers(_ metrics: Trainer.Metrics, _ lengths: [StepSequence]) -> Turns.Line {
        var line = metrics.mapValues(JSONValue.double)
        let answers = (metrics["completion_tokens"] ?? 0) * Double(lengths.count)
        let sampled = lengths.map { length in
            var length = length
            if length.isSampled { length.answer = Int((answers / Double(lengths.count)).rounded()) }
            return length
        }
        let all = StepWork(model.configuration, [(beginning: 0, sequences: sampled)], beginning: 0)
        line["tokens"] = .double(answers)
        line["gflop"] = .double(StepPhase.allCases.reduce(0) { $0 + (metrics["gflop_\($1.rawValue)"] ?? 0) })
        line["gflop_unshared"] = .double(all.total / 1e9)
        return line
    }
}
