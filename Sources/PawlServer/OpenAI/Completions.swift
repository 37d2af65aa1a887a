internal import PawlCore
internal import PawlModel
internal import PawlWorkflow

/// `POST /v1/completions`: texts, or lists of tokens, that go on.
extension OpenAI {
    func complete(_ fields: RequestFields) async throws -> Reply {
        let asked = try CompletionRequest(fields)
        let model = try await model(asked.settings.model)
        let prompts = asked.prompts.map { CompletionPrompt($0, model.chat, asked) }
        let request = try asked.settings.request(
            prompts.map(\.tokens), model, standard: 16, source: "prompt", topCount: asked.topCount,
            scoresPrompts: asked.echoes && asked.topCount != nil)
        let events = try serving.answer(request, with: model)
        let form = CompletionForm(
            identity: AnswerIdentity("cmpl-", asked.settings.model, model), asked: asked, prompts: prompts,
            names: TokenText(tokenizer: model.chat.tokenizer))
        guard asked.settings.isStreamed else { return try Self.json(try await form.whole(events)) }
        return try EventStream.reply(events, first: form.first()) {
            form.chunks($0)
        } last: {
            form.last($0)
        }
    }
}

/// What a request asks for.
struct CompletionRequest {
    enum Prompt { case text(String), tokens([Int32]) }

    let settings: AnswerSettings
    let prompts: [Prompt]
    /// Whether the prompt stands before the answer.
    let echoes: Bool
    /// How many likeliest tokens each token tells; nil: no log-probabilities.
    let topCount: Int?
    /// Whether the tokenizer puts special tokens around a text.
    let addsSpecialTokens: Bool

    init(_ fields: RequestFields) throws {
        settings = try AnswerSettings(fields, lengths: ["max_tokens"])
        echoes = try fields.flag("echo") ?? false
        topCount = try fields.integer("logprobs", in: 0...20)
        addsSpecialTokens = try fields.flag("add_special_tokens") ?? true
        guard let prompt = fields["prompt"] else {
            throw OpenAIError.invalid("prompt", "is missing", code: "missing_required_parameter")
        }
        prompts = try Self.prompts(prompt)
        let choices = settings.choices
        try fields.refuse(["best_of"]) { $0.int == choices }
        try fields.refuse(["suffix"]) { $0 == "" }
    }

    private static func prompts(_ value: JSONValue) throws -> [Prompt] {
        if let text = value.string { return [.text(text)] }
        if let tokens = try RequestFields.tokens(value, "prompt") { return [.tokens(tokens)] }
        guard let elements = value.array, !elements.isEmpty else {
            throw OpenAIError.invalid("prompt", "must be a text, a list of token ids, or a list of either")
        }
        return try elements.map { element in
            if let text = element.string { return .text(text) }
            guard let tokens = try RequestFields.tokens(element, "prompt") else {
                throw OpenAIError.invalid("prompt", "its elements must be texts or lists of token ids")
            }
            return .tokens(tokens)
        }
    }
}

/// A prompt with its tokens, and how it is echoed.
struct CompletionPrompt {
    let tokens: [Int32]
    /// As it was given.
    let text: String
    /// Tokens that the tokenizer put before a text.
    let before: Int

    init(_ prompt: CompletionRequest.Prompt, _ chat: Chat, _ request: CompletionRequest) {
        switch prompt {
        case .tokens(let tokens):
            self.tokens = tokens
            text = request.echoes ? chat.tokenizer.decode(tokens, skipSpecialTokens: false) : ""
            before = 0
        case .text(let text):
            self.text = text
            let plain = chat.textTokens(text)
            tokens = request.addsSpecialTokens ? chat.rawTokens(text) : plain
            let more = tokens.count - plain.count
            before = Array(tokens.dropFirst(more)) == plain ? more : 0
        }
    }
}

/// How an answer is written.
struct CompletionForm {
    let identity: AnswerIdentity
    let asked: CompletionRequest
    let prompts: [CompletionPrompt]
    let names: TokenText

    /// The prompt of a choice.
    private func prompt(_ choice: Int) -> CompletionPrompt { prompts[choice / asked.settings.choices] }

    private var promptTokens: Int { prompts.reduce(0) { $0 + $1.tokens.count } }

    /// Unicode scalars before a choice's answer.
    private func start(_ choice: Int) -> Int {
        asked.echoes ? prompt(choice).text.unicodeScalars.count : 0
    }

    private func object(_ choices: [CompletionObject.Choice], _ usage: Usage? = nil) -> CompletionObject {
        CompletionObject(identity, choices, usage)
    }

    // MARK: Whole

