internal import Foundation
public import PawlCore
internal import PawlModel

/// A text to continue, or a question to answer.
public struct GenerationRequest: Sendable {
    /// The model that answers.
    public var model: ModelInput
    /// What is asked.
    public var prompt: String
    /// Whether the prompt is one turn in the model's chat template; if not, it is continued as it is.
    public var isChat: Bool
    /// Longest answer, in tokens.
    public var maxTokens: Int
    /// 0 takes the likeliest token.
    public var temperature: Double
    /// The smallest set of likeliest tokens that holds this much probability; 1: all.
    public var topP: Double
    /// So many likeliest tokens; 0: all.
    public var topK: Int
    /// The same seed gives the same answer.
    public var seed: Int
    /// Texts that end an answer; cut off from it.
    public var stop: [String]

    /// Makes a request.
    public init(
        model: ModelInput, prompt: String, isChat: Bool = true, maxTokens: Int = 256, temperature: Double = 0,
        topP: Double = 1, topK: Int = 0, seed: Int = 1, stop: [String] = []
    ) {
        self.model = model
        self.prompt = prompt
        self.isChat = isChat
        self.maxTokens = maxTokens
        self.temperature = temperature
        self.topP = topP
        self.topK = topK
        self.seed = seed
        self.stop = stop
    }
}

/// An answer.
public struct GenerationResult: Sendable, Codable, Hashable {
    /// The model that answered.
    public var checkpoint: Digest
    /// Tokens of the prompt, the template's counted.
    public var promptTokens: Int
    /// The answer's tokens, without the one that ended it.
    public var tokens: [Int]
    /// The answer.
    public var text: String
    /// `stop` (the model ended it, or a stop text did) or `length`.
    public var finish: ItemAnswer.Finish
    /// From the request to the first token, the model's loading included.
    public var firstTokenSeconds: Double
    /// From the request to the end.
    public var seconds: Double

    private enum CodingKeys: String, CodingKey {
        case checkpoint, tokens, text, finish, seconds
        case promptTokens = "prompt_tokens"
        case firstTokenSeconds = "first_token_seconds"
    }
}

extension NativeEngine {
    /// Answers one prompt, and hands out the answer's text as it comes, whole characters only.
    ///
    /// - Parameter onText: the next part of the text; what it throws ends the answer.
    public func generate(
        _ request: GenerationRequest, onText: @escaping @Sendable (String) throws -> Void
    ) async throws -> GenerationResult {
        try await StopFlag.running { stop in try generate(request, stop, onText) }
    }

    private func generate(
        _ request: GenerationRequest, _ stop: StopFlag, _ onText: @Sendable (String) throws -> Void
    ) throws -> GenerationResult {
        let (clock, start) = (ContinuousClock(), ContinuousClock.now)
        let model = try LoadedModel(request.model, for: .answering, threads: threads) { configuration, _ in
            try MemoryNeed.evaluation(configuration, 1).check("generation")
        }
        let tokens = try Self.prompt(request, model)
        let generator = Generator(
            model.decoder(positions: tokens.count + request.maxTokens),
            Sampling(temperature: request.temperature, topP: request.topP, topK: request.topK),
            limit: request.maxTokens, width: 1)
        var answer = StreamedAnswer(model.chat, stops: request.stop)
        var first: Duration?
        var seen = 0
        func take(_ tokens: ArraySlice<Int32>) throws {
            first = first ?? (clock.now - start)
            for token in tokens where !answer.isEnded {
                let part = answer.append(token)
                if !part.isEmpty { try onText(part) }
            }
            seen += tokens.count
        }
        let asked = Generator.Request(tokens: tokens, name: "\(request.seed)/generate")
        let answers = try generator.generate([asked]) { _, tokens in
            try stop.check()
            try take(tokens[seen...])
            return answer.isEnded
        }
        // The token that reaches the limit is not asked about.
        for given in answers { try take(given.tokens[seen...]) }
        let rest = answer.finish()
        if !rest.isEmpty { try onText(rest) }
        let elapsed = clock.now - start
        return GenerationResult(
            checkpoint: request.model.digest, promptTokens: tokens.count, tokens: answer.tokens.map(Int.init),
            text: answer.text, finish: answer.isEnded ? .stop : .length,
            firstTokenSeconds: (first ?? elapsed) / .seconds(1), seconds: elapsed / .seconds(1))
    }

    private static func prompt(_ request: GenerationRequest, _ model: LoadedModel) throws -> [Int32] {
        guard request.maxTokens > 0 else {
            throw PawlError(.invalidArgument, "max_tokens \(request.maxTokens) is not above 0")
        }
        let tokens =
            request.isChat
            ? try model.chat.promptTokens([ChatMessage(role: "user", content: request.prompt)])
            : model.chat.rawTokens(request.prompt)
        guard !tokens.isEmpty else { throw PawlError(.invalidArgument, "the prompt is empty") }
        let room = model.configuration.maximumPositions
        guard request.maxTokens <= room - tokens.count else {
            throw PawlError(
                .invalidArgument,
                "\(tokens.count) prompt tokens and \(request.maxTokens) of an answer do not fit the model's \(room)",
                hint: "a shorter prompt, or a smaller --max-tokens")
        }
        return tokens
    }
}

/// An answer while it comes.
private struct StreamedAnswer {
    private let ends: [Int32]
    private var decoder: StreamDecoder
    private var scanner: StopScanner
    private(set) var tokens: [Int32] = []
    private(set) var text = ""
    private(set) var isEnded = false

    init(_ chat: Chat, stops: [String]) {
        ends = chat.endTokens
        decoder = StreamDecoder(chat.tokenizer, skipSpecialTokens: true)
        scanner = StopScanner(stops)
    }

    /// The text that is certain with one more token.
    mutating func append(_ token: Int32) -> String {
        guard !ends.contains(token) else {
            isEnded = true
            return ""
        }
        tokens.append(token)
        let part = scanner.append(decoder.append(token))
        isEnded = scanner.isStopped
        text += part
        return part
    }

    /// What was kept back; nothing after a stop text.
    mutating func finish() -> String {
        let part = scanner.append(decoder.finish()) + scanner.finish()
        isEnded = isEnded || scanner.isStopped
        text += part
        return part
    }
}
