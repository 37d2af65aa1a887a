import Foundation
import PawlCore
import PawlModel

/// Greedy continuations of all texts at a time, to a fixed length.
struct Decoding {
    private let model: Model
    private let precision: Precision
    private let prompts: [[Int32]]
    private let length: Int

    init(_ job: Job, _ precision: Precision) throws {
        model = try Model(job)
        self.precision = precision
        prompts = try job.field(job.work.texts, "texts").map(model.chat.textTokens)
        length = try job.field(job.work.newTokens, "new_tokens")
    }

    func run(_ turns: Turns) throws {
        let longest = prompts.map(\.count).max() ?? 0
        let decoder = model.decoder(positions: longest + length, precision)
        let generator = Generator(decoder, .greedy, limit: length, width: prompts.count)
        let requests = prompts.enumerated().map { Generator.Request(tokens: $1, name: "\($0)") }
        try turns.repeating(["prompt_tokens": .int(Int64(prompts.reduce(0) { $0 + $1.count }))]) {
            let answers = try generator.generate(requests, isFinished: { _, _ in false })
            return [
                "tokens": .int(Int64(answers.reduce(0) { $0 + $1.tokens.count })),
                "gflop": .double(work / 1e9),
                "answers": .array(answers.map { .array($0.tokens.map { .int(Int64($0)) }) }),
            ]
        }
    }

    private var work: Double {
        prompts.reduce(0) { sum, prompt in
            // The last token of an answer is chosen and not run.
            sum + FloatingPointWork.layers(model.configuration, tokens: prompt.count + length - 1).total
                + FloatingPointWork.logits(model.configuration, rows: length).total
        }
    }
}

/// The log-likelihood of every token of each text but the first.
struct Scoring {
    private let model: Model
    private let precision: Precision
    private let texts: [[Int32]]

    init(_ job: Job, _ precision: Precision) throws {
        model = try Model(job)
        self.precision = precision
        texts = try job.field(job.work.texts, "texts").map(model.chat.textTokens)
    }

    func run(_ turns: Turns) throws {
        let scorer = Scorer(model.decoder(positions: texts.map(\.count).max() ?? 0, precision))
        let requests = texts.map { Scorer.Request(context: [$0[0]], continuation: Array($0.dropFirst())) }
        let tokens = texts.reduce(0) { $0 + $1.count }
        try turns.repeating(["prompt_tokens": .int(Int64(tokens))]) {
            let scores = try scorer.score(requests)
            return [
                "tokens": .int(Int64(tokens)), "gflop": .double(scorer.work(requests).total / 1e9),
                "log_likelihood": .double(scores.reduce(0, +)),
            ]
        }
    }
}
