public import Foundation
public import PawlCore
internal import PawlModel

/// One file of an engine's output, as the host found and hashed it.
public struct OutputFile: Sendable, Codable, Hashable {
    /// Path inside the output directory, with `/` between its parts.
    public var path: String
    /// SHA-256 of the bytes.
    public var sha256: Digest
    /// Number of bytes.
    public var size: Int64

    /// Makes an entry.
    public init(path: String, sha256: Digest, size: Int64) {
        self.path = path
        self.sha256 = sha256
        self.size = size
    }
}

/// Everything that passed between host and engine in one session: JSONL, kept as evidence.
public struct Transcript: Sendable, Codable, Hashable {
    /// JSONL bytes: `{"elapsed_ms":…,"from":"host"|"engine","message":{…}}`, or `"text"` for a line that was none.
    public var bytes: [UInt8]

    /// Wraps JSONL bytes.
    public init(bytes: [UInt8]) { self.bytes = bytes }

    public init(from decoder: any Decoder) throws {
        bytes = Array(try decoder.singleValueContainer().decode(String.self).utf8)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(decoding: bytes, as: UTF8.self))
    }
}

/// What a training made.
public struct TrainingResult: Sendable, Codable, Hashable {
    /// The new model directory, or the adapter's.
    @PathCoded public var output: URL
    /// Every file of it, hashed by the host, sorted by path.
    public var files: [OutputFile]
    /// What the engine says it ran on (libraries and their versions, device, threads).
    public var environment: [String: JSONValue]
    /// Totals of the training.
    public var metrics: [String: JSONValue]
    /// Who trained.
    public var engine: EngineDescription
    /// What was said; empty for an engine in process.
    public var transcript: Transcript

    /// Whether the output is an adapter (a low-rank update of the model that was trained) in place of a model.
    public var isAdapter: Bool { Adapter.isAdapter(files.map(\.path)) }

    /// Makes a result.
    public init(
        output: URL, files: [OutputFile], environment: [String: JSONValue], metrics: [String: JSONValue],
        engine: EngineDescription, transcript: Transcript
    ) {
        self._output = PathCoded(wrappedValue: output)
        self.files = files
        self.environment = environment
        self.metrics = metrics
        self.engine = engine
        self.transcript = transcript
    }
}

/// The answers to one suite.
public struct EvaluationResult: Sendable, Codable, Hashable {
    /// One answer for each item of the request, in the request's order.
    public var answers: [ItemAnswer]
    /// SHA-256 of the items file that the engine wrote.
    public var sha256: Digest
    /// What the engine says it ran on.
    public var environment: [String: JSONValue]
    /// Totals of the evaluation.
    public var metrics: [String: JSONValue]
    /// Who answered.
    public var engine: EngineDescription
    /// What was said; empty for an engine in process.
    public var transcript: Transcript

    /// Makes a result.
    public init(
        answers: [ItemAnswer], sha256: Digest, environment: [String: JSONValue],
        metrics: [String: JSONValue], engine: EngineDescription, transcript: Transcript
    ) {
        self.answers = answers
        self.sha256 = sha256
        self.environment = environment
        self.metrics = metrics
        self.engine = engine
        self.transcript = transcript
    }
}

/// What an engine answered to one item; one line of `items.jsonl`.
public struct ItemAnswer: Sendable, Codable, Hashable {
    /// Id of the item.
    public var id: String
    /// The answer.
    public var outcome: Outcome

    /// The kinds of answer.
    public enum Outcome: Sendable, Hashable {
        /// Generated text, how it ended, and its length in tokens.
        case generation(response: String, finish: Finish, tokens: Int)
        /// Log-likelihood and length in tokens of every choice, in the item's order.
        case choices(logLikelihoods: [Double], tokens: [Int])
        /// A score in 0...1 that the engine itself gave, what a blind answer would have scored, the answer for people, and
        /// the SHA-256 of what the model was shown; for items of a task (``EvaluationTask``).
        case score(Double, blind: Double, response: String, prompt: Digest)
        /// The item could not be answered; counts against the model.
        case failure(String)
    }

    /// How a generation ended.
    public enum Finish: String, Sendable, Codable, Hashable {
        /// By a stop string or the end-of-sequence token.
        case stop
        /// At the limit of tokens.
        case length
    }

    private enum CodingKeys: String, CodingKey {
        case id, response, finish, tokens, error, score, blind, prompt
        case logLikelihoods = "log_likelihoods"
    }

    /// Makes an answer.
    public init(id: String, _ outcome: Outcome) {
        self.id = id
        self.outcome = outcome
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        id = try fields.decode(String.self, forKey: .id)
        if fields.contains(.error) {
            outcome = .failure(try fields.decode(String.self, forKey: .error))
        } else if fields.contains(.logLikelihoods) {
            outcome = .choices(
                logLikelihoods: try fields.decode([Double].self, forKey: .logLikelihoods),
                tokens: try fields.decode([Int].self, forKey: .tokens))
        } else if fields.contains(.score) {
            outcome = .score(
                try fields.decode(Double.self, forKey: .score),
                blind: try fields.decode(Double.self, forKey: .blind),
                response: try fields.decode(String.self, forKey: .response),
                prompt: try fields.decode(Digest.self, forKey: .prompt))
        } else {
            outcome = .generation(
                response: try fields.decode(String.self, forKey: .response),
                finish: try fields.decode(Finish.self, forKey: .finish),
                tokens: try fields.decode(Int.self, forKey: .tokens))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(id, forKey: .id)
        switch outcome {
        case .generation(let response, let finish, let tokens):
            try fields.encode(response, forKey: .response)
            try fields.encode(finish, forKey: .finish)
            try fields.encode(tokens, forKey: .tokens)
        case .choices(let logLikelihoods, let tokens):
            try fields.encode(logLikelihoods, forKey: .logLikelihoods)
            try fields.encode(tokens, forKey: .tokens)
        case .score(let score, let blind, let response, let prompt):
            try fields.encode(score, forKey: .score)
            try fields.encode(blind, forKey: .blind)
            try fields.encode(response, forKey: .response)
            try fields.encode(prompt, forKey: .prompt)
        case .failure(let reason):
            try fields.encode(reason, forKey: .error)
        }
    }
}

extension TrainingResult {
    /// Re-hashes an output directory; fails unless it holds exactly the given files.
    ///
    /// - Parameter engine: name of the engine that wrote them, for the error.
    public static func check(_ output: URL, holds files: [OutputFile], of engine: String) throws {
        _ = try OutputCheck(engine: engine).files(in: output, listed: files)
    }
}
