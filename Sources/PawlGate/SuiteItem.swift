public import PawlCore

/// One question of a suite with what counts as a right answer.
public struct SuiteItem: Decodable, Sendable, Hashable {
    /// The name of the item, unique in its suite.
    public let id: String
    /// What the model is asked.
    public let input: PromptInput
    /// Texts that count as right; empty for a multiple choice, or where a pattern alone decides.
    public let targets: [String]
    /// The choices of a multiple choice; else empty.
    public let choices: [String]
    /// Index of the right choice.
    public let answer: Int?
    /// What the item belongs together with: a passage, a template, a way of asking.
    public let cluster: String?
    /// The harness's own name of the item (lm-eval: the hash of the document); only where an engine scores.
    public let document: String?
    /// SHA-256 of the content: prompt or messages, choices with the answer, targets, document. By it items are paired.
    public let digest: Digest

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case id, prompt, messages, target, targets, choices, answer, cluster, document
    }

    public init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(String.self, forKey: .id)
        guard !id.isEmpty else { throw decoder.failure(CodingKeys.id, "must not be empty") }
        input = try PromptInput(from: decoder)
        cluster = try container.decodeIfPresent(String.self, forKey: .cluster)
        guard cluster != "" else { throw decoder.failure(CodingKeys.cluster, "must not be empty") }
        targets = try Self.targets(decoder, container)
        (choices, answer) = try Self.choices(decoder, container)
        document = try container.decodeIfPresent(String.self, forKey: .document)
        guard document != "" else { throw decoder.failure(CodingKeys.document, "must not be empty") }
        digest = try Content(
            input: input, targets: targets, choices: choices, answer: answer, document: document
        ).digest
    }

    private static func targets(
        _ decoder: any Decoder, _ container: KeyedDecodingContainer<CodingKeys>
    ) throws -> [String] {
        if container.contains(.target) {
            guard !container.contains(.targets) else {
                throw decoder.failure(CodingKeys.targets, "give either target or targets")
            }
            return [try container.decode(String.self, forKey: .target)]
        }
        let targets = try container.decodeIfPresent([String].self, forKey: .targets)
        guard targets != [] else {
            throw decoder.failure(CodingKeys.targets, "must hold at least one target")
        }
        return targets ?? []
    }

    /// The choices with the index of the right one; none for an item that has a target.
    private static func choices(
        _ decoder: any Decoder, _ container: KeyedDecodingContainer<CodingKeys>
    ) throws -> ([String], Int?) {
        guard container.contains(.choices) else {
            guard !container.contains(.answer) else {
                throw decoder.failure(CodingKeys.answer, "there are no choices that it could be the index of")
            }
            return ([], nil)
        }
        let choices = try container.decode([String].self, forKey: .choices)
        guard !container.contains(.target), !container.contains(.targets) else {
            throw decoder.failure(CodingKeys.choices, "give either a target, or choices and answer")
        }
        guard choices.count >= 2 else {
            throw decoder.failure(
                CodingKeys.choices, "\(choices.count) choices are too few; give at least two")
        }
        guard !choices.contains("") else {
            throw decoder.failure(CodingKeys.choices, "a choice must not be empty")
        }
        guard Set(choices).count == choices.count else {
            throw decoder.failure(CodingKeys.choices, "two choices are the same")
        }
        guard let index = try container.integerIfPresent(.answer) else {
            throw decoder.failure(CodingKeys.answer, "is missing")
        }
        guard choices.indices.contains(index) else {
            throw decoder.failure(
                CodingKeys.answer,
                "\(index) is not the index of one of the \(choices.count) choices (0...\(choices.count - 1))")
        }
        return (choices, index)
    }

    /// The member that holds the question, for errors.
    var inputField: String {
        if case .text = input { "prompt" } else { "messages" }
    }

    private struct Content: Encodable {
        let input: PromptInput
        let targets: [String]
        let choices: [String]
        let answer: Int?
        let document: String?

        var digest: Digest { get throws { Digest(of: try JSON.canonical(self)) } }
    }
}
