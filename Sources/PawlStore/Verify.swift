public import PawlCore

extension Store {
    /// Re-reads and re-hashes every object, or those that the given trees need, and says what is wrong.
    ///
    /// - Parameters:
    ///   - deep: also decode every tensor and check it against its digest, which the object names cannot show.
    ///   - trees: the trees to look at, those whose manifest is missing included; nil for everything in the store.
    ///   - known: trees that somebody needs. A document that is damaged beyond knowing what it was is reported as
    ///     touching the tree that it is named as.
    /// - Returns: one entry for each damaged or missing file, in order of its name; empty when all is well.
    public func verify(
        deep: Bool, trees: [Digest]? = nil, known: Set<Digest> = [],
        progress: ProgressHandler? = nil
    ) throws -> [Damage] {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        var verification = Verification(self)
        try verification.run(deep: deep, trees: trees, progress)
        verification.addLost(known)
        return verification.damages()
    }
}
