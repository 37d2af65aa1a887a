internal import Foundation
public import PawlCore

/// What the gate will be able to decide about a candidate that does not exist yet (schemas/plan.json).
public struct GatePlan: Codable, Sendable, Hashable {
    /// The suites that must hold.
    public let priors: [PriorPlan]
    /// The suite of the new skill; nil where none is being acquired.
    public let new: NewPlan?
    /// The chance that a model which is no different on the whole, but flips as many answers as assumed, is shown to
    /// hold on every prior suite; their flips are taken as independent.
    public let unchangedPasses: Double

    /// Puts a plan together.
    public init(priors: [PriorPlan], new: NewPlan?) {
        self.priors = priors
        self.new = new
        unchangedPasses = priors.reduce(1) { $0 * $1.unchangedHolds * ($1.sealed?.unchangedHolds ?? 1) }
    }

    private enum CodingKeys: String, CodingKey {
        case priors, new, unchangedPasses = "unchanged_passes"
    }

    /// Below this chance a plan whose flip rates are all measured is not worth a training.
    public static let leastChance = 0.05

    /// Why no candidate can be accepted by this plan; empty when one can.
    ///
    /// Two reasons are certain: a suite that not even equal answers would show to hold, and a new suite on which not even
    /// a full score over none would be a gain. A low chance counts where the flip rates were measured; an assumed rate
    /// is no ground to stop somebody.
    public var obstacles: [String] {
        var found = priors.filter { !$0.canHold }.map { prior in
            "\(prior.suite): even equal answers to its \(prior.units) items could not show that a loss of "
                + "\(points(prior.margin)) points is ruled out at attempt \(prior.attempt)"
        }
        found += priors.filter { $0.sealed?.canHold == false }.map { prior in
            "\(prior.suite): even equal answers to its \(prior.sealed?.units ?? 0) sealed items could not show that a "
                + "loss of \(points(prior.margin)) points is ruled out"
        }
        if let new, new.smallestGain == nil {
            found.append("\(new.suite): its \(new.units) items could not show any gain")
        }
        if found.isEmpty, unchangedPasses < Self.leastChance, priors.allSatisfy(\.flipRate.isMeasured) {
            let chance = String(format: "%.1f%%", unchangedPasses * 100)
            found.append(
                "at the flip rates of earlier verdicts an unchanged model passes all \(priors.count) suites in "
                    + "\(chance) of cases only")
        }
        return found
    }

    private func points(_ fraction: Double) -> String { String(format: "%.1f", fraction * 100) }
}

/// How many answers change between two checkpoints, and where that figure comes from.
public struct FlipRate: Codable, Sendable, Hashable {
    /// Share of items.
    public let rate: Double
    /// Number of answers compared in earlier verdicts; 0 when the rate is assumed.
    public let compared: Int

    /// True when earlier verdicts measured it.
    public var isMeasured: Bool { compared > 0 }

    /// What is assumed while no verdict has measured one.
    public static let assumed = FlipRate(rate: Power.assumedFlipRate, compared: 0)

    /// The rate of earlier comparisons.
    public init(flipped: Int, of compared: Int) {
        precondition(compared > 0 && (0...compared).contains(flipped))
        self.init(rate: Double(flipped) / Double(compared), compared: compared)
    }

    private init(rate: Double, compared: Int) {
        self.rate = rate
        self.compared = compared
    }
}

/// A prior suite in a plan.
public struct PriorPlan: Codable, Sendable, Hashable {
    /// Name of the suite.
    public let suite: String
    /// Digest of the suite.
    public let suiteDigest: Digest
    /// The checkpoint that a candidate is compared with.
    public let anchor: Digest
    /// Number of items.
    public let count: Int
    /// What the comparison counts as independent: items, or clusters of a mean.
    public let units: Int
    /// Number of the coming attempt against this anchor.
    public let attempt: Int
    /// Error probability of each bound at that attempt; where a suite allows several looks, at the last one.
    public let alpha: Double
    /// How many answers are expected to change.
    public let flipRate: FlipRate
    /// The margin that will be asked for; where the suite leaves it open, the smallest that can be certified. 1 when
    /// none can.
    public let margin: Double
    /// Whether the suite declares its margin.
    public let isDeclared: Bool
    /// The smallest margin at which an unchanged model holds with probability 0.8^(1/K), K suites being judged together;
    /// nil when there is none.
    public let smallestMargin: Double?
    /// Where the checkpoint that would be trained from stands against the anchor; nil where it was not measured, or has
    /// no right and wrong.
    public let standing: Standing?
    /// The chance that a model which is no different from that checkpoint on the whole is shown to hold.
    public let unchangedHolds: Double
    /// About how many items (or clusters) that margin needs for the same power; nil when a million are too few.
    public let unitsNeeded: Int?
    /// False when not even equal answers would show that the suite holds.
    public let canHold: Bool
    /// The sealed items, which must hold as well before a promotion; nil when there are none.
    public let sealed: SealedPlan?

