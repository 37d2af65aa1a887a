public import PawlCore

/// What a suite is for in a verdict.
public enum SuiteRole: String, Codable, Sendable, CaseIterable {
    /// Guards what the line already has: the candidate must not be worse than the anchor.
    case prior
    /// Measures the skill being acquired: the candidate must be better than its parent.
    case new
}

/// What a comparison showed.
public enum SuiteState: String, Codable, Sendable, CaseIterable {
    /// Prior: a loss of the margin or more is ruled out.
    case held
    /// Prior: the loss is larger than the margin.
    case regressed
    /// Neither is shown.
    case undecided
    /// New: the candidate is better.
    case gained
    /// New: a gain is ruled out.
    case notGained = "not_gained"
}

/// One suite of a verdict: candidate and anchor on the same items.
///
/// Each bound is one-sided at `alpha`. Everything here follows from the two evidences, the role, the margin
/// and the attempt.
public struct SuiteComparison: Codable, Sendable, Hashable {
    /// How the bounds were computed.
    public enum Method: String, Codable, Sendable {
        case tango, pairedT = "paired_t", clusteredT = "clustered_t"
    }

    /// The scores of one cluster, for reading; verdicts are made on the whole suite.
    public struct Cluster: Codable, Sendable, Hashable {
        /// Name of the cluster; nil for the items that name none.
        public let name: String?
        /// Number of items.
        public let count: Int
        /// Mean score of the candidate.
        public let candidateScore: Double
        /// Mean score of the anchor.
        public let anchorScore: Double
        /// Items on which the candidate is worse.
        public let b: Int
        /// Items on which the candidate is better.
        public let c: Int

        private enum CodingKeys: String, CodingKey {
            case name, count, candidateScore = "candidate_score", anchorScore = "anchor_score", b, c
        }
    }

    /// Name of the suite.
    public let suite: String
    /// Version of the suite.
    public let version: String
    /// Digest of the suite.
    public let suiteDigest: Digest
    /// Task family of the suite.
    public let family: String
    /// Metric of the suite.
    public let metric: Metric
    /// What the suite is for.
    public let role: SuiteRole
    /// What the comparison showed.
    public let state: SuiteState
    /// The checkpoint compared against; for a new skill the parent.
    public let anchor: Digest
    /// The margin that is certified where the suite holds, as a fraction; 0 for a new skill.
    public let margin: Double
    /// Error probability of each bound.
    public let alpha: Double
    /// Which attempt against this anchor it is, 1-based.
    public let attempt: Int
    /// How the bounds were computed.
    public let method: Method
    /// Number of items.
    public let count: Int
    /// Items on which the candidate is worse (accuracy: the anchor alone is right).
    public let b: Int
    /// Items on which the candidate is better (accuracy: the candidate alone is right).
    public let c: Int
    /// Candidate minus anchor, mean over the pairs.
    public let difference: Double
    /// Lower bound of the difference.
    public let lower: Double
    /// Upper bound of the difference.
    public let upper: Double
    /// Mean score of the candidate.
    public let candidateScore: Double
    /// Mean score of the anchor.
    public let anchorScore: Double
    /// The candidate is worse beyond doubt (upper bound below 0), be it inside the margin.
    public let isSignificantDrop: Bool
    /// The candidate is better beyond doubt (lower bound above 0); only then may the anchor move to it.
    public let isSuperior: Bool
    /// Items that the candidate did not answer (missing or failed); they score 0.
    public let candidateUnanswered: Int
    /// Items that the anchor did not answer; counted as full marks unless the candidate has none either.
    public let anchorUnanswered: Int
    /// Answers of the candidate that reached the token limit; they score 0.
    public let candidateTruncated: Int
    /// Answers of the anchor that reached the token limit; they score 0.
    public let anchorTruncated: Int
    /// Scores by cluster, sorted by name; empty when no item names one.
    public let clusters: [Cluster]
    /// Digest of the candidate's evidence.
    public let candidateEvidence: Digest
    /// Digest of the anchor's evidence.
    public let anchorEvidence: Digest
    /// Digest of everything else that moves a score (template, engine, version, decoding), equal for both.
    public let settings: Digest?
    /// What a damaged candidate would have been told: prior suites, and a new one that was gained; nil in verdicts of
    /// versions that had no canaries.
    public let canary: Canary?
    /// How much the anchor differs from itself; nil where it was not run twice.
    public let noise: Noise?
    /// Which part of the suite was looked at; nil where all items are used at once.
    public let look: Look?

