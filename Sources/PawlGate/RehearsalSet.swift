public import Foundation
public import PawlCore

/// A set of general prompts that hold the student where it is while a skill pulls on it.
///
/// A folder with `rehearsal.json` and its prompts, as JSONL of `{"id","prompt"|"messages"}`.
public struct RehearsalSet: Sendable, Hashable {
    /// One prompt.
    public struct Prompt: Sendable, Hashable {
        /// The name of the record, unique in the set.
        public var id: String
        /// The conversation; ends with a user turn.
        public var messages: [Message]

        /// Makes a prompt.
        public init(id: String, messages: [Message]) {
            self.id = id
            self.messages = messages
        }
    }

    /// Name of the set.
    public let name: String
    /// Version of the set.
    public let version: String
    /// What it is, in a sentence.
    public let description: String
    /// The licence of the prompts.
    public let licence: String?
    /// Where the prompts come from.
    public let source: String?
    /// The prompts in the order of the file.
    public let prompts: [Prompt]
    /// SHA-256 of canonical `rehearsal.json`, a line feed, and the bytes of the prompts.
    public let digest: Digest

    /// Reads a folder with `rehearsal.json`.
    public init(loading folder: URL) throws {
        let file = folder.appending(path: "rehearsal.json")
        let (manifest, bytes) = try StrictJSON.load(Manifest.self, at: file)
        let promptsFile = folder.appending(path: manifest.prompts)
        let promptBytes = try Files.read(promptsFile)
        name = manifest.name
        version = manifest.version
        description = manifest.description
        licence = manifest.licence
        source = manifest.source
        prompts = try Self.read(promptBytes, source: promptsFile.path)
        digest = Digest(of: try JSON.canonical(JSON.parse(bytes, source: file.path)) + [0x0A] + promptBytes)
    }

    private static func read(_ bytes: [UInt8], source: String) throws -> [Prompt] {
        let records = try StrictJSON.decodeLines(Record.self, from: bytes, source: source)
        guard !records.isEmpty else {
            throw PawlError(.invalidArgument, "\(source): there is no prompt in it")
        }
        var seen: [String: Int] = [:]
        return try records.map { line, record in
            if let first = seen.updateValue(line, forKey: record.id) {
                throw StrictJSON.error(
                    source, line: line, field: "id", "\"\(record.id)\" is the id of line \(first) too")
            }
            return Prompt(id: record.id, messages: record.input.messages)
        }
    }

    private struct Record: Decodable {
        let id: String
        let input: PromptInput

        enum CodingKeys: String, CodingKey { case id }

        init(from decoder: any Decoder) throws {
            id = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .id)
            input = try PromptInput(from: decoder)
        }
    }

    private struct Manifest: Decodable {
        let name: String
        let version: String
        let description: String
        let prompts: String
        let licence: String?
        let source: String?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case name, version, description, prompts, licence, source
        }

        init(from decoder: any Decoder) throws {
            try decoder.refuseUnknownKeys(CodingKeys.self)
            let container = try decoder.container(keyedBy: CodingKeys.self)
            name = try container.decode(String.self, forKey: .name)
            try decoder.checkName(name, CodingKeys.name)
            version = try container.decode(String.self, forKey: .version)
            try decoder.checkVersion(version, CodingKeys.version)
            description = try container.decodeIfPresent(String.self, forKey: .description) ?? ""
            prompts = try container.decodeIfPresent(String.self, forKey: .prompts) ?? "prompts.jsonl"
            try decoder.checkFile(prompts, CodingKeys.prompts)
            licence = try container.decodeIfPresent(String.self, forKey: .licence)
            source = try container.decodeIfPresent(String.self, forKey: .source)
        }
    }
}

/// What a model is asked: one text, or a conversation that ends with a user turn.
public enum PromptInput: Codable, Sendable, Hashable {
    case text(String)
    case messages([Message])

    private enum CodingKeys: String, CodingKey { case prompt, messages }

    /// The conversation: a text is one user turn.
    public var messages: [Message] {
        switch self {
        case .text(let text): [Message(.user, text)]
        case .messages(let messages): messages
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if container.contains(.messages) {
            guard !container.contains(.prompt) else {
                throw decoder.failure(CodingKeys.messages, "give either prompt or messages, not both")
            }
            let messages = try container.decode([Message].self, forKey: .messages)
            if let problem = messages.problem(endingWith: .user) {
                throw decoder.failure(CodingKeys.messages, problem)
            }
            self = .messages(messages)
        } else {
            let text = try container.decode(String.self, forKey: .prompt)
            guard !text.isEmpty else { throw decoder.failure(CodingKeys.prompt, "must not be empty") }
            self = .text(text)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .text(let text): try container.encode(text, forKey: .prompt)
        case .messages(let messages): try container.encode(messages, forKey: .messages)
        }
    }
}
