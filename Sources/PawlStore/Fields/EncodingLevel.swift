/// What matters most when tensors are written. All levels are read alike, and none changes a digest.
public enum EncodingLevel: String, Sendable, Hashable, Codable, CaseIterable {
    /// Differences that are read a third faster, and are a fifth to a third larger; and chains of two at most, so
    /// that what is several differences deep opens in about half the time.
    case fastReading = "fast-read"
    /// Small, at the pace of a disk.
    case standard = "default"
    /// A little smaller still, for three to four times the time to write.
    case smallest
}
