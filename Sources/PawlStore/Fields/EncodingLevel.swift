/// What matters most when tensors are written. All levels are read alike, and none changes a digest.
public enum EncodingLevel: String, Sendable, Hashable, CaseIterable {
    /// Differences that are read about twice as fast, and are a fifth to a third larger.
    case fastReading
    /// Small, at the pace of a disk.
    case standard
    /// A little smaller still, for a fifth more time to write.
    case smallest
}
