public import PawlCore

/// A name that points at a checkpoint; `main` is the one that serves.
public struct Reference: Codable, Sendable, Hashable {
    /// The name.
    public var name: String
    /// What it points at.
    public var checkpoint: Digest
    /// When it was moved last.
    public var updated: Timestamp

    /// The reference that serves.
    public static let main = "main"

    private enum CodingKeys: String, CodingKey { case name, checkpoint, updated }
}

/// The checkpoint against which "no worse" is judged on a suite, for the line that ends in `line`.
public struct Anchor: Codable, Sendable, Hashable {
    /// The last checkpoint of the line.
    public var line: Digest
    /// Name of the suite.
    public var name: String
    /// Digest of the suite.
    public var suite: Digest
    /// The anchor.
    public var anchor: Digest

    /// Makes an anchor.
    public init(line: Digest, name: String, suite: Digest, anchor: Digest) {
        self.line = line
        self.name = name
        self.suite = suite
        self.anchor = anchor
    }

    private enum CodingKeys: String, CodingKey { case line, name, suite, anchor }
}
