public import Foundation
public import PawlCore
public import PawlModel

/// A local path that stands in JSON as plain text rather than as a `file:` URL.
@propertyWrapper
public struct PathCoded: Sendable, Codable, Hashable {
    /// The location.
    public var wrappedValue: URL

    /// Wraps a location.
    public init(wrappedValue: URL) { self.wrappedValue = wrappedValue }

    public init(from decoder: any Decoder) throws {
        wrappedValue = URL(filePath: try decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(wrappedValue.path)
    }
}

/// A model with the digest that names it.
public struct ModelInput: Sendable, Codable, Hashable {
    /// Where an engine finds a model.
    public enum Location: Sendable {
        /// A complete Hugging Face model directory; read only.
        case directory(URL)
        /// Something that hands the model out, for an engine in this process (``Engine/readsSources``).
        case source(any ModelSource)
    }

    /// Where it is.
    public var location: Location
    /// Digest of the checkpoint.
    public var digest: Digest

    private enum CodingKeys: String, CodingKey {
        case directory = "dir"
        case digest
    }

    /// Makes a reference to a model directory.
    public init(directory: URL, digest: Digest) {
        location = .directory(directory)
        self.digest = digest
    }

    /// Makes a reference to a model in this process.
    public init(source: any ModelSource, digest: Digest) {
        location = .source(source)
        self.digest = digest
    }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        location = .directory(try members.decode(PathCoded.self, forKey: .directory).wrappedValue)
        digest = try members.decode(Digest.self, forKey: .digest)
    }

    /// Fails for a model in this process, which no message can name.
    public func encode(to encoder: any Encoder) throws {
        guard case .directory(let directory) = location else {
            throw PawlError(.internalError, "a model in this process was to be named in a message")
        }
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(PathCoded(wrappedValue: directory), forKey: .directory)
        try members.encode(digest, forKey: .digest)
    }

    /// The same place and the same digest.
    public static func == (a: ModelInput, b: ModelInput) -> Bool {
        a.place == b.place && a.digest == b.digest
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(place)
        hasher.combine(digest)
    }

    private var place: String {
        switch location {
        case .directory(let directory): directory.path
        case .source(let source): source.description
        }
    }

    /// The model, for an engine in this process.
    func open() throws -> any ModelSource {
        switch location {
        case .directory(let directory): try SafetensorsDirectory(directory)
        case .source(let source): source
        }
    }
}

/// A file that the host wrote, with its digest, which the engine must check.
public struct FileInput: Sendable, Codable, Hashable {
    /// Where it is.
    @PathCoded public var path: URL
    /// SHA-256 of its bytes.
    public var sha256: Digest

    /// Makes a reference to a file.
    public init(path: URL, sha256: Digest) {
        self._path = PathCoded(wrappedValue: path)
        self.sha256 = sha256
    }
}

/// A training to do (message `train`).
public struct TrainingRequest: Sendable, Codable, Hashable {
    /// The model to start from.
    public var model: ModelInput
    /// Training records (JSONL, roles `skill` and `rehearsal`).
    public var demonstrations: FileInput
    /// The complete recipe, defaults filled in by the host.
    public var recipe: JSONValue
    /// Directory that the engine creates for the new model; must not exist yet.
    @PathCoded public var output: URL
    /// Directory for what a resumed training needs.
    @PathCoded public var state: URL
    /// Working directory of the engine; `output` and `state` lie inside.
    @PathCoded public var workdir: URL

    /// Makes a request.
    public init(
        model: ModelInput, demonstrations: FileInput, recipe: JSONValue, output: URL, state: URL, workdir: URL
    ) {
        self.model = model
        self.demonstrations = demonstrations
        self.recipe = recipe
        self._output = PathCoded(wrappedValue: output)
        self._state = PathCoded(wrappedValue: state)
        self._workdir = PathCoded(wrappedValue: workdir)
    }
}

/// A suite to answer (message `evaluate`).
public struct EvaluationRequest: Sendable, Codable, Hashable {
    /// The model that answers.
    public var model: ModelInput
    /// The items without their targets (JSONL: `id`, `prompt` or `messages`, `choices`).
    public var suite: FileInput
    /// Everything that moves an answer.
    public var settings: EvaluationSettings
    /// What the engine scores the items by; nil where the gate grades the answers.
    public var task: EvaluationTask?
    /// Working directory of the engine.
    @PathCoded public var workdir: URL

    /// Makes a request.
    public init(
        model: ModelInput, suite: FileInput, settings: EvaluationSettings, task: EvaluationTask? = nil,
        workdir: URL
    ) {
        self.model = model
        self.suite = suite
        self.settings = settings
        self.task = task
        self._workdir = PathCoded(wrappedValue: workdir)
    }
}

/// A task of an evaluation harness, by which an engine scores items itself (capability `tasks`).
public struct EvaluationTask: Sendable, Codable, Hashable {
    /// A file of the task, with its digest, which the engine must check.
    public struct File: Sendable, Codable, Hashable {
        /// Path inside the task's folder.
        public var path: String
        /// SHA-256 of its bytes.
        public var sha256: Digest

        /// Makes a reference to a file.
        public init(path: String, sha256: Digest) {
            self.path = path
            self.sha256 = sha256
        }
    }

    /// The task in the engine's own words, as the suite has them: an object.
    public var parameters: JSONValue
    /// Folder of the files, which the host wrote.
    @PathCoded public var directory: URL
    /// The files of the task.
    public var files: [File]

    private enum CodingKeys: String, CodingKey { case parameters, directory = "dir", files }

    /// Makes a task.
    public init(parameters: JSONValue, directory: URL, files: [File]) {
        self.parameters = parameters
        self._directory = PathCoded(wrappedValue: directory)
        self.files = files
    }
}

/// How an engine answers: decoding and numerics.
public struct EvaluationSettings: Sendable, Codable, Hashable {
    /// `chat` (the model's chat template) or `raw` (the prompt's text as it is).
    public var template: String
    /// Longest answer, in tokens.
    public var maxTokens: Int
    /// Strings that end an answer; cut off from it.
    public var stop: [String]
    /// Type of the matrix products (`float32`, `bfloat16`).
    public var precision: String
    /// Items computed together.
    public var batchSize: Int

    private enum CodingKeys: String, CodingKey {
        case template, stop, precision
        case maxTokens = "max_tokens"
        case batchSize = "batch_size"
    }

    /// Makes settings.
    public init(
        template: String = "chat", maxTokens: Int = 64, stop: [String] = [], precision: String = "float32",
        batchSize: Int = 32
    ) {
        self.template = template
        self.maxTokens = maxTokens
        self.stop = stop
        self.precision = precision
        self.batchSize = batchSize
    }
}
