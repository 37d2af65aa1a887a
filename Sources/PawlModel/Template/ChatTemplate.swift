internal import Foundation
public import PawlCore

/// A model's chat template: turns a conversation into the text that the model was trained on.
///
/// The language is the part of Jinja that chat templates of Hugging Face use, with the meaning that it has
/// in transformers. An unknown construct is an error that names it, never silently empty text.
public struct ChatTemplate: Sendable {
    /// What a template is rendered with.
    public struct Input: Sendable {
        /// The conversation.
        public var messages: [ChatMessage]
        /// An array of tool definitions (JSON schemas); nil is `none` in the template.
        public var tools: OrderedJSON?
        /// Whether the text ends where the assistant begins to speak.
        public var addGenerationPrompt: Bool
        /// Further variables: `bos_token`, `eos_token`, `enable_thinking`, ...
        public var context: [String: OrderedJSON]
        /// What `strftime_now` takes for the present. A training that must repeat fixes it.
        public var now: Timestamp

        public init(
            _ messages: [ChatMessage], tools: OrderedJSON? = nil, addGenerationPrompt: Bool = false,
            context: [String: OrderedJSON] = [:], now: Timestamp = .now
        ) {
            self.messages = messages
            self.tools = tools
            self.addGenerationPrompt = addGenerationPrompt
            self.context = context
            self.now = now
        }
    }

    /// The template's text.
    public let source: String
    /// Where it came from, for errors.
    public let file: String
    private let statements: [Jinja.Statement]

    /// Parses a template. Errors name `file` and the line: `invalid_argument` for a mistake, `unsupported` for
    /// something of Jinja that chat templates do not use.
    public init(source: String, file: String) throws {
        self.source = source
        self.file = file
        do {
            statements = try Jinja.Parser.parse(source)
        } catch let failure as Jinja.Failure {
            throw failure.error(file: file)
        }
    }

    /// Renders a conversation. The members of `tools` come in the order of their names; to keep the order in
    /// which they were written, use ``render(_:)``.
    public func render(
        _ messages: [ChatMessage], tools: JSONValue?, addGenerationPrompt: Bool, context: [String: JSONValue]
    ) throws -> String {
        try render(
            Input(
                messages, tools: tools.map(OrderedJSON.init), addGenerationPrompt: addGenerationPrompt,
                context: context.mapValues(OrderedJSON.init)))
    }

    /// Renders a conversation.
    ///
    /// Throws `invalid_argument` with the template's own message when it calls `raise_exception`, when it uses
    /// a value in a way that Python refuses, or when it needs more than the limits on steps, loops and text.
    public func render(_ input: Input) throws -> String { try render(input, limits: Jinja.Limits()) }

    func render(_ input: Input, limits: Jinja.Limits) throws -> String {
        do {
            var context = try input.context.mapValues(Jinja.Value.init)
            context["documents"] = context["documents"] ?? Jinja.Value.none
            context["messages"] = try .list(
                input.messages.map { try Jinja.Value(.object($0.templateMembers)) })
            context["tools"] = try input.tools.map(Jinja.Value.init) ?? Jinja.Value.none
            context["add_generation_prompt"] = .bool(input.addGenerationPrompt)
            let interpreter = Jinja.Interpreter(context: context, now: input.now.date, limits: limits)
            return try interpreter.render(statements)
        } catch let failure as Jinja.Failure {
            throw failure.error(file: file)
        }
    }
}

extension Jinja.Value {
    init(_ value: OrderedJSON) throws {
        switch value {
        case .null: self = .none
        case .bool(let flag): self = .bool(flag)
        case .int(let number): self = .int(Int(number))
        case .double(let number): self = .float(number)
        case .string(let text): self = .string(text)
        case .array(let elements): self = try .list(elements.map(Self.init))
        case .object(let members):
            var mapping = Jinja.Mapping()
            for member in members { try mapping.set(.string(member.name), Self(member.value)) }
            self = .dict(mapping)
        }
    }
}
