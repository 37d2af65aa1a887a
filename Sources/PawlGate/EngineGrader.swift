public import PawlCore

/// An evaluator plug-in scores the items itself, by a task of an evaluation harness (docs/gate.md, "Tasks of a harness").
///
/// The gate knows nothing of the harness: it hands the task on, holds the scores to the frozen list of items, and pairs
/// them by content.
public struct EngineGrader: Codable, Sendable, Hashable {
    /// Name of the engine that answers and scores the suite, whatever engine the other suites are measured by.
    public let engine: String
    /// True when every score is 0 or 1; the metric accuracy needs that.
    public let isBinary: Bool
    /// Files of the task, in the folder of the manifest. Their bytes are part of the suite's digest.
    public let files: [String]
    /// The task, in the words of the engine: an object.
    public let task: JSONValue

    private enum CodingKeys: String, CodingKey { case engine, isBinary = "binary", files, task }

    private enum Keys: String, CodingKey, CaseIterable {
        case kind, engine, isBinary = "binary", files, task
    }

    init(checking decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(Keys.self)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        engine = try container.decode(String.self, forKey: .engine)
        try decoder.checkName(engine, CodingKeys.engine)
        isBinary = try container.decodeIfPresent(Bool.self, forKey: .isBinary) ?? true
        files = try container.decodeIfPresent([String].self, forKey: .files) ?? []
        for file in files { try decoder.checkFile(file, CodingKeys.files) }
        guard Set(files).count == files.count else {
            throw decoder.failure(CodingKeys.files, "a file is named twice")
        }
        task = try container.decode(JSONValue.self, forKey: .task)
        guard task.object != nil else {
            throw decoder.failure(CodingKeys.task, "must be an object that names a task of \(engine)")
        }
    }

    /// What is wrong with a score that the engine gave; nil when it may be used.
    func problem(with score: EngineScore) -> String? {
        for (name, value) in [("score", score.score), ("blind", score.blind)] {
            guard 0...1 ~= value else { return "\(name) \(value) is not in 0...1" }
            guard !isBinary || value == 0 || value == 1 else {
                return "\(name) \(value) is neither 0 nor 1, but the suite's grader is binary"
            }
        }
        return nil
    }
}

/// What an evaluator plug-in says of one item.
public struct EngineScore: Sendable, Hashable {
    /// The score, 0...1.
    public let score: Double
    /// What an answer would have scored that was given without reading the question, 0...1: the canary's damage.
    public let blind: Double
    /// The answer, for people.
    public let response: String
    /// SHA-256 of what the model was shown, as the engine says. Two checkpoints are compared on an item only if it is equal.
    public let prompt: Digest

    /// Makes a score.
    public init(score: Double, blind: Double, response: String, prompt: Digest) {
        self.score = score
        self.blind = blind
        self.response = response
        self.prompt = prompt
    }
}

/// A file of a suite beside its manifest and its items.
public struct SuiteFile: Sendable, Hashable {
    /// Path in the folder of the manifest.
    public let name: String
    /// The bytes.
    public let bytes: [UInt8]

    /// Makes a file.
    public init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }
}
