public import Foundation
internal import PawlCore

/// From messages to tokens: a tokenizer, the model's own chat template, and the tokens that end an answer.
public struct Chat: Sendable {
    public let tokenizer: Tokenizer
    public let endTokens: [Int32]
    /// The chat template as the model's files have it.
    public let templateSource: String?
    private let template: ChatTemplate?
    private let context: [String: JSONValue]
    /// Where it was read, for errors.
    private let place: String

    /// Reads `tokenizer.json`, `tokenizer_config.json` and the chat template of a model directory.
    public init(directory: URL, configuration: ModelConfiguration) throws {
        try self.init(DirectoryFiles(directory: directory), configuration: configuration)
    }

    /// Reads the same files wherever a model lies.
    public init(_ files: some ModelFiles, configuration: ModelConfiguration) throws {
        place = files.description
        let (bytes, name) = try files.required("tokenizer.json")
        tokenizer = try Tokenizer(bytes: bytes, file: name)
        guard tokenizer.vocabularySize <= configuration.vocabularySize else {
            throw PawlError(
                .invalidArgument,
                "\(place): tokenizer.json has \(tokenizer.vocabularySize) tokens, config.json's vocab_size is \(configuration.vocabularySize)"
            )
        }
        let settings = try Self.settings(files)
        var context: [String: JSONValue] = [:]
        for (name, value) in settings where name.hasSuffix("_token") {
            if let text = value.string ?? value["content"]?.string { context[name] = .string(text) }
        }
        self.context = context
        (templateSource, template) = try Self.template(files, settings) ?? (nil, nil)
        var ends = configuration.endTokens
        if let end = context["eos_token"]?.string.flatMap(tokenizer.token), !ends.contains(end) {
            ends.append(end)
        }
        guard !ends.isEmpty else {
            throw PawlError(
                .invalidArgument,
                "\(place): no eos_token_id in generation_config.json or config.json")
        }
        endTokens = ends
    }

    private static func settings(_ files: some ModelFiles) throws -> [String: JSONValue] {
        let path = "tokenizer_config.json"
        guard let bytes = try files.file(path) else { return [:] }
        return try JSON.parse(bytes, source: files.name(of: path)).object ?? [:]
    }

    private static func template(_ files: some ModelFiles, _ settings: [String: JSONValue]) throws
        -> (String, ChatTemplate)?
    {
        let path = "chat_template.jinja"
        if let bytes = try files.file(path) {
            let source = String(decoding: bytes, as: UTF8.self)
            return (source, try ChatTemplate(source: source, file: files.name(of: path)))
        }
        guard let source = settings["chat_template"]?.string else { return nil }
        return (source, try ChatTemplate(source: source, file: files.name(of: "tokenizer_config.json")))
    }

    /// The tokens that the model's files give a part, by that part: `eos_token`, `bos_token`, ...
    public var specialTokens: [String: String] { context.compactMapValues(\.string) }

    private func render(_ messages: [ChatMessage], opening: Bool) throws -> String {
        guard let template else {
            throw PawlError(
                .invalidArgument, "\(place): the model has no chat template",
                hint: "use suites and skills whose template is raw")
        }
        return try template.render(messages, tools: nil, addGenerationPrompt: opening, context: context)
    }

    /// The conversation, up to and including the opening of the answer.
    public func promptTokens(_ messages: [ChatMessage]) throws -> [Int32] {
        tokenizer.encode(try render(messages, opening: true), addSpecialTokens: false)
    }

    /// A text as it is, with the special tokens that the tokenizer puts around any text.
    public func rawTokens(_ text: String) -> [Int32] { tokenizer.encode(text, addSpecialTokens: true) }

    /// A text that goes on after another.
    public func textTokens(_ text: String) -> [Int32] { tokenizer.encode(text, addSpecialTokens: false) }

    /// An answer as the template writes it, up to and including the token that ends it.
    public func completionTokens(_ messages: [ChatMessage], _ completion: String) throws -> [Int32] {
        let prompt = try render(messages, opening: true)
        let whole = try render(
            messages + [ChatMessage(role: "assistant", content: completion)], opening: false)
        if whole.utf8.starts(with: prompt.utf8) {
            let tokens = textTokens(String(decoding: whole.utf8.dropFirst(prompt.utf8.count), as: UTF8.self))
            if let end = tokens.firstIndex(where: endTokens.contains) { return Array(tokens[...end]) }
        }
        return textTokens(completion) + endTokens.prefix(1)
    }

    /// The text of an answer, without special tokens.
    public func text(_ tokens: [Int32]) -> String { tokenizer.decode(tokens, skipSpecialTokens: true) }
}
