public import Foundation
internal import PawlCore

/// A prompt with an expert response: what a skill is learned from.
///
/// Both conventions of the ecosystem are read, `{"prompt","completion"}` and `{"messages":[…]}` whose last
/// assistant turn is the response; here they are one. Other members of a record are ignored, since public
/// data sets carry columns of their own.
public struct Demonstration: Codable, Sendable, Hashable {
    /// The name of the record: its own, or `line-N` where it has none.
    public var id: String
    /// The conversation up to the response; ends with a user turn.
    public var messages: [Message]
    /// The expert's response.
    public var completion: String
    /// The text that the response rests on, for knowledge injection.
    public var document: String?
    /// What the user said after the response. Then the response is the model's own of that time, right or wrong,
    /// and no expert's: only the teacher context `hindsight` can learn from it.
    public var followup: String?
    /// Responses that are right, where they are known. The probe judges by them; nothing is trained on them.
    public var targets: [String]

    /// Makes a demonstration.
    public init(
        id: String, messages: [Message], completion: String, document: String? = nil, followup: String? = nil,
        targets: [String] = []
    ) {
        self.id = id
        self.messages = messages
        self.completion = completion
        self.document = document
        self.followup = followup
        self.targets = targets
    }

    private enum CodingKeys: String, CodingKey {
        case id, prompt, completion, messages, document, followup, targets
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decodeIfPresent(String.self, forKey: .id) ?? ""
        document = try container.decodeIfPresent(String.self, forKey: .document)
        followup = try container.decodeIfPresent(String.self, forKey: .followup)
        guard followup != "" else { throw decoder.failure(CodingKeys.followup, "must not be empty") }
        // Public data sets have columns of this name too; here it means something beside a follow-up only.
        targets = followup == nil ? [] : try container.decodeIfPresent([String].self, forKey: .targets) ?? []
        guard !targets.contains("") else {
            throw decoder.failure(CodingKeys.targets, "a target must not be empty")
        }
        if container.contains(.messages) {
            guard !container.contains(.prompt), !container.contains(.completion) else {
                throw decoder.failure(CodingKeys.messages, "give either messages, or prompt and completion")
            }
            messages = try container.decode([Message].self, forKey: .messages)
            if let problem = messages.problem(endingWith: .assistant) {
                throw decoder.failure(CodingKeys.messages, problem)
            }
            completion = messages.removeLast().content
            if let problem = messages.problem(endingWith: .user) {
                throw decoder.failure(CodingKeys.messages, "before the response, \(problem)")
            }
        } else {
            let prompt = try container.decode(String.self, forKey: .prompt)
            guard !prompt.isEmpty else { throw decoder.failure(CodingKeys.prompt, "must not be empty") }
            messages = [Message(.user, prompt)]
            completion = try container.decode(String.self, forKey: .completion)
        }
        guard !completion.isEmpty else {
            let key: CodingKeys = container.contains(.messages) ? .messages : .completion
            throw decoder.failure(key, "the response must not be empty")
        }
    }

    /// Writes the `messages` convention.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(messages + [Message(.assistant, completion)], forKey: .messages)
        try container.encodeIfPresent(document, forKey: .document)
        try container.encodeIfPresent(followup, forKey: .followup)
        if !targets.isEmpty { try container.encode(targets, forKey: .targets) }
    }

    /// Reads JSONL. Errors name `source`, the line and the field.
    public static func read(_ bytes: [UInt8], source: String) throws -> [Demonstration] {
        var seen: [String: Int] = [:]
        let records = try StrictJSON.decodeLines(Demonstration.self, from: bytes, source: source)
        guard !records.isEmpty else {
            throw PawlError(.invalidArgument, "\(source): there is no demonstration in it")
        }
        return try records.map { line, record in
            var record = record
            if record.id.isEmpty { record.id = "line-\(line)" }
            if let first = seen.updateValue(line, forKey: record.id) {
                throw StrictJSON.error(
                    source, line: line, field: "id", "\"\(record.id)\" is the id of line \(first) too")
            }
            return record
        }
    }

    /// Reads a JSONL file.
    public static func load(_ url: URL) throws -> [Demonstration] {
        try read(Files.read(url), source: url.path)
    }
}