    private enum CodingKeys: String, CodingKey {
        case suite, version, suiteDigest = "suite_digest", family, metric, role, state, anchor, margin, alpha
        case attempt, method, count, b, c, difference, lower, upper, candidateScore = "candidate_score"
        case anchorScore = "anchor_score", isSignificantDrop = "significant_drop", isSuperior = "superior"
        case candidateUnanswered = "candidate_unanswered", anchorUnanswered = "anchor_unanswered"
        case candidateTruncated = "candidate_truncated", anchorTruncated = "anchor_truncated", clusters
        case candidateEvidence = "candidate_evidence", anchorEvidence = "anchor_evidence", settings
        case canary, noise, look
    }

    /// Compares the candidate with the anchor on a prior suite: non-inferiority within the margin.
    ///
    /// - Parameters:
    ///   - margin: frozen before training; a fraction above 0 and below 1.
    ///   - attempt: 1 for the first comparison against this anchor; alpha falls with it.
    ///   - settings: digest of everything else that moves a score, the same for both evidences.
    ///   - noise: two runs of the anchor, for the report; it does not enter the bounds.
    public static func prior(
        _ suite: Suite, candidate: Evidence, anchor: Digest, anchorEvidence: Evidence, margin: Double,
        attempt: Int, settings: Digest? = nil, noise: Noise? = nil
    ) throws -> SuiteComparison {
        guard margin > 0, margin < 1 else {
            throw PawlError(
                .invalidArgument, "suite \(suite.name): the margin \(margin) is not above 0 and below 1")
        }
        return try SuiteComparison(
            suite, .prior, candidate, anchor, anchorEvidence, margin: margin, attempt: attempt,
            settings: settings, noise: noise)
    }

    /// Compares the candidate with its parent on the suite of the skill being acquired: superiority.
    public static func new(
        _ suite: Suite, candidate: Evidence, parent: Digest, parentEvidence: Evidence, attempt: Int,
        settings: Digest? = nil
    ) throws -> SuiteComparison {
        try SuiteComparison(
            suite, .new, candidate, parent, parentEvidence, margin: 0, attempt: attempt, settings: settings)
    }

    /// The same comparison made again from what it rests on; equal to this one if nothing was altered.
    ///
    /// - Parameter noise: computed again where the comparison has it.
    public func replayed(
        _ suite: Suite, candidate: Evidence, anchorEvidence: Evidence, noise: Noise? = nil
    ) throws -> SuiteComparison {
        try SuiteComparison(
            suite, role, candidate, anchor, anchorEvidence, margin: margin, attempt: attempt,
            settings: settings, noise: noise, hasCanary: canary != nil)
    }

