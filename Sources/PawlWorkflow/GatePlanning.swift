public import PawlCore
public import PawlGate
internal import PawlRegistry

extension Workflow {
    /// What the gate could decide about a candidate on top of a checkpoint.
    ///
    /// - Parameter skill: the skill that would be acquired; nil for an import.
    public func plan(on checkpoint: Digest, for skill: SkillFolder?) throws -> GatePlan {
        let priors = try priorSuites(of: checkpoint)
        return GatePlan(
            priors: try priors.map {
                try priorPlan($0, from: checkpoint, among: priors.count, isAttempt: true)
            },
            new: try skill.map { skill in
                let earlier = try registry.attempts(suite: skill.suite.digest, anchor: checkpoint)
                return NewPlan(skill.suite, attempt: earlier.count + 1)
            })
    }

    /// - Parameters:
    ///   - parent: the checkpoint that would be trained from.
    ///   - isAttempt: false for a gate run that decides nothing, which is always judged as a first attempt.
    func priorPlan(
        _ judged: JudgedSuite, from parent: Digest?, among suites: Int, isAttempt: Bool
    ) throws -> PriorPlan {
        let suite = try load(judged.suite)
        return PriorPlan(
            suite, anchor: judged.anchor, attempt: isAttempt ? try nextAttempt(judged) : 1,
            opening: try registry.openings(suite: judged.suite.digest, anchor: judged.anchor) + 1,
            standing: try parent.flatMap { try standing(of: $0, against: judged.anchor, on: suite) },
            flipRate: try flipRate(of: suite), among: suites)
    }

    /// How a checkpoint compares with another on a suite; nil where either was not measured, or not in the same way.
    private func standing(of checkpoint: Digest, against anchor: Digest, on suite: Suite) throws -> Standing?
    {
        guard suite.metric == .accuracy, let (mine, theirs) = try common(checkpoint, anchor, on: suite) else {
            return nil
        }
        return try Standing(mine, against: theirs).scaled(to: suite.items.count)
    }

    /// The answers of two checkpoints to the items that both were asked: a candidate that was decided early was not asked
    /// all of them. Nil where either was not measured, or not by the same engine.
    private func common(_ one: Digest, _ other: Digest, on suite: Suite) throws -> (Evidence, Evidence)? {
        guard let mine = try newest(of: one, on: suite.digest),
            let theirs = try registry.evaluation(
                checkpoint: other, suite: suite.digest, settings: mine.settings)
                ?? registry.evaluations(of: other).last(where: {
                    $0.suite == suite.digest && $0.engine == mine.engine
                })
        else { return nil }
        let (a, b) = (try evidence(mine, suite), try evidence(theirs, suite))
        return a.count <= b.count ? (a, try b.restricted(to: a)) : (try a.restricted(to: b), b)
    }

    private func newest(of checkpoint: Digest, on suite: Digest) throws -> EvaluationRecord? {
        try registry.evaluations(of: checkpoint).last { $0.suite == suite }
    }

    /// So many of the newest verdicts tell the flip rate: enough answers, and a plan that does not read all of history.
    private static let flipRateVerdicts = 10

    /// The share of answers that an update changed, candidate against parent, in earlier verdicts on a suite. Verdicts that
    /// found a regression are left out: a plan asks what a model will flip that is as good as before.
    private func flipRate(of suite: Suite) throws -> FlipRate {
        var flipped = 0
        var compared = 0
        let earlier = try registry.updates(judgedOn: suite.digest, limit: Self.flipRateVerdicts)
        for (candidate, parent) in earlier {
            guard let (mine, theirs) = try common(candidate, parent, on: suite) else { continue }
            let pairs = try mine.paired(with: theirs)
            flipped += pairs.count { $0.0.score != $0.1.score }
            compared += pairs.count
        }
        return compared > 0 ? FlipRate(flipped: flipped, of: compared) : .assumed
    }

    /// Refuses, before anything is recorded, what the gate could never accept.
    func checkPlan(_ plan: GatePlan, force: Bool) throws {
        for line in plan.summary { notice("  \(line)") }
        guard !force, !plan.obstacles.isEmpty else { return }
        throw PawlError(
            .unsupported, "no candidate could be accepted: \(plan.obstacles.joined(separator: "; "))",
            hint: "give the suite more items or a wider margin (pawl gate plan shows what it needs), "
                + "or go on with --force")
    }

    /// Refuses demonstrations that give away what a suite asks.
    func checkContamination(of skill: SkillFolder, on main: Digest) throws {
        let suites = [skill.suite] + (try priorSuites(of: main).map { try load($0.suite) })
        let found = suites.flatMap { Contamination($0).overlaps(with: skill.demonstrations) }
        guard let first = found.first else { return }
        let how = first.kind == .sameQuestion ? "asks the same as" : "shares many words in a row with"
        let text = String(first.text.prefix(80)).escaped
        let more = found.count > 1 ? ", and \(found.count - 1) more" : ""
        throw PawlError(
            .invalidArgument,
            """
            demonstration "\(first.demonstration.escaped)" of skill \(skill.manifest.name) \(how) item \
            "\(first.item.escaped)" of suite \(first.suite): "\(text)"\(more)
            """,
            hint:
                "a score on items that were trained on says nothing: take them out of \(skill.manifest.demonstrations)"
        )
    }
}

extension GatePlan {
    /// The plan in a sentence for each thing that it says, for people.
    public var summary: [String] {
        var lines: [String] = []
        if let new, let gain = new.smallestGain {
            lines.append("\(new.suite): shows a gain of \(percent(gain)) or more (power 0.8)")
        }
        if !priors.isEmpty {
            let margins = priors.map { "\($0.suite) \(percent($0.margin))" }.joined(separator: ", ")
            lines.append(
                "margins \(margins); an unchanged model passes all with probability \(percent(unchangedPasses))"
            )
        }
        return lines
    }
}
