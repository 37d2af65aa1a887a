internal import Foundation
internal import PawlCore
internal import PawlModel

/// Answers the items of one suite with a model in this process.
struct NativeEvaluation {
    private let model: LoadedModel
    private let settings: EvaluationSettings
    private let items: [Item]
    private let room: Int

    /// An item as the host wrote it.
    private struct Item: Decodable {
        let id: String
        let prompt: String?
        let messages: [ChatMessage]?
        let choices: [String]?
    }

    init(_ model: LoadedModel, items bytes: [UInt8], source: String, _ settings: EvaluationSettings) throws {
        self.model = model
        self.settings = settings
        items = try JSON.decodeLines(Item.self, from: bytes, source: source)
        guard !items.isEmpty else { throw PawlError(.invalidArgument, "\(source): the file holds no items") }
        guard ["chat", "raw"].contains(settings.template) else {
            throw PawlError(
                .unsupported, "settings, field template: \"\(settings.template)\" is not one of chat, raw")
        }
        room = model.configuration.maximumPositions
    }

    /// The items as tokens, by what is asked of them; those that cannot be run with the reason.
    private struct Sorted {
        var failures: [Int: ItemAnswer.Outcome] = [:]
        var generations: [(index: Int, tokens: [Int32])] = []
        var choices: [(index: Int, tokens: [Int32], choices: [[Int32]])] = []
    }

    private func sorted() -> Sorted {
        var sorted = Sorted()
        for (index, item) in items.enumerated() {
            do {
                let tokens = try prompt(item)
                let texts = item.choices?.map(model.chat.textTokens)
                try check(item, tokens, texts)
                if let texts {
                    sorted.choices.append((index, tokens, texts))
                } else {
                    sorted.generations.append((index, tokens))
                }
            } catch {
                let reason = (error as? PawlError)?.message ?? "\(error)"
                sorted.failures[index] = .failure(reason)
            }
        }
        return sorted
    }

    private static func requests(_ asked: [(index: Int, tokens: [Int32], choices: [[Int32]])])
        -> [Scorer.Request]
    {
        asked.flatMap { item in
            item.choices.map { Scorer.Request(context: item.tokens, continuation: $0) }
        }
    }

    /// What answering takes: arithmetic on what is read, and tokens to be given, answers taken to be as long as allowed.
    func work(_ transformer: Transformer) -> (reading: FloatingPointWork, sampledTokens: Int) {
        let sorted = sorted()
        var reading = Scorer(transformer).work(Self.requests(sorted.choices))
        for item in sorted.generations {
            reading += .layers(model.configuration, tokens: item.tokens.count)
        }
        return (reading, sorted.generations.count * settings.maxTokens)
    }

    /// One answer for each item, in the order of the file; an item that cannot be run gets a failure of its own.
    func run(_ progress: @escaping (Int, Int) throws -> Void) throws -> [ItemAnswer] {
        let sorted = sorted()
        var answers = sorted.failures
        let (generations, choices) = (sorted.generations, sorted.choices)
        var done = answers.count
        func advance(_ count: Int) throws {
            done += count
            try progress(done, items.count)
        }
        try progress(done, items.count)
        let longestAnswer = generations.map { $0.tokens.count + settings.maxTokens }.max() ?? 1
        let longestChoice = choices.map { $0.tokens.count + ($0.choices.map(\.count).max() ?? 0) }.max() ?? 1
        let positions = max(longestAnswer, longestChoice)
        let transformer = model.decoder(positions: positions)
        try generate(generations, transformer, advance).forEach { answers[$0] = $1 }
        try score(choices, transformer, advance).forEach { answers[$0] = $1 }
        return try items.enumerated().map { index, item in
            guard let outcome = answers[index] else {
                throw PawlError(.internalError, "item \"\(item.id)\" was not answered")
            }
            return ItemAnswer(id: item.id, outcome)
        }
    }

    private func prompt(_ item: Item) throws -> [Int32] {
        if settings.template == "raw" {
            guard let prompt = item.prompt else {
                throw PawlError(
                    .invalidArgument, "item \"\(item.id)\": the raw template takes a prompt, not messages")
            }
            return model.chat.rawTokens(prompt)
        }
        return try model.chat.promptTokens(
            item.messages ?? [ChatMessage(role: "user", content: item.prompt ?? "")])
    }

    private func check(_ item: Item, _ prompt: [Int32], _ choices: [[Int32]]?) throws {
        guard !prompt.isEmpty else {
            throw PawlError(.invalidArgument, "item \"\(item.id)\": the prompt is empty")
        }
        if let choices, choices.isEmpty || choices.contains(where: \.isEmpty) {
            throw PawlError(.invalidArgument, "item \"\(item.id)\": choices must be a list of texts")
        }
        let longest = prompt.count + (choices?.map(\.count).max() ?? settings.maxTokens)
        guard longest <= room else {
            throw PawlError(
                .invalidArgument, "item \"\(item.id)\": \(longest) tokens do not fit the model's \(room)")
        }
    }

    /// Greedy answers: the end token or a stop text ends one, and is not part of it.
    private func generate(
        _ asked: [(index: Int, tokens: [Int32])], _ transformer: Transformer,
        _ advance: @escaping (Int) throws -> Void
    ) throws -> [(Int, ItemAnswer.Outcome)] {
        guard !asked.isEmpty else { return [] }
        let generator = Generator(transformer, .greedy, limit: settings.maxTokens, width: settings.batchSize)
        let ends = Set(model.chat.endTokens)
        let answers = try generator.generate(
            asked.map { .init(tokens: $0.tokens, name: "") },
            isFinished: { _, tokens in
                guard let last = tokens.last, !ends.contains(last) else { return true }
                guard !settings.stop.isEmpty else { return false }
                let text = model.chat.text(tokens)
                return settings.stop.contains { text.contains($0) }
            }, progress: { _ in try advance(1) })
        return zip(asked, answers).map { question, answer in
            var tokens = answer.tokens
            var isEnded = tokens.last.map(ends.contains) ?? false
            if isEnded { tokens.removeLast() }
            var text = model.chat.text(tokens)
            if let cut = settings.stop.compactMap({ text.range(of: $0)?.lowerBound }).min() {
                (text, isEnded) = (String(text[..<cut]), true)
            }
            return (
                question.index,
                .generation(response: text, finish: isEnded ? .stop : .length, tokens: tokens.count)
            )
        }
    }

    private func score(
        _ asked: [(index: Int, tokens: [Int32], choices: [[Int32]])], _ transformer: Transformer,
        _ advance: @escaping (Int) throws -> Void
    ) throws -> [(Int, ItemAnswer.Outcome)] {
        guard !asked.isEmpty else { return [] }
        let requests = Self.requests(asked)
        let perItem = requests.count / asked.count
        var reported = 0
        let values = try Scorer(transformer).score(requests) { done in
            let items = min(done / max(1, perItem), asked.count)
            try advance(items - reported)
            reported = items
        }
        var next = 0
        return asked.map { item in
            defer { next += item.choices.count }
            return (
                item.index,
                .choices(
                    logLikelihoods: Array(values[next..<next + item.choices.count]),
                    tokens: item.choices.map(\.count))
            )
        }
    }
}
