internal import PawlCore

/// One line of a conversation log: `{"messages":[{"role","content"},…]}` with a consent flag somewhere in it.
struct LoggedConversation {
    /// Why a line or an exchange is not learned from.
    enum Problem: String, Error {
        case malformed
        case noConsent = "no_consent"
        case consentRefused = "consent_refused"
        case unsupportedMessage = "unsupported_message"
        case nothingFollows = "nothing_follows"
    }

    /// Line in the log, counted from 1.
    let line: Int
    let messages: [Message]

    /// Reads a line; throws a `Problem`. Members beside the messages and the consent are ignored.
    ///
    /// - Parameters:
    ///   - consent: names of members from the outermost to the flag.
    ///   - isAssumed: whether a line without the flag may be used; one whose flag is not true never is.
    init(_ line: JSON.Line, consent: [String], isAssumed: Bool) throws {
        guard let value = try? JSON.parse(line.bytes, source: "log", line: line.number), value.object != nil,
            let turns = value["messages"]?.array, !turns.isEmpty
        else { throw Problem.malformed }
        switch consent.reduce(value, { $0?[$1] }) {
        case .bool(true)?: break
        case nil, .null?: if !isAssumed { throw Problem.noConsent }
        default: throw Problem.consentRefused
        }
        self.line = line.number
        messages = try turns.map(Self.message)
        guard messages.dropFirst().allSatisfy({ $0.role != .system }) else {
            throw Problem.unsupportedMessage
        }
    }

    /// A turn of text; tool calls, images and other roles are not supported.
    private static func message(_ value: JSONValue) throws -> Message {
        guard let name = value["role"]?.string, let content = value["content"]?.string, !content.isEmpty,
            let role = Message.Role(rawValue: name)
        else { throw Problem.unsupportedMessage }
        return Message(role, content)
    }

    /// A response with what the user said to it.
    struct Exchange {
        /// The conversation up to the response; ends with a user turn.
        let prompt: [Message]
        let response: String
        let followup: String
        let reaction: Reaction
        /// A response that the user took as right: this one, or the next one after a correction.
        let right: String?
        /// Index of the response among the turns.
        let turn: Int
    }

    /// Every response that a user turn follows.
    var exchanges: [Exchange] {
        messages.indices.compactMap { index in
            guard messages[index].role == .assistant, index > 0, messages[index - 1].role == .user,
                let followup = turn(index + 1, .user)
            else { return nil }
            let reaction = Reaction(followup)
            return Exchange(
                prompt: Array(messages[..<index]), response: messages[index].content, followup: followup,
                reaction: reaction, right: right(index, reaction), turn: index)
        }
    }

    private func right(_ index: Int, _ reaction: Reaction) -> String? {
        switch reaction {
        case .confirmation: return messages[index].content
        case .correction:
            guard let revision = turn(index + 2, .assistant), let answer = turn(index + 3, .user),
                Reaction(answer) == .confirmation
            else { return nil }
            return revision
        case .other: return nil
        }
    }

    private func turn(_ index: Int, _ role: Message.Role) -> String? {
        messages.indices.contains(index) && messages[index].role == role ? messages[index].content : nil
    }
}
