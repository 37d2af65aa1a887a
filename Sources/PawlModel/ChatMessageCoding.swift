internal import PawlCore

/// Messages as they stand in training records and suites: `role`, `content`, and what a template may read beside them.
extension ChatMessage: Decodable {
    public init(from decoder: any Decoder) throws {
        guard case .object(var members) = try JSONValue(from: decoder), let role = members["role"]?.string
        else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "must be an object with the string \"role\""))
        }
        let content = members["content"]
        guard content == nil || content == .null || content?.string != nil else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "its \"content\" must be a string"))
        }
        let calls = members["tool_calls"]
        for known in ["role", "content", "tool_calls"] { members[known] = nil }
        self.init(role: role, content: content?.string, toolCalls: calls, others: members)
    }
}
