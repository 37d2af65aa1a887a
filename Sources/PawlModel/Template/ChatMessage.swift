public import PawlCore

/// One message of a conversation, with all members that a chat template may read.
public struct ChatMessage: Sendable, Hashable {
    /// The members in the order in which a template prints them: `role`, `content`, `tool_calls`, ...
    public var members: [OrderedJSON.Member]

    /// A message of text. `nil` content leaves the member out, as messages that only call tools may.
    ///
    /// - Parameters:
    ///   - toolCalls: an array of `{"type": "function", "function": {"name", "arguments"}}`.
    ///   - others: further members, such as `name`, `tool_call_id` or `reasoning_content`, in order of names.
    public init(
        role: String, content: String?, toolCalls: JSONValue? = nil, others: [String: JSONValue] = [:]
    ) {
        members = [.init("role", .string(role))]
        if let content { members.append(.init("content", .string(content))) }
        if let toolCalls { members.append(.init("tool_calls", OrderedJSON(toolCalls))) }
        if case .object(let more) = OrderedJSON(.object(others)) { members += more }
    }

    /// A message as JSON, such as a line of a conversation file; the order of its members is kept.
    public init(_ message: OrderedJSON) throws {
        guard case .object(let members) = message, message["role"]?.string != nil else {
            throw PawlError(.invalidArgument, "a message must be an object with the string \"role\"")
        }
        self.members = members
    }

    /// Who speaks; empty when the member was removed.
    public var role: String { self["role"]?.string ?? "" }

    /// The text, if the content is one.
    public var content: String? { self["content"]?.string }

    /// A member by name.
    public subscript(name: String) -> OrderedJSON? { OrderedJSON.object(members)[name] }

    /// The members as transformers hands them to a template: reasoning stands under each name in use for it.
    var templateMembers: [OrderedJSON.Member] {
        let names = ["reasoning_content", "thinking", "reasoning"]
        let reasoning = names.lazy.compactMap { self[$0] }.first { $0 != .null }
        guard let reasoning else { return members }
        var all = members
        if self["thinking"] == nil { all.insert(.init("thinking", reasoning), at: 0) }
        if let place = all.firstIndex(where: { $0.name == "reasoning_content" }) {
            all[place].value = reasoning
        } else {
            all.append(.init("reasoning_content", reasoning))
        }
        return all
    }
}
