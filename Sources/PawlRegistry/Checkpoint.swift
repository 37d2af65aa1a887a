public import PawlCore

/// An immutable model state as the registry knows it; its name is the digest of its tree in the store.
public struct Checkpoint: Codable, Sendable, Hashable {
    /// Digest of the tree: the checkpoint's name.
    public var digest: Digest
    /// The checkpoint it was trained from; nil for a base only.
    public var parent: Digest?
    /// How it came here.
    public var origin: Origin
    /// What the gate said of it so far.
    public var status: Status
    /// The skill that it was trained to acquire.
    public var acquisition: Acquisition?
    /// The engine that made it.
    public var engine: EngineIdentity?
    /// Every setting that shaped the training.
    public var recipe: JSONValue?
    /// The document that holds the manifest (``CheckpointManifest``).
    public var manifest: Digest
    /// When it was made.
    public var created: Timestamp
    /// When its tree was given up to a collection; nil while the tree is kept.
    public var collected: Timestamp?

    /// How a checkpoint came into the registry.
    public enum Origin: String, Codable, Sendable, CaseIterable { case base, register, `import` }

    /// What became of a checkpoint.
    public enum Status: String, Codable, Sendable, CaseIterable {
        case base, candidate, accepted, rejected, inconclusive, waived
    }

    private enum CodingKeys: String, CodingKey {
        case digest, parent, origin, status, acquisition, engine, recipe, manifest, created, collected
    }
}

/// The event in which a skill became part of a line: which skill, at which version, from which bytes.
public struct Acquisition: Codable, Sendable, Hashable {
    /// Name of the skill.
    public var skill: String
    /// Version of the skill.
    public var version: String
    /// Digest of the skill's folder.
    public var digest: Digest

    /// Makes an acquisition.
    public init(skill: String, version: String, digest: Digest) {
        self.skill = skill
        self.version = version
        self.digest = digest
    }

    private enum CodingKeys: String, CodingKey { case skill, version, digest }
}

/// Name and version of an engine.
public struct EngineIdentity: Codable, Sendable, Hashable {
    /// Name of the engine.
    public var name: String
    /// Version of the engine.
    public var version: String

    /// Makes an identity.
    public init(name: String, version: String) {
        self.name = name
        self.version = version
    }

    private enum CodingKeys: String, CodingKey { case name, version }
}

/// What is written down when a checkpoint is made: the document behind a ``Checkpoint`` (schemas/checkpoint.json).
public struct CheckpointManifest: Codable, Sendable, Hashable {
    /// Digest of the tree: the checkpoint's name.
    public var digest: Digest
    /// The checkpoint it was trained from; nil for a base only.
    public var parent: Digest?
    /// How it came into the registry.
    public var origin: Checkpoint.Origin
    /// The skill that it was trained to acquire.
    public var acquisition: Acquisition?
    /// The engine that made it.
    public var engine: EngineIdentity?
    /// Every setting that shaped the training.
    public var recipe: JSONValue?
    /// Anything else worth keeping: environment, totals of the training, digests of its data.
    public var details: JSONValue?
    /// When it was made.
    public var created: Timestamp

    /// Makes a manifest.
    public init(
        digest: Digest, parent: Digest?, origin: Checkpoint.Origin, acquisition: Acquisition? = nil,
        engine: EngineIdentity? = nil, recipe: JSONValue? = nil, details: JSONValue? = nil,
        created: Timestamp = .now
    ) {
        self.digest = digest
        self.parent = parent
        self.origin = origin
        self.acquisition = acquisition
        self.engine = engine
        self.recipe = recipe
        self.details = details
        self.created = created
    }

    enum CodingKeys: String, CodingKey {
        case digest, parent, origin, acquisition, engine, recipe, details, created
    }
}
