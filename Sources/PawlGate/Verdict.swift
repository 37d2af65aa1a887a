internal import Foundation
public import PawlCore

/// The decision about a candidate.
public enum Verdict {
    /// What a verdict says.
    public enum Decision: String, Codable, Sendable, CaseIterable {
        case accept, reject, inconclusive
    }

    /// The rule of docs/gate.md.
    ///
    /// ACCEPT when every prior suite held and every new suite gained; REJECT when any suite regressed or a
    /// gain is ruled out; else INCONCLUSIVE. Without any suite nothing was shown, so INCONCLUSIVE.
    public static func decide(_ suites: [SuiteComparison]) -> Decision {
        decide(states: suites.map(\.state))
    }

    static func decide(states: [SuiteState]) -> Decision {
        if states.contains(where: { $0 == .regressed || $0 == .notGained }) { return .reject }
        if states.contains(.undecided) || states.isEmpty { return .inconclusive }
        return .accept
    }
}

/// A verdict with the evidence it rests on (schemas/verdict.json). Stored as a document, never changed.
public struct VerdictReport: Codable, Sendable, Hashable {
    /// What led to the verdict.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        case registration, gateRun = "gate_run", importation = "import"
    }

    /// The skill being acquired.
    public struct Skill: Codable, Sendable, Hashable {
        /// Name of the skill.
        public let name: String
        /// Version of the skill.
        public let version: String
        /// Digest of the skill's folder.
        public let digest: Digest

        /// Makes a reference to a skill.
        public init(name: String, version: String, digest: Digest) {
            self.name = name
            self.version = version
            self.digest = digest
        }
    }

    /// Always `verdict`.
    public let type: String
    /// What led to it.
    public let kind: Kind
    /// The decision.
    public let decision: Verdict.Decision
    /// The checkpoint that was judged.
    public let candidate: Digest
    /// Its parent, if it has one.
    public let parent: Digest?
    /// The skill being acquired; nil for a gate run or an import.
    public let skill: Skill?
    /// The comparisons, the new skill's first.
    public let suites: [SuiteComparison]
    /// The sealed items of those suites that have some, opened because everything else said ACCEPT; `attempt` counts the
    /// openings. Nil when none was opened.
    public let sealed: [SuiteComparison]?
    /// Why, in sentences for people: one for the decision, then one for each suite.
    public let reasons: [String]
    /// When it was made.
    public let created: Timestamp

    /// Judges a candidate.
    public init(
        kind: Kind, candidate: Digest, parent: Digest?, skill: Skill? = nil, suites: [SuiteComparison],
        sealed: [SuiteComparison] = [], created: Timestamp
    ) {
        type = "verdict"
        self.kind = kind
        self.candidate = candidate
        self.parent = parent
        self.skill = skill
        self.created = created
        self.suites = suites.filter { $0.role == .new } + suites.filter { $0.role == .prior }
        self.sealed = sealed.isEmpty ? nil : sealed
        decision = Verdict.decide(suites + sealed)
        reasons =
            [Self.summary(decision, suites, sealed)] + self.suites.map(\.sentence)
            + sealed.map { "Sealed part of " + $0.sentence }
    }

    private static func summary(
        _ decision: Verdict.Decision, _ suites: [SuiteComparison], _ sealed: [SuiteComparison]
    ) -> String {
        func names(_ state: SuiteState) -> String? {
            var names = suites.filter { $0.state == state }.map(\.suite)
            if state != .gained {
                names += sealed.filter { $0.state == state }.map { "the sealed part of " + $0.suite }
            }
            return names.isEmpty ? nil : names.joined(separator: ", ")
        }
        let priors = suites.count { $0.role == .prior }
        let held = priors == 1 ? "the prior suite held" : "all \(priors) prior suites held"
        switch decision {
        case .accept:
            guard let gained = names(.gained) else { return "Accepted: \(held)." }
            return priors == 0 ? "Accepted: \(gained) gained." : "Accepted: \(gained) gained and \(held)."
        case .reject:
            let parts = [
                names(.regressed).map { "\($0) lost more than the margin" },
                names(.notGained).map { "a gain on \($0) is ruled out" },
            ]
            return "Rejected: \(parts.compactMap(\.self).joined(separator: "; "))."
        case .inconclusive:
            guard let open = names(.undecided) else { return "Inconclusive: no suite was compared." }
            return "Inconclusive: the answers do not decide \(open)."
        }
    }
}

extension SuiteComparison {
    /// What this comparison showed, in one sentence for people; a second one where the anchor differs from itself.
    public var sentence: String {
        var finding = finding
        if let look { finding += " Look \(look.index) of \(look.of), \(look.used) of \(look.total) items." }
        guard let noise, noise.isNoisy else { return finding }
        return finding
            + " Two runs of the anchor gave \(noise.changed) other answers and \(noise.flips) flips of "
            + "\(noise.count), so it was run again beside the candidate."
    }

    private var finding: String {
        let reference = role == .new ? "parent" : "anchor"
        let scores =
            "\(suite): \(percent(candidateScore)) against \(percent(anchorScore)) of its \(reference) "
            + "\(anchor.short) (\(c) won, \(b) lost of \(count)); "
        let confidence = percent(1 - alpha)
        switch state {
        case .held:
            let drop = isSignificantDrop ? ", though a drop inside the margin is certain" : ""
            return scores
                + "it holds: with \(confidence) confidence the change is above \(Self.points(lower)), "
                + "inside the margin of \(Self.points(margin, signed: false))\(drop)."
        case .regressed:
            return scores + "it regressed: with \(confidence) confidence the change is below "
                + "\(Self.points(upper)), beyond the margin of \(Self.points(margin, signed: false))."
        case .gained:
            return scores
                + "it gained: with \(confidence) confidence the change is above \(Self.points(lower))."
        case .notGained:
            return scores
                + "no gain: with \(confidence) confidence the change is at most \(Self.points(upper))."
        case .undecided:
            let question = role == .new ? "a gain" : "a margin of \(Self.points(margin, signed: false))"
            return scores
                + "undecided: the change lies between \(Self.points(lower)) and \(Self.points(upper)) "
                + "(\(confidence) confidence each), too wide to settle \(question)."
        }
    }

    private static func points(_ value: Double, signed: Bool = true) -> String {
        String(format: signed ? "%+.1f points" : "%.1f points", value * 100)
    }
}
