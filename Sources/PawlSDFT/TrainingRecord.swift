internal import PawlCore
public import PawlModel

/// One prompt to train on: what the student sees and what the teacher sees, both complete.
public struct TrainingRecord: Sendable, Hashable, Decodable {
    /// What a record is for.
    public enum Role: String, Sendable, Decodable {
        /// Teaches: its teacher sees a demonstration.
        case skill
        /// Holds: its teacher sees what the student sees.
        case rehearsal
    }

    public let id: String
    public let role: Role
    /// The student's conversation, up to the question.
    public let prompt: [ChatMessage]
    /// The teacher's; the same as `prompt` where the file names none.
    public let teacher: [ChatMessage]
    /// The demonstration's answer.
    public let completion: String?

    private enum CodingKeys: String, CodingKey { case id, role, prompt, teacher, completion }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(String.self, forKey: .id)
        role = try container.decode(Role.self, forKey: .role)
        prompt = try container.decode([ChatMessage].self, forKey: .prompt)
        teacher = try container.decodeIfPresent([ChatMessage].self, forKey: .teacher) ?? prompt
        completion = try container.decodeIfPresent(String.self, forKey: .completion)
        for (key, messages) in [(CodingKeys.prompt, prompt), (.teacher, teacher)] {
            guard let last = messages.last, last.role != "assistant" else {
                throw DecodingError.dataCorruptedError(
                    forKey: key, in: container,
                    debugDescription: "must end with a message that the assistant answers")
            }
        }
    }

    /// Reads records (JSONL); an error names the file, the line and the field.
    public static func read(_ bytes: [UInt8], source: String) throws -> [TrainingRecord] {
        let records = try JSON.decodeLines(TrainingRecord.self, from: bytes, source: source)
        var seen: Set<String> = []
        for record in records where !seen.insert(record.id).inserted {
            throw PawlError(.invalidArgument, "\(source): the id \"\(record.id)\" occurs twice")
        }
        guard !records.isEmpty else {
            throw PawlError(.invalidArgument, "\(source): the file holds no records")
        }
        return records
    }
}
