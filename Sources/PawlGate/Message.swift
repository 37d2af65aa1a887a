/// One turn of a conversation.
public struct Message: Codable, Sendable, Hashable {
    /// Who speaks.
    public enum Role: String, Codable, Sendable, CaseIterable {
        case system, user, assistant
    }

    /// Who speaks.
    public var role: Role
    /// What is said.
    public var content: String

    /// Makes a turn.
    public init(_ role: Role, _ content: String) {
        self.role = role
        self.content = content
    }

    private enum CodingKeys: String, CodingKey, CaseIterable { case role, content }

    public init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let text = try container.decode(String.self, forKey: .role)
        guard let role = Role(rawValue: text) else {
            throw decoder.failure(CodingKeys.role, "\"\(text)\" is not system, user or assistant")
        }
        self.role = role
        content = try container.decode(String.self, forKey: .content)
    }
}

extension [Message] {
    /// What is wrong with this conversation; nil when it may be used.
    ///
    /// A system turn stands first or nowhere, and the last turn is of `last`: a prompt ends with a user
    /// turn, a demonstration with the assistant's.
    func problem(endingWith last: Message.Role) -> String? {
        if isEmpty { return "must hold at least one message" }
        if let index = dropFirst().firstIndex(where: { $0.role == .system }) {
            return "message \(index) has the role system, which is allowed for the first message only"
        }
        if self.last?.role != last { return "the last message must have the role \(last.rawValue)" }
        if last == .assistant, !contains(where: { $0.role == .user }) {
            return "there is no user message before the response"
        }
        return nil
    }
}
