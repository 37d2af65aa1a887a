public import PawlCore

/// A training that is planned, with the evaluations before and after it.
public struct EstimateRequest: Sendable {
    /// The model to start from.
    public var model: ModelInput
    /// Training records, as in ``TrainingRequest``.
    public var demonstrations: FileInput
    /// The complete recipe.
    public var recipe: JSONValue
    /// Suites to answer, each in a phase.
    public var evaluations: [Evaluation]

    /// A suite to answer.
    public struct Evaluation: Sendable {
        /// Name of the phase it belongs to.
        public var phase: String
        /// What will be asked.
        public var request: EvaluationRequest

        /// Makes an entry.
        public init(phase: String, request: EvaluationRequest) {
            self.phase = phase
            self.request = request
        }
    }

    /// Makes a request.
    public init(
        model: ModelInput, demonstrations: FileInput, recipe: JSONValue, evaluations: [Evaluation]
    ) {
        self.model = model
        self.demonstrations = demonstrations
        self.recipe = recipe
        self.evaluations = evaluations
    }
}

/// What work will take on this machine, about.
///
/// Answers count as if each were as long as allowed, or as the demonstrations are where there are some, so evaluations
/// usually end sooner.
public struct WorkEstimate: Sendable, Codable, Hashable {
    /// The phases that take time, in their order.
    public var phases: [Phase]
    /// Memory at the peak, in bytes.
    public var memoryBytes: Int
    /// Memory of this machine, in bytes.
    public var machineMemoryBytes: Int
    /// What was measured: operations a second of sequences read together, in GFLOP/s.
    public var gflopPerSecond: Double

    /// One phase.
    public struct Phase: Sendable, Codable, Hashable {
        /// Its name, as in a registration.
        public var phase: String
        /// Time, in seconds.
        public var seconds: Double
        /// Arithmetic, in GFLOP.
        public var gflop: Double

        /// Makes a phase.
        public init(phase: String, seconds: Double, gflop: Double) {
            self.phase = phase
            self.seconds = seconds
            self.gflop = gflop
        }
    }

    private enum CodingKeys: String, CodingKey {
        case phases
        case memoryBytes = "memory_bytes"
        case machineMemoryBytes = "machine_memory_bytes"
        case gflopPerSecond = "gflop_per_second"
    }

    /// Makes an estimate.
    public init(phases: [Phase], memoryBytes: Int, machineMemoryBytes: Int, gflopPerSecond: Double) {
        self.phases = phases
        self.memoryBytes = memoryBytes
        self.machineMemoryBytes = machineMemoryBytes
        self.gflopPerSecond = gflopPerSecond
    }
}
