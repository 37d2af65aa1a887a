/// What matters most when tensors are written. All levels are read alike, and none changes a digest.
public enum EncodingLevel: String, Sendable, Hashable, Codable, CaseIterable {
    /// Differences that are read about twice as fast, and are a fifth to a third larger; chains of two at most.
    case fastReading = "fast-read"
    /// Small, at the pace of a disk.
    case standard = "default"
    /// A little smaller still, for a fifth more time to write.
    case smallest
}