    private enum CodingKeys: String, CodingKey {
        case sealed
        case suite, suiteDigest = "suite_digest", anchor, count, units, attempt, alpha, flipRate = "flip_rate"
        case margin, isDeclared = "declared", smallestMargin = "smallest_margin"
        case standing, unchangedHolds = "unchanged_holds", unitsNeeded = "units_needed", canHold = "can_hold"
    }

    /// Plans the judgement of a suite.
    ///
    /// - Parameters:
    ///   - attempt: the coming one against this anchor, 1-based.
    ///   - standing: of the checkpoint that would be trained from, for an accuracy suite.
    ///   - flipRate: of a candidate against that checkpoint.
    ///   - suites: number of prior suites that are judged together.
    ///   - opening: the coming opening of the sealed items against this anchor, 1-based.
    public init(
        _ suite: Suite, anchor: Digest, attempt: Int, opening: Int = 1, standing: Standing? = nil,
        flipRate: FlipRate,
        among suites: Int
    ) {
        self.suite = suite.name
        suiteDigest = suite.digest
        self.anchor = anchor
        count = suite.items.count
        units = suite.units
        self.attempt = attempt
        alpha = suite.alpha(attempt: attempt)
        self.flipRate = flipRate
        let parts = [(units, alpha)] + (suite.sealed.map { [($0.units, $0.alpha(attempt: opening))] } ?? [])
        let margins = parts.map { units, alpha in
            Power.automaticMargin(
                metric: suite.metric, count: units, flipRate: flipRate.rate, alpha: alpha, suites: suites)
        }
        // What all parts can certify.
        smallestMargin = margins.contains(nil) ? nil : margins.compactMap(\.self).max()
        if case .fraction(let declared) = suite.manifest.margin {
            margin = declared
            isDeclared = true
        } else {
            margin = smallestMargin ?? 1
            isDeclared = false
        }
        self.standing = standing
        unchangedHolds =
            standing?.successorHolds(flipRate: flipRate.rate, margin: margin, alpha: alpha)
            ?? Power.unchangedHolds(
                metric: suite.metric, count: units, flipRate: flipRate.rate, margin: margin, alpha: alpha)
        unitsNeeded = Power.itemsNeeded(
            metric: suite.metric, flipRate: flipRate.rate, margin: margin, alpha: alpha,
            power: pow(Power.usual, 1 / Double(suites)))
        canHold =
            (isDeclared || smallestMargin != nil)
            && Power.canHold(metric: suite.metric, count: units, margin: margin, alpha: alpha)
        let margin = margin
        sealed = suite.sealed.map { SealedPlan($0, opening: opening, margin: margin, flipRate: flipRate) }
    }
}

/// The sealed items of a prior suite in a plan.
public struct SealedPlan: Codable, Sendable, Hashable {
    /// Number of sealed items.
    public let count: Int
    /// What the comparison counts as independent: items, or clusters of a mean.
    public let units: Int
    /// Number of the coming opening against the anchor.
    public let opening: Int
    /// Error probability of each bound at that opening.
    public let alpha: Double
    /// The chance that a model which is no different on the whole is shown to hold on them.
    public let unchangedHolds: Double
    /// False when not even equal answers would show that they hold.
    public let canHold: Bool

    private enum CodingKeys: String, CodingKey {
        case count, units, opening, alpha, unchangedHolds = "unchanged_holds", canHold = "can_hold"
    }

    init(_ part: Suite, opening: Int, margin: Double, flipRate: FlipRate) {
        count = part.items.count
        units = part.units
        self.opening = opening
        alpha = part.alpha(attempt: opening)
        unchangedHolds = Power.unchangedHolds(
            metric: part.metric, count: units, flipRate: flipRate.rate, margin: margin, alpha: alpha)
        canHold = Power.canHold(metric: part.metric, count: units, margin: margin, alpha: alpha)
    }
}

/// The new skill's suite in a plan.
public struct NewPlan: Codable, Sendable, Hashable {
    /// Name of the suite.
    public let suite: String
    /// Digest of the suite.
    public let suiteDigest: Digest
    /// Number of items.
    public let count: Int
    /// What the comparison counts as independent.
    public let units: Int
    /// Number of the coming attempt against the parent.
    public let attempt: Int
    /// Error probability of each bound at that attempt; where a suite allows several looks, at the last one.
    public let alpha: Double
    /// The smallest true gain that is shown with probability 0.8; nil when none is.
    public let smallestGain: Double?

    private enum CodingKeys: String, CodingKey {
        case suite, suiteDigest = "suite_digest", count, units, attempt, alpha, smallestGain = "smallest_gain"
    }

    /// Plans the judgement of a new skill.
    public init(_ suite: Suite, attempt: Int) {
        self.suite = suite.name
        suiteDigest = suite.digest
        count = suite.items.count
        units = suite.units
        self.attempt = attempt
        alpha = suite.alpha(attempt: attempt)
        // A gain flips answers of its own; nothing is assumed beyond them.
        smallestGain = Power.smallestGain(metric: suite.metric, count: units, flipRate: 0, alpha: alpha)
    }
}
