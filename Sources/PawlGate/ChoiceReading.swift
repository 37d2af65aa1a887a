extension Grader {
    /// Which choice log-likelihoods speak for; nil when the grader reads responses, or when the numbers do not fit the
    /// choices (a value each, and tokens of each where the grader divides by them).
    ///
    /// - Parameter tokens: the choices' lengths in tokens, where the engine tells them.
    public func chosen(_ logLikelihoods: [Double], among choices: [String], tokens: [Int]?) -> Int? {
        guard case .multipleChoice(let normalisation) = self, logLikelihoods.count == choices.count else {
            return nil
        }
        let lengths: [Double]
        switch normalisation {
        case .none: lengths = choices.map { _ in 1 }
        case .bytes: lengths = choices.map { Double($0.utf8.count) }
        case .tokens:
            guard let tokens, tokens.count == choices.count, tokens.allSatisfy({ $0 > 0 }) else { return nil }
            lengths = tokens.map(Double.init)
        }
        let scores = zip(logLikelihoods, lengths).map { $0 / $1 }
        // The first of equal maxima; `max(by:)` does not promise which of them it gives.
        return scores.indices.reduce(0) { scores[$1] > scores[$0] ? $1 : $0 }
    }
}
