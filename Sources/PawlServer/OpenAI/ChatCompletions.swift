internal import PawlCore
internal import PawlModel
internal import PawlWorkflow

/// `POST /v1/chat/completions`: the next turn of a conversation.
extension OpenAI {
    func chat(_ fields: RequestFields) async throws -> Reply {
        let asked = try ChatRequest(fields)
        let model = try await model(asked.settings.model)
        let prompt: [Int32]
        do {
            prompt = try model.chat.promptTokens(asked.messages)
        } catch let error as PawlError {
            // The template refuses what it has no form for, such as a role.
            throw OpenAIError.invalid("messages", error.message)
        }
        let request = try asked.settings.request(
            [prompt], model, standard: serving.limits.answer, source: "messages", topCount: asked.topCount)
        let events = try serving.answer(request, with: model)
        let form = ChatForm(
            identity: AnswerIdentity("chatcmpl-", asked.settings.model, model), asked: asked,
            promptTokens: prompt.count, names: TokenText(tokenizer: model.chat.tokenizer))
        guard asked.settings.isStreamed else { return try Self.json(try await form.whole(events)) }
        return try EventStream.reply(events, first: form.first()) {
            form.chunks($0)
        } last: {
            form.last($0)
        }
    }
}

/// What a request asks for.
struct ChatRequest {
    let settings: AnswerSettings
    let messages: [ChatMessage]
    /// How many likeliest tokens each token tells; nil: no log-probabilities.
    let topCount: Int?

    init(_ fields: RequestFields) throws {
        settings = try AnswerSettings(fields, lengths: ["max_completion_tokens", "max_tokens"])
        let top = try fields.integer("top_logprobs", in: 0...20)
        let scores = try fields.flag("logprobs") ?? false
        guard top == nil || scores else {
            throw OpenAIError.invalid("top_logprobs", "needs logprobs to be true")
        }
        topCount = scores ? top ?? 0 : nil
        messages = try Self.messages(fields)
        try fields.refuse(["tools", "functions"]) { $0 == [] }
        try fields.refuse(["tool_choice", "function_call"]) { $0 == "none" || $0 == "auto" }
        try fields.refuse(["response_format"]) { $0["type"]?.string == "text" }
        try fields.refuse(["modalities"]) { $0 == ["text"] }
        try fields.refuse(["audio", "web_search_options"]) { _ in false }
        try fields.refuse(["continue_final_message"]) { $0 == false }
        try fields.refuse(["add_generation_prompt"]) { $0 == true }
    }

    static func messages(_ fields: RequestFields) throws -> [ChatMessage] {
        guard let value = fields["messages"] else {
            throw OpenAIError.invalid("messages", "is missing", code: "missing_required_parameter")
        }
        guard let list = value.array, !list.isEmpty else {
            throw OpenAIError.invalid("messages", "must be a list of at least one message")
        }
        return try list.enumerated().map { try message($1, "messages[\($0)]") }
    }

    private static func message(_ value: JSONValue, _ place: String) throws -> ChatMessage {
        guard var members = value.object, let role = members["role"]?.string else {
            throw OpenAIError.invalid(place, "must be an object with the string \"role\"")
        }
        let content = try members["content"].flatMap { try text($0, "\(place).content") }
        let calls = members["tool_calls"]
        for known in ["role", "content", "tool_calls"] { members[known] = nil }
        return ChatMessage(role: role, content: content, toolCalls: calls, others: members)
    }

    /// A content that is a text, or a list of texts.
    private static func text(_ value: JSONValue, _ place: String) throws -> String? {
        if value == .null { return nil }
        if let text = value.string { return text }
        guard let parts = value.array else {
            throw OpenAIError.invalid(place, "must be a string, or a list of parts of type text")
        }
        return try parts.map { part in
            guard part["type"]?.string == "text", let text = part["text"]?.string else {
                throw OpenAIError.invalid(place, "has a part that is no text; the models read nothing else")
            }
            return text
        }.joined()
    }
}

/// How an answer is written.
struct ChatForm {
    let identity: AnswerIdentity
    let asked: ChatRequest
    let promptTokens: Int
    let names: TokenText

    func whole(_ events: AsyncThrowingStream<AnswerEvent, any Error>) async throws -> ChatObject {
        var choices = (0..<asked.settings.choices).map {
            ChatObject.Choice(index: $0, text: "", isWhole: true, scores: asked.topCount.map { _ in [] })
        }
        var tokens = 0
        for try await event in events {
            guard let part = choice(event) else { continue }
            choices[part.index].text = (choices[part.index].text ?? "") + (part.text ?? "")
            choices[part.index].scores? += part.scores ?? []
            choices[part.index].finish = part.finish
            if case .end(_, _, _, let count) = event { tokens += count }
        }
        // The stream of a request that was cancelled ends as if it were done.
        try Task.checkCancellation()
        return ChatObject(
            identity, "chat.completion", choices, Usage(promptTokens: promptTokens, completionTokens: tokens))
    }

