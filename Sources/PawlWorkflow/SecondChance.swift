internal import Foundation
public import PawlCore
public import PawlGate
internal import PawlRegistry

/// One candidate of a registration that was judged: a training, or a point on the way to one.
public struct RegistrationTry: Codable, Sendable {
    /// The candidate.
    public var candidate: Digest
    /// Its verdict.
    public var verdict: Digest
    /// What the verdict says.
    public var decision: Verdict.Decision
    /// Peak learning rate of the training.
    public var learningRate: Double
    /// How far the candidate lies from the parent to the trained weights, in sixteenths; nil for the training itself.
    public var sixteenths: Int?
    /// True when the new skill was gained.
    public var isGained: Bool
    /// True when every prior suite held.
    public var isHeld: Bool

    private enum CodingKeys: String, CodingKey {
        case candidate, verdict, decision, sixteenths
        case learningRate = "learning_rate"
        case isGained = "gained"
        case isHeld = "held"
    }
}

extension RegistrationTry {
    /// What a verdict makes of a try.
    init(_ report: VerdictReport, verdict: Digest, learningRate: Double, sixteenths: Int? = nil) {
        candidate = report.candidate
        self.verdict = verdict
        decision = report.decision
        self.learningRate = learningRate
        self.sixteenths = sixteenths
        let all = report.suites + (report.sealed ?? [])
        isGained = all.allSatisfy { $0.role == .prior || $0.state == .gained }
        isHeld = all.allSatisfy { $0.role == .new || $0.state == .held }
    }
}

/// The search for the furthest accepted point between a parent and a rejected candidate, by halving.
///
/// Too near, and the skill is not gained; too far, and a prior suite does not hold. Sixteenths are exact in every format,
/// and four tries settle them.
struct RescueSearch {
    /// The furthest point that did not go too far, and the nearest that did, in sixteenths.
    private(set) var near = 0
    private(set) var far = 16
    /// The furthest accepted one.
    private(set) var accepted: RegistrationTry?

    /// Goes through what was tried so far.
    init(_ tries: some Sequence<RegistrationTry>) {
        for attempt in tries {
            guard let place = attempt.sixteenths else { continue }
            if attempt.isHeld { near = max(near, place) } else { far = min(far, place) }
            if attempt.decision == .accept, place > accepted?.sixteenths ?? 0 { accepted = attempt }
        }
    }

    /// The next point to try; nil when the search is over.
    var next: Int? { far - near > 1 ? (near + far) / 2 : nil }
}

extension RegistrationState {
    /// Trainings so far.
    var trainings: Int { tries.count { $0.sixteenths == nil } }

    /// The newest training that was judged.
    var newest: RegistrationTry? { tries.last { $0.sixteenths == nil } }

    /// The search between the parent and the newest training.
    var search: RescueSearch {
        RescueSearch(tries.suffix(from: tries.lastIndex { $0.sixteenths == nil } ?? tries.endIndex))
    }

    /// The phase after one that just ended. What was rejected although the skill was gained went too far: points nearer to
    /// the parent come first, because they cost no training, then a training at a lower learning rate.
    func following(_ phase: RegistrationPhase) -> RegistrationPhase {
        guard phase == .verdict || phase == .rescue, let newest else { return phase.next }
        guard newest.decision == .reject, !newest.isHeld else { return .promote }
        if isRescue, newest.isGained, search.next != nil { return .rescue }
        return search.accepted == nil && trainings < attempts ? .train : .promote
    }

    /// Takes up what the search found, before main may move.
    mutating func settle() {
        guard let best = search.accepted else { return }
        candidate = best.candidate
        verdict = best.verdict
    }

    /// Makes room for a training at half the learning rate.
    mutating func retrain() {
        recipe.learningRate /= 2
        training = nil
        candidate = nil
        verdict = nil
    }
}

extension Workflow {
    /// The phase after one that just ended, with what has to be done on the way to it.
    func next(
        after phase: RegistrationPhase, of registration: Registration, _ state: inout RegistrationState
    ) throws -> RegistrationPhase {
        let next = state.following(phase)
        guard phase == .verdict || phase == .rescue else { return next }
        guard next != .promote else {
            state.settle()
            return next
        }
        if !state.force, let obstacle = try obstacle(to: state.plan) {
            notice("  no further try: \(obstacle)")
            state.settle()
            return .promote
        }
        if next == .train {
            let directory = registry.directory(of: registration.id)
            for name in ["training", "output"] { try Files.remove(directory.appending(path: name)) }
            state.retrain()
            notice(
                "  rejected: training \(state.trainings + 1) of \(state.attempts), learning rate \(state.recipe.learningRate)"
            )
        }
        return next
    }

    /// A suite that no answers could show to hold at the coming attempt; nil when there is none.
    private func obstacle(to plan: [JudgedSuite]) throws -> String? {
        for judged in plan {
            guard judged.role == .prior, let margin = judged.margin else { continue }
            let suite = try load(judged.suite)
            let attempt = try nextAttempt(judged)
            let canHold = Power.canHold(
                metric: suite.metric, count: suite.units, margin: margin,
                alpha: suite.alpha(attempt: attempt))
            if !canHold {
                return "\(suite.name): not even equal answers could hold at attempt \(attempt)"
            }
        }
        return nil
    }

    /// Tries one point between the parent and the newest training; the run comes back here until the search is over.
    func rescuePhase(_ registration: Registration, _ state: inout RegistrationState) async throws {
        guard let place = state.search.next, let training = state.newest else { return }
        notice(
            "  trying \(place)/16 of the way from \(registration.parent.short) to \(training.candidate.short)"
        )
        let output = registry.directory(of: registration.id).appending(path: "output")
        try Files.remove(output)
        do {
            try InterpolatedTree(
                registry.store, parent: registration.parent, candidate: training.candidate
            ).write(at: Float(place) / 16, to: output, progress: progress)
        } catch let error as PawlError where error.code == .unsupported {
            notice("  \(error.message)")
            state.isRescue = false
            return
        }
        let tree = try store(output, of: registration, level: state.level)
        guard tree != registration.parent, !state.tries.contains(where: { $0.candidate == tree }) else {
            notice("  the weights are too coarse for another point in between")
            state.isRescue = false
            return
        }
        try recordCandidate(
            tree, registration, state,
            rescue: CandidateDetails.Rescue(candidate: training.candidate, sixteenths: place))
        let verdict = try await verdict(on: tree, registration, state)
        let report = try verdictReport(verdict)
        state.tries.append(
            RegistrationTry(
                report, verdict: verdict, learningRate: state.recipe.learningRate, sixteenths: place))
        notice("  \(place)/16: \(report.reasons.first ?? report.decision.rawValue)")
    }
}
