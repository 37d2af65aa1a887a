internal import PawlCore
internal import PawlModel
internal import PawlRegistry
internal import PawlWorkflow

/// What evaluation harnesses ask a server's tokenizer. A request that names no model asks `main`'s.
extension OpenAI {
    private struct Tokens: Encodable {
        let count: Int
        let context: Int
        let tokens: [Int32]
        let texts: [String]?

        private enum CodingKeys: String, CodingKey {
            case count, tokens
            case context = "max_model_len"
            case texts = "token_strs"
        }
    }

    /// `POST /tokenize`: a text's tokens, or a conversation's up to the opening of the answer.
    func tokenize(_ fields: RequestFields) async throws -> Reply {
        let model = try await model(fields.string("model") ?? Reference.main)
        let tokens: [Int32]
        if fields["messages"] != nil {
            try fields.refuse(["add_generation_prompt"]) { $0 == true }
            let messages = try ChatRequest.messages(fields)
            do {
                tokens = try model.chat.promptTokens(messages)
            } catch let error as PawlError {
                throw OpenAIError.invalid("messages", error.message)
            }
        } else {
            let text = try fields.requiredString("prompt")
            let isWhole = try fields.flag("add_special_tokens") ?? true
            tokens = isWhole ? model.chat.rawTokens(text) : model.chat.textTokens(text)
        }
        let names = TokenText(tokenizer: model.chat.tokenizer)
        let texts = try fields.flag("return_token_strs") ?? false ? tokens.map(names.name) : nil
        return try Self.json(
            Tokens(count: tokens.count, context: model.context, tokens: tokens, texts: texts))
    }

    /// `POST /detokenize`: the text of tokens, special ones included.
    func detokenize(_ fields: RequestFields) async throws -> Reply {
        let model = try await model(fields.string("model") ?? Reference.main)
        let list = fields["tokens"]
        guard let list, let tokens = try RequestFields.tokens(list, "tokens") ?? (list == [] ? [] : nil)
        else {
            throw OpenAIError.invalid("tokens", "must be a list of token ids")
        }
        return try Self.json(["prompt": model.chat.tokenizer.decode(tokens, skipSpecialTokens: false)])
    }

    /// `GET /tokenizer_info`: the special tokens by their parts, the chat template, the longest text.
    func tokenizerInfo(_ name: String?) async throws -> Reply {
        let model = try await model(name ?? Reference.main)
        var info = model.chat.specialTokens.mapValues(JSONValue.string)
        if info["eos_token"] == nil, let end = model.chat.endTokens.first {
            info["eos_token"] = .string(TokenText(tokenizer: model.chat.tokenizer).name(end))
        }
        info["chat_template"] = model.chat.templateSource.map(JSONValue.string)
        info["model_max_length"] = .int(Int64(model.context))
        return try Self.json(JSONValue.object(info))
    }
}