    func first() -> [ChatObject] {
        (0..<asked.settings.choices).map { chunk([.init(index: $0, text: "", tellsRole: true)]) }
    }

    func chunks(_ event: AnswerEvent) -> [ChatObject] {
        guard var choice = choice(event) else { return [] }
        guard let finish = choice.finish else { return [chunk([choice])] }
        // The last chunk says how it ended, and nothing else.
        let end = chunk([.init(index: choice.index, text: nil, finish: finish)])
        if choice.text == "", choice.scores?.isEmpty ?? true { return [end] }
        choice.finish = nil
        return [chunk([choice]), end]
    }

    func last(_ tokens: Int) -> [ChatObject] {
        guard asked.settings.tellsUsage else { return [] }
        return [chunk([], Usage(promptTokens: promptTokens, completionTokens: tokens))]
    }

    private func chunk(_ choices: [ChatObject.Choice], _ usage: Usage? = nil) -> ChatObject {
        ChatObject(identity, "chat.completion.chunk", choices, usage)
    }

    private func choice(_ event: AnswerEvent) -> ChatObject.Choice? {
        switch event {
        case .prompt: nil
        case .part(let index, let part): .init(index: index, text: part.text, scores: scores(part))
        case .end(let index, let part, let finish, _):
            .init(index: index, text: part.text, scores: scores(part), finish: finish.rawValue)
        }
    }

    /// The tokens of the answer's text; the one that ended it is none of them.
    private func scores(_ part: AnswerPart) -> [ChatObject.Score]? {
        guard asked.topCount != nil else { return nil }
        return part.tokens.filter(\.isText).map { token in
            ChatObject.Score(
                candidate(token.scored.token, token.scored.logProbability ?? 0),
                top: token.scored.top.map { candidate($0.token, $0.logProbability) })
        }
    }

    private func candidate(_ token: Int32, _ number: Float) -> ChatObject.Candidate {
        ChatObject.Candidate(
            token: names.name(token), logprob: number, bytes: names.tokenizer.bytes(of: token) ?? [])
    }
}

/// The body of an answer, and each chunk of a streamed one.
struct ChatObject: Encodable {
    struct Choice: Encodable {
        let index: Int
        /// Nil in a chunk that adds none.
        var text: String?
        /// Whether it is a whole answer, and no chunk.
        var isWhole = false
        /// Whether a chunk says who speaks: the first one.
        var tellsRole = false
        var scores: [Score]?
        var finish: String?

        private enum Keys: String, CodingKey {
            case index, message, delta, logprobs
            case finish = "finish_reason"
        }
        private enum MessageKeys: String, CodingKey { case role, content }
        private enum ScoreKeys: String, CodingKey { case content }

        func encode(to encoder: any Encoder) throws {
            var fields = encoder.container(keyedBy: Keys.self)
            try fields.encode(index, forKey: .index)
            try fields.encode(finish, forKey: .finish)
            var message = fields.nestedContainer(
                keyedBy: MessageKeys.self, forKey: isWhole ? .message : .delta)
            if isWhole || tellsRole { try message.encode("assistant", forKey: .role) }
            try message.encodeIfPresent(text, forKey: .content)
            guard let scores else { return try fields.encodeNil(forKey: .logprobs) }
            var content = fields.nestedContainer(keyedBy: ScoreKeys.self, forKey: .logprobs)
            try content.encode(scores, forKey: .content)
        }
    }

    /// A token that might stand at a place.
    struct Candidate: Encodable {
        let token: String
        let logprob: Float
        let bytes: [UInt8]
    }

    /// The token that stands there.
    struct Score: Encodable {
        let token: String
        let logprob: Float
        let bytes: [UInt8]
        let top: [Candidate]

        init(_ own: Candidate, top: [Candidate]) {
            (token, logprob, bytes) = (own.token, own.logprob, own.bytes)
            self.top = top
        }

        private enum CodingKeys: String, CodingKey {
            case token, logprob, bytes
            case top = "top_logprobs"
        }
    }

    let id, object, model, fingerprint: String
    let created: Int
    let choices: [Choice]
    let usage: Usage?

    init(_ identity: AnswerIdentity, _ object: String, _ choices: [Choice], _ usage: Usage?) {
        id = identity.id
        self.object = object
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
