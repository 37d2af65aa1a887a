extension EncodingLevel {
    /// Encodings that may be chained: what is read often should not take the detour over all its ancestors.
    var maximumDepth: Int { self == .fastReading ? 2 : TensorHead.maximumDepth }

    /// What a head says of it: nothing of the default.
    var recorded: EncodingLevel? { self == .standard ? nil : self }
}
