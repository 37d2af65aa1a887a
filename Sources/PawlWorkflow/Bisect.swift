public import PawlCore
public import PawlGate
internal import PawlRegistry

/// Which checkpoint of a line a suite does not hold on any more.
public struct BisectReport: Codable, Sendable {
    /// The suite.
    public var suite: String
    /// What every checkpoint was compared with.
    public var anchor: Digest
    /// The largest loss that counts as "no worse".
    public var margin: Double
    /// The last checkpoint before it that holds the suite.
    public var lastGood: Digest
    /// The first that does not: the update that made it lost what the suite measures.
    public var firstBad: Digest
    /// The skill that the update acquired; nil for an import.
    public var skill: String?
    /// What was looked at, in the order of the search.
    public var steps: [Step]
    /// How often the engine had to run; what was measured before was read.
    public var evaluations: Int

    /// One checkpoint that was looked at.
    public struct Step: Codable, Sendable {
        /// The checkpoint.
        public var checkpoint: Digest
        /// Its place on the line, 0 for the base.
        public var place: Int
        /// What the comparison showed.
        public var state: SuiteState
        /// Its score.
        public var score: Double
        /// Lower bound of its change against the anchor.
        public var lower: Double
        /// Upper bound of its change against the anchor.
        public var upper: Double
        /// True when a stored result was read.
        public var isCached: Bool

        private enum CodingKeys: String, CodingKey {
            case checkpoint, place, state, score, lower, upper, isCached = "cached"
        }
    }

    private enum CodingKeys: String, CodingKey {
        case suite, anchor, margin, skill, steps, evaluations, lastGood = "last_good", firstBad = "first_bad"
    }
}

extension Workflow {
    /// Finds the update after which a suite no longer holds, by halving the line between a checkpoint that holds it and
    /// one that does not. Each checkpoint is compared with the suite's anchor by the gate's own bounds (at the alpha of a
    /// first attempt); results that were stored under the same settings are read.
    ///
    /// A line may lose and win back: then this is one of the places where it lost.
    ///
    /// - Parameters:
    ///   - good: a checkpoint that holds the suite; nil for the suite's anchor.
    ///   - bad: a later checkpoint of the same line that does not.
    public func bisect(_ suiteName: String, good: Digest?, bad: Digest, engine: String) async throws
        -> BisectReport
    {
        let priors = try priorSuites(of: bad)
        guard var judged = priors.first(where: { $0.suite.name == suiteName }) else {
            throw PawlError(
                .notFound, "no suite \"\(suiteName.escaped)\" guards checkpoint \(bad.short)",
                hint: "suites: \(priors.map(\.suite.name).joined(separator: ", "))")
        }
        judged.margin = try freezeMargins([judged], isAttempt: false, force: true).first?.margin
        let line = try registry.line(of: bad).reversed().map(\.digest)
        let start = good ?? judged.anchor
        guard let first = line.firstIndex(of: start), first < line.count - 1 else {
            throw PawlError(
                .invalidArgument, "\(start.short) is no earlier checkpoint of the line of \(bad.short)",
                hint: "pawl log shows the line; --good names a checkpoint on it")
        }
        var search = Search(judged: judged, line: line, engine: engine)
        // The anchor holds against itself, whatever its size can show.
        if start != judged.anchor, !(try await look(first, &search)) {
            throw PawlError(
                .invalidArgument, "\(start.short) does not hold \(suiteName): give an earlier --good")
        }
        if try await look(line.count - 1, &search) {
            throw PawlError(.invalidArgument, "\(bad.short) holds \(suiteName): there is nothing to find")
        }
        return try await halve(good: first, bad: line.count - 1, &search)
    }

    private struct Search {
        let judged: JudgedSuite
        let line: [Digest]
        let engine: String
        var steps: [BisectReport.Step] = []
    }

    private func halve(good: Int, bad: Int, _ search: inout Search) async throws -> BisectReport {
        var good = good
        var bad = bad
        while bad - good > 1 {
            let middle = (good + bad) / 2
            if try await look(middle, &search) { good = middle } else { bad = middle }
        }
        return BisectReport(
            suite: search.judged.suite.name, anchor: search.judged.anchor, margin: search.judged.margin ?? 0,
            lastGood: search.line[good], firstBad: search.line[bad],
            skill: try registry.checkpoint(search.line[bad]).acquisition?.skill, steps: search.steps,
            evaluations: search.steps.count { !$0.isCached })
    }

    /// Whether a checkpoint of the line is shown to hold the suite.
    private func look(_ place: Int, _ search: inout Search) async throws -> Bool {
        let checkpoint = search.line[place]
        let judged = search.judged
        let measured = try await measure(
            [checkpoint, judged.anchor].map { MeasurementTask(checkpoint: $0, suite: judged.suite) },
            engine: search.engine)
        let comparison = try compare(
            judged, candidate: measured[0].record, anchor: measured[1].record, isAttempt: false)
        search.steps.append(
            BisectReport.Step(
                checkpoint: checkpoint, place: place, state: comparison.state,
                score: comparison.candidateScore, lower: comparison.lower, upper: comparison.upper,
                isCached: measured[0].isCached))
        notice("  \(checkpoint.short)  \(percent(comparison.candidateScore))  \(comparison.state.rawValue)")
        return comparison.state == .held
    }
}
