internal import Foundation
public import PawlCore
internal import PawlEngines
public import PawlGate
internal import PawlRegistry
public import PawlStore

/// The phases of a registration, in their order. Each can be repeated: killed inside one, the next run
/// starts that phase again and finds what was already durable.
public enum RegistrationPhase: String, Codable, Sendable, CaseIterable {
    /// Is there something to distil: the skill's metric with and without the demonstration in view.
    case probe
    /// The anchors' and the parent's scores; margins are frozen here, before any training.
    case baseline
    /// The engine makes the candidate's files.
    case train
    /// The files become a checkpoint.
    case store
    /// The candidate's scores.
    case evaluate
    /// The statistics are judged and recorded.
    case verdict
    /// A rejected candidate's weights are moved back towards the parent's; only where it was asked for.
    case rescue
    /// `main` moves, when the verdict is ACCEPT.
    case promote
    /// Over.
    case done

    /// The phase after this one.
    var next: RegistrationPhase {
        let rest = Self.allCases.drop { $0 != self }
        return rest.dropFirst().first ?? .done
    }
}

/// What a registration needs to go on after a kill (kept in `work/ID/state.json`).
struct RegistrationState: Codable, Sendable {
    /// The skill as it was recorded.
    var skill: SkillRecord
    /// Name of the engine.
    var engine: String
    /// The complete recipe.
    var recipe: Recipe
    /// Whether to go on where the probe, a margin or a canary says stop.
    var force: Bool
    /// Most trainings, each at half the learning rate of the one before.
    var attempts: Int
    /// Whether to look for an accepted point between the parent and what was rejected.
    var isRescue: Bool
    /// How the candidate's tensors are written; nil in what an earlier Pawl began.
    var level: EncodingLevel?
    /// What was judged so far, in order.
    var tries: [RegistrationTry] = []
    /// The suites that judge it, their anchors and margins, frozen before training.
    var plan: [Workflow.JudgedSuite] = []
    /// What the probe found; nil for supervised fine-tuning, which has no teacher.
    var probe: ProbeReport?
    /// What the engine said of the training.
    var training: TrainingSummary?
    /// The trained checkpoint.
    var candidate: Digest?
    /// The verdict document.
    var verdict: Digest?
}

/// What is kept of a training beside the checkpoint itself.
struct TrainingSummary: Codable, Sendable {
    var engine: EngineIdentity
    var environment: [String: JSONValue]
    var metrics: [String: JSONValue]
    /// SHA-256 of the records that were trained on.
    var records: Digest
    /// Document with the conversation between host and engine.
    var transcript: Digest
    /// Files of the output, as the host hashed them.
    var files: [OutputFile]

    /// Fails unless a directory holds exactly these files: a resumed registration must store what was trained.
    func check(_ output: URL) throws {
        try TrainingResult.check(output, holds: files, of: engine.name)
    }
}

/// How to register a skill.
public struct RegisterOptions: Sendable {
    /// Name of the engine that trains and evaluates.
    public var engine: String
    /// Recipe keys that replace the skill's own.
    public var recipe: [String: JSONValue]
    /// Go on where the probe, an automatic margin or a canary says stop.
    public var force: Bool
    /// Most trainings: what was rejected for what it lost is trained again at half the learning rate.
    public var attempts: Int
    /// Look for an accepted point between the parent's weights and those that were rejected.
    public var rescue: Bool
    /// How the candidate's tensors are written.
    public var level: EncodingLevel

    /// Makes options.
    public init(
        engine: String, recipe: [String: JSONValue] = [:], force: Bool = false, attempts: Int = 1,
        rescue: Bool = false, level: EncodingLevel = .standard
    ) {
        self.level = level
        self.engine = engine
        self.recipe = recipe
        self.force = force
        self.attempts = attempts
        self.rescue = rescue
    }
}

/// How a registration ended.
public struct RegistrationReport: Codable, Sendable {
    /// The registration.
    public var registration: String
    /// Name of the skill.
    public var skill: String
    /// The checkpoint that was trained from.
    public var parent: Digest
    /// The checkpoint that the verdict is about: the one trained last, or the point on the way to it that was accepted.
    public var candidate: Digest
    /// Everything that was judged, in order.
    public var tries: [RegistrationTry]
    /// True when `main` now is the candidate.
    public var isPromoted: Bool
    /// What the probe found.
    public var probe: ProbeReport?
    /// The verdict's digest.
    public var verdictDigest: Digest
    /// The verdict with its evidence.
    public var verdict: VerdictReport

    private enum CodingKeys: String, CodingKey {
        case registration, skill, parent, candidate, tries, probe, verdict
        case isPromoted = "promoted"
        case verdictDigest = "verdict_digest"
    }
}
