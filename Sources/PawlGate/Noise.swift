public import PawlCore

/// How much a checkpoint differs from itself: two runs on the same suite, with the same engine and settings, the second
/// perhaps on a part of the items alone.
public struct Noise: Codable, Sendable, Hashable {
    /// Digest of the first run's evidence.
    public let first: Digest
    /// Digest of the second run's evidence.
    public let second: Digest
    /// Number of items that were answered twice.
    public let count: Int
    /// Items that were answered differently.
    public let changed: Int
    /// Items whose score differs.
    public let flips: Int

    /// Compares two runs on the items of the second, all of which must be in the first.
    public init(_ first: Evidence, _ second: Evidence) throws {
        let pairs = try first.restricted(to: second).paired(with: second)
        self.first = first.digest
        self.second = second.digest
        count = pairs.count
        changed = pairs.count { $0.0 != $0.1 }
        flips = pairs.count { $0.0.score != $0.1.score }
    }

    /// False when both runs gave the same answers; then stored answers can stand for a new run.
    public var isNoisy: Bool { changed > 0 }
}