    private init(
        _ suite: Suite, _ role: SuiteRole, _ candidate: Evidence, _ anchor: Digest,
        _ anchorEvidence: Evidence,
        margin: Double, attempt: Int, settings: Digest?, noise: Noise? = nil,
        hasCanary: Bool? = nil
    ) throws {
        guard attempt >= 1 else {
            throw PawlError(.invalidArgument, "suite \(suite.name): attempt \(attempt)")
        }
        guard Set(suite.items.map(\.digest)) == Set(candidate.results.map(\.item)) else {
            throw PawlError(
                .evidenceInvalid,
                "suite \(suite.name) \(suite.version): the candidate's evidence covers other items than the suite"
            )
        }
        let pairs = try candidate.paired(with: anchorEvidence).map(Pair.init)
        let alpha = suite.alpha(attempt: attempt)
        let measured = Self.measure(pairs, suite.metric, alpha: alpha)
        self.suite = suite.name
        version = suite.version
        suiteDigest = suite.digest
        family = suite.manifest.family
        metric = suite.metric
        self.role = role
        self.anchor = anchor
        self.margin = margin
        self.alpha = alpha
        self.attempt = attempt
        method = measured.method
        count = pairs.count
        b = pairs.count { $0.difference < 0 }
        c = pairs.count { $0.difference > 0 }
        difference = measured.difference
        lower = measured.bounds.lower
        upper = measured.bounds.upper
        candidateScore = candidate.score
        anchorScore = anchorEvidence.score
        isSignificantDrop = upper < 0
        isSuperior = lower > 0
        state = Self.state(role, lower: lower, upper: upper, margin: margin)
        candidateUnanswered = candidate.results.count(where: \.isUnanswered)
        anchorUnanswered = anchorEvidence.results.count(where: \.isUnanswered)
        candidateTruncated = candidate.count(of: .truncated)
        anchorTruncated = anchorEvidence.count(of: .truncated)
        clusters = Self.clusters(pairs)
        candidateEvidence = candidate.digest
        self.anchorEvidence = anchorEvidence.digest
        self.settings = settings
        self.noise = noise
        look = suite.look
        // On a new suite the parent may well score nothing; what must not be hollow is the gain.
        let needsCanary = hasCanary ?? (role == .prior || state == .gained)
        canary =
            needsCanary
            ? try Canary(suite, role == .prior ? anchorEvidence : candidate, margin: margin) : nil
    }

    /// The gate's bounds of candidate minus anchor over the same items.
    static func bounds(_ candidate: Evidence, _ anchor: Evidence, _ metric: Metric, alpha: Double) throws
        -> Bounds
    {
        measure(try candidate.paired(with: anchor).map(Pair.init), metric, alpha: alpha).bounds
    }

    /// The rule of docs/gate.md for one suite.
    static func state(_ role: SuiteRole, lower: Double, upper: Double, margin: Double) -> SuiteState {
        switch role {
        case .prior: lower > -margin ? .held : upper < -margin ? .regressed : .undecided
        case .new: lower > 0 ? .gained : upper <= 0 ? .notGained : .undecided
        }
    }

    private struct Pair {
        let candidate: ItemResult
        let anchor: ItemResult
        let difference: Double

        init(_ candidate: ItemResult, _ anchor: ItemResult) {
            self.candidate = candidate
            self.anchor = anchor
            // What the anchor did not answer is full marks for it: an engine that failed must not look like
            // a gain. Where neither answered there is nothing to learn from.
            difference =
                anchor.isUnanswered
                ? (candidate.isUnanswered ? 0 : candidate.score - 1) : candidate.score - anchor.score
        }
    }

    private static func measure(
        _ pairs: [Pair], _ metric: Metric, alpha: Double
    ) -> (difference: Double, bounds: Bounds, method: Method) {
        switch metric {
        case .accuracy:
            let b = pairs.count { $0.difference < 0 }
            let c = pairs.count { $0.difference > 0 }
            return (
                Double(c - b) / Double(pairs.count),
                Tango.bounds(b: b, c: c, count: pairs.count, alpha: alpha), .tango
            )
        case .mean:
            let result = PairedMean.bounds(
                pairs.map(\.difference), clusters: pairs.map(\.candidate.cluster), alpha: alpha)
            return (result.mean, result.bounds, result.isClustered ? .clusteredT : .pairedT)
        }
    }

    private static func clusters(_ pairs: [Pair]) -> [Cluster] {
        guard pairs.contains(where: { $0.candidate.cluster != nil }) else { return [] }
        let groups = Dictionary(grouping: pairs) { $0.candidate.cluster }
        return groups.sorted { ($0.key ?? "") < ($1.key ?? "") }.map { name, pairs in
            Cluster(
                name: name, count: pairs.count,
                candidateScore: pairs.reduce(0) { $0 + $1.candidate.score } / Double(pairs.count),
                anchorScore: pairs.reduce(0) { $0 + $1.anchor.score } / Double(pairs.count),
                b: pairs.count { $0.difference < 0 }, c: pairs.count { $0.difference > 0 })
        }
    }
}