    func whole(_ events: AsyncThrowingStream<AnswerEvent, any Error>) async throws -> CompletionObject {
        let count = prompts.count * asked.settings.choices
        var choices = (0..<count).map {
            CompletionObject.Choice(
                index: $0, text: asked.echoes ? prompt($0).text : "",
                logprobs: asked.topCount.map { _ in .init() },
                finish: nil)
        }
        var tokens = 0
        for try await event in events {
            for part in self.choices(event) { choices[part.index].append(part) }
            if case .end(_, _, _, let count) = event { tokens += count }
        }
        // The stream of a request that was cancelled ends as if it were done.
        try Task.checkCancellation()
        return object(choices, Usage(promptTokens: promptTokens, completionTokens: tokens))
    }

    // MARK: In parts

    func first() -> [CompletionObject] {
        guard asked.echoes, asked.topCount == nil else { return [] }
        return (0..<prompts.count * asked.settings.choices).map {
            object([.init(index: $0, text: prompt($0).text, logprobs: nil, finish: nil)])
        }
    }

    func chunks(_ event: AnswerEvent) -> [CompletionObject] {
        choices(event).map { choice in
            var choice = choice
            if case .prompt = event { choice.text = prompt(choice.index).text }
            return object([choice])
        }
    }

    func last(_ tokens: Int) -> [CompletionObject] {
        guard asked.settings.tellsUsage else { return [] }
        return [object([], Usage(promptTokens: promptTokens, completionTokens: tokens))]
    }

    /// What an event adds to its choice; a prompt's scores add no text.
    private func choices(_ event: AnswerEvent) -> [CompletionObject.Choice] {
        switch event {
        case .prompt(let choice, let tokens):
            let offsets = names.offsets(tokens.map(\.token), before: prompt(choice).before).offsets
            return [.init(index: choice, text: "", logprobs: scores(tokens, offsets), finish: nil)]
        case .part(let choice, let part): return [self.choice(choice, part, nil)]
        case .end(let choice, let part, let finish, _): return [self.choice(choice, part, finish)]
        }
    }

    private func choice(_ index: Int, _ part: AnswerPart, _ finish: AnswerEvent.Finish?)
        -> CompletionObject.Choice
    {
        let start = start(index)
        let scores = asked.topCount.map { _ in
            // All tokens that were drawn, the one that ended the answer too: who scores a prompt counts on one.
            self.scores(part.tokens.map(\.scored), part.tokens.map { start + $0.offset })
        }
        return .init(index: index, text: part.text, logprobs: scores, finish: finish?.rawValue)
    }

    private func scores(_ tokens: [ScoredToken], _ offsets: [Int]) -> CompletionObject.Scores {
        CompletionObject.Scores(
            tokens: tokens.map { names.name($0.token) }, tokenLogprobs: tokens.map(\.logProbability),
            topLogprobs: tokens.map { $0.logProbability == nil ? nil : names.likeliest($0) },
            textOffset: offsets)
    }
}

/// The body of an answer, and each chunk of a streamed one.
struct CompletionObject: Encodable {
    struct Choice: Encodable {
        let index: Int
        var text: String
        var logprobs: Scores?
        var finish: String?

        /// Takes the next part.
        mutating func append(_ part: Choice) {
            text += part.text
            finish = part.finish
            guard let more = part.logprobs else { return }
            logprobs?.tokens += more.tokens
            logprobs?.tokenLogprobs += more.tokenLogprobs
            logprobs?.topLogprobs += more.topLogprobs
            logprobs?.textOffset += more.textOffset
        }

        private enum Keys: String, CodingKey {
            case index, text, logprobs
            case finish = "finish_reason"
        }

        func encode(to encoder: any Encoder) throws {
            var fields = encoder.container(keyedBy: Keys.self)
            try fields.encode(index, forKey: .index)
            try fields.encode(text, forKey: .text)
            try fields.encode(logprobs, forKey: .logprobs)
            try fields.encode(finish, forKey: .finish)
        }
    }

    /// One element for each token; nil for the first of an echoed prompt, which nothing predicts.
    struct Scores: Encodable {
        var tokens: [String] = []
        var tokenLogprobs: [Float?] = []
        var topLogprobs: [[String: Float]?] = []
        var textOffset: [Int] = []

        private enum CodingKeys: String, CodingKey {
            case tokens
            case tokenLogprobs = "token_logprobs"
            case topLogprobs = "top_logprobs"
            case textOffset = "text_offset"
        }
    }

    let id, object, model, fingerprint: String
    let created: Int
    let choices: [Choice]
    let usage: Usage?

    init(_ identity: AnswerIdentity, _ choices: [Choice], _ usage: Usage?) {
        id = identity.id
        object = "text_completion"
        model = identity.model
        fingerprint = identity.fingerprint
        created = identity.created
        self.choices = choices
        self.usage = usage
    }

    private enum CodingKeys: String, CodingKey {
        case id, object, model, created, choices, usage
        case fingerprint = "system_fingerprint"
    }
}
