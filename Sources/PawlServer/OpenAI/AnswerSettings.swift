internal import PawlCore
internal import PawlModel
internal import PawlWorkflow

/// What requests of both kinds say about an answer.
struct AnswerSettings {
    let model: String
    let choices: Int
    /// Longest answer; nil where the request names none.
    let maxTokens: Int?
    let sampling: Sampling
    let seed: Int
    let stops: [String]
    let stopTokens: [Int32]
    let isStreamed: Bool
    /// Whether a streamed answer ends with its usage.
    let tellsUsage: Bool

    /// - Parameter lengths: members that name the longest answer, the one that counts first.
    init(_ fields: RequestFields, lengths: [String]) throws {
        model = try fields.requiredString("model")
        choices = try fields.integer("n", in: 1...128) ?? 1
        maxTokens = try lengths.compactMap { try fields.integer($0, in: 0...(1 << 24)) }.first
        sampling = try Self.sampling(fields)
        // As an answer to a request without a seed is not to be had again, any will do.
        seed = try fields.integer("seed") ?? Int.random(in: 0..<(1 << 53))
        stops = try Self.stops(fields)
        stopTokens =
            try fields["stop_token_ids"].map {
                guard let tokens = try RequestFields.tokens($0, "stop_token_ids") ?? ($0 == [] ? [] : nil)
                else {
                    throw OpenAIError.invalid("stop_token_ids", "must be a list of token ids")
                }
                return tokens
            } ?? []
        isStreamed = try fields.flag("stream") ?? false
        let options = fields["stream_options"]
        if options != nil, !isStreamed {
            throw OpenAIError.invalid("stream_options", "is only for an answer that is streamed")
        }
        guard options == nil || options?.object != nil else {
            throw OpenAIError.invalid("stream_options", "must be an object")
        }
        tellsUsage = options?["include_usage"]?.bool ?? false
        try Self.refuseOthers(fields)
    }

    private static func sampling(_ fields: RequestFields) throws -> Sampling {
        let temperature = try fields.number("temperature") ?? 1
        guard temperature >= 0, temperature.isFinite else {
            throw OpenAIError.invalid("temperature", "\(temperature) is not 0 or more")
        }
        let topP = try fields.number("top_p") ?? 1
        guard topP > 0, topP <= 1 else {
            throw OpenAIError.invalid("top_p", "\(topP) is not above 0 and at most 1")
        }
        // vLLM's extension; -1 is its way to say all.
        let topK = try fields.integer("top_k", in: -1...Int.max) ?? 0
        return Sampling(temperature: temperature, topP: topP, topK: max(topK, 0))
    }

    private static func stops(_ fields: RequestFields) throws -> [String] {
        guard let value = fields["stop"] else { return [] }
        let texts = value.string.map { [$0] } ?? value.array?.compactMap(\.string)
        guard let texts, texts.count == value.array?.count ?? 1 else {
            throw OpenAIError.invalid("stop", "must be a string or a list of strings")
        }
        guard texts.count <= 64 else { throw OpenAIError.invalid("stop", "has more than 64 texts") }
        guard !texts.contains("") else { throw OpenAIError.invalid("stop", "an empty text ends nothing") }
        return texts
    }

    private static func refuseOthers(_ fields: RequestFields) throws {
        try fields.refuse(["frequency_penalty", "presence_penalty", "min_p", "min_tokens"]) { $0.double == 0 }
        try fields.refuse(["repetition_penalty", "length_penalty"]) { $0.double == 1 }
        try fields.refuse(["use_beam_search", "ignore_eos"]) { $0 == false }
        try fields.refuse(["logit_bias"]) { $0 == .object([:]) }
    }

    /// The request for a model, with prompts of tokens.
    ///
    /// - Parameter source: the member that the prompts come from, for errors.
    func request(
        _ prompts: [[Int32]], _ model: ServedModel, standard: Int, source: String, topCount: Int?,
        scoresPrompts: Bool = false
    ) throws -> AnswerRequest {
        let longest = prompts.map(\.count).max() ?? 0
        guard prompts.allSatisfy({ !$0.isEmpty }) else { throw OpenAIError.invalid(source, "has no tokens") }
        let v = model.configuration.vocabularySize
        if let token = prompts.joined().first(where: { !(0..<v).contains(Int($0)) }) {
            throw OpenAIError.invalid(source, "token \(token) lies outside the model's vocabulary of \(v)")
        }
        // The last token of an answer is not run.
        let room = model.context + 1 - longest
        let length = maxTokens ?? min(standard, room)
        guard length <= room, room > 0 else {
            let asked = maxTokens.map { ", and an answer of up to \($0) is asked for" } ?? ""
            throw OpenAIError(
                400, "the model takes \(model.context) tokens; \(source) has \(longest)\(asked)",
                parameter: source, code: "context_length_exceeded")
        }
        // A special token is no text, so as a stop text it would never be found.
        let tokenizer = model.chat.tokenizer
        let special = stops.compactMap(tokenizer.token).filter(tokenizer.isSpecial)
        return AnswerRequest(
            prompts: prompts, choices: choices, maxTokens: length, sampling: sampling, seed: seed,
            stops: stops,
            stopTokens: stopTokens + special, topCount: topCount, scoresPrompts: scoresPrompts)
    }
}

/// Tokens that a request took.
struct Usage: Encodable {
    let promptTokens: Int
    let completionTokens: Int
    var totalTokens: Int { promptTokens + completionTokens }

    private enum Keys: String, CodingKey {
        case promptTokens = "prompt_tokens"
        case completionTokens = "completion_tokens"
        case totalTokens = "total_tokens"
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Keys.self)
        try fields.encode(promptTokens, forKey: .promptTokens)
        try fields.encode(completionTokens, forKey: .completionTokens)
        try fields.encode(totalTokens, forKey: .totalTokens)
    }
}
