public import PawlCore

/// What trains and evaluates models: `native` (in process) or a plug-in (a separate program).
///
/// An engine never sees a registry, a store or the targets of a suite: it gets directories and files
/// that the host wrote, and the host re-hashes what comes back. Cancelling the task that calls a
/// method ends the work; nothing that an engine made counts before the method has returned.
public protocol Engine: Sendable {
    /// Whether it takes a model from a ``ModelSource``; if not, it needs a directory.
    var readsSources: Bool { get }

    /// Says who the engine is without starting it; a plug-in's program must be the one that its manifest names.
    func identify() throws -> EngineDescription

    /// Says who the engine is and what it can do; a plug-in is started for it once.
    func describe() async throws -> EngineDescription

    /// Trains a model and returns the new model's files, hashed by the host.
    ///
    /// Calling it again with the same request and the same `state` directory goes on where a killed
    /// training stopped and ends in the same result.
    func train(_ request: TrainingRequest, progress: ProgressHandler?) async throws -> TrainingResult

    /// Answers the items of one suite.
    func evaluate(_ request: EvaluationRequest, progress: ProgressHandler?) async throws -> EvaluationResult

    /// Answers several suites, in order; an engine that is slow to start does it in one session.
    func evaluate(_ requests: [EvaluationRequest], progress: ProgressHandler?) async throws
        -> [EvaluationResult]

    /// Refuses a training that the engine cannot do or that does not fit in this machine's memory, as far as can be told
    /// beforehand.
    func checkRoom(_ model: ModelInput, recipe: JSONValue) throws

    /// Whether ``estimate(_:progress:)`` has an answer.
    var estimatesWork: Bool { get }

    /// What a training and the evaluations around it will take on this machine; nil when the engine cannot tell.
    func estimate(_ request: EstimateRequest, progress: ProgressHandler?) async throws -> WorkEstimate?
}

extension Engine {
    /// A program of its own reads files.
    public var readsSources: Bool { false }

    /// A program of its own says so itself, when it starts to train.
    public func checkRoom(_: ModelInput, recipe _: JSONValue) throws {}

    /// Nothing is known of another program's speed.
    public var estimatesWork: Bool { false }

    /// Nothing is known of another program's speed.
    public func estimate(_: EstimateRequest, progress _: ProgressHandler?) async throws -> WorkEstimate? {
        nil
    }

    /// One suite after the other.
    public func evaluate(_ requests: [EvaluationRequest], progress: ProgressHandler?) async throws
        -> [EvaluationResult]
    {
        var results: [EvaluationResult] = []
        for request in requests { results.append(try await evaluate(request, progress: progress)) }
        return results
    }
}

/// Who an engine is: part of the digest of everything that moves a score.
public struct EngineDescription: Sendable, Codable, Hashable {
    /// Name of the engine, and of its folder.
    public var name: String
    /// Semantic version.
    public var version: String
    /// One sentence for people.
    public var summary: String
    /// Version of the protocol it speaks.
    public var `protocol`: Int
    /// Digest of the program (``EngineManifest/programDigest(folder:files:)``); nil in process.
    public var program: Digest?
    /// What stands for the program's digest in process; nil for a plug-in.
    public var arithmetic: Arithmetic?
    /// What it can do.
    public var capabilities: EngineCapabilities

    private enum CodingKeys: String, CodingKey {
        case name, version, program, arithmetic, capabilities
        case summary = "description"
        case `protocol` = "protocol"
    }

    /// Makes a description.
    public init(
        name: String, version: String, summary: String, protocol: Int = Self.protocolVersion,
        program: Digest? = nil, arithmetic: Arithmetic? = nil, capabilities: EngineCapabilities
    ) {
        self.name = name
        self.version = version
        self.summary = summary
        self.protocol = `protocol`
        self.program = program
        self.arithmetic = arithmetic
        self.capabilities = capabilities
    }

    /// The protocol version that this build speaks.
    public static let protocolVersion = 1

    /// How an engine in this process computes: what, beside its version, decides the digits of a result.
    public struct Arithmetic: Sendable, Codable, Hashable {
        /// Counts the changes after which the same model may give other digits.
        public var revision: Int
        /// Instruction set of the kernels ("baseline", "avx2", "avx512").
        public var instructions: String
        /// Number type of the matrix products ("float32").
        public var products: String

        /// Makes a description of an arithmetic.
        public init(revision: Int, instructions: String, products: String) {
            self.revision = revision
            self.instructions = instructions
            self.products = products
        }
    }
}

/// What an engine can do.
public struct EngineCapabilities: Sendable, Codable, Hashable {
    /// Training methods ("sdft", "sft"); empty when it only evaluates.
    public var train: [String]
    /// Whether it answers suites.
    public var evaluate: Bool
    /// Whether a killed training goes on from its state directory.
    public var resume: Bool
    /// What a training may move (``full``, ``lowRank``); nil: all weights alone.
    public var updates: [String]?
    /// Whether it scores suites by tasks of its own (``EvaluationTask``); nil: it does not.
    public var tasks: Bool?

    /// Every weight learns.
    public static let full = "full"
    /// The factors of a low-rank update learn, and the output is an adapter.
    public static let lowRank = "low_rank"

    /// Makes a set of capabilities.
    public init(
        train: [String], evaluate: Bool, resume: Bool, updates: [String]? = nil, tasks: Bool? = nil
    ) {
        self.train = train
        self.evaluate = evaluate
        self.resume = resume
        self.updates = updates
        self.tasks = tasks
    }

    /// Fails when the recipe asks for an update that the engine does not know, before it trains another one.
    func checkUpdate(_ recipe: JSONValue, engine: String) throws {
        let wanted = recipe["update"]?.string ?? Self.full
        let known = updates ?? [Self.full]
        guard known.contains(wanted) else {
            throw PawlError(
                .unsupported,
                "recipe, field update: engine \"\(engine)\" does not know \"\(wanted)\", only "
                    + known.joined(separator: ", "))
        }
    }
}
