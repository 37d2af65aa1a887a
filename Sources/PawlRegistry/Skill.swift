public import PawlCore

/// A version of a skill that the registry knows.
public struct SkillRecord: Codable, Sendable, Hashable {
    /// Name of the skill.
    public var name: String
    /// Version of the skill.
    public var version: String
    /// Digest of the skill's folder, kept as a tree in the store.
    public var digest: Digest
    /// Digest of the suite that measures it (``SuiteRecord/digest``).
    public var suite: Digest
    /// When it was registered.
    public var registered: Timestamp

    /// Makes a record.
    public init(name: String, version: String, digest: Digest, suite: Digest, registered: Timestamp = .now) {
        self.name = name
        self.version = version
        self.digest = digest
        self.suite = suite
        self.registered = registered
    }

    enum CodingKeys: String, CodingKey { case name, version, digest, suite, registered }
}

/// A version of a suite that the registry knows.
public struct SuiteRecord: Codable, Sendable, Hashable {
    /// Name of the suite.
    public var name: String
    /// Version of the suite.
    public var version: String
    /// Digest of the suite: of everything in it that moves a score.
    public var digest: Digest
    /// Tree in the store that holds `suite.json` and the items.
    public var tree: Digest
    /// The skill that it measures; nil for a general suite, which guards what the base could do.
    public var skill: String?
    /// Task family, so that suites whose family is rehearsed can be told from the others.
    public var family: String
    /// Metric ("accuracy", "mean").
    public var metric: String
    /// Margin as declared: a fraction, or "auto".
    public var margin: JSONValue
    /// When it was added.
    public var added: Timestamp

    /// Makes a record.
    public init(
        name: String, version: String, digest: Digest, tree: Digest, skill: String?, family: String,
        metric: String, margin: JSONValue, added: Timestamp = .now
    ) {
        self.name = name
        self.version = version
        self.digest = digest
        self.tree = tree
        self.skill = skill
        self.family = family
        self.metric = metric
        self.margin = margin
        self.added = added
    }

    enum CodingKeys: String, CodingKey {
        case name, version, digest, tree, skill, family, metric, margin, added
    }
}
