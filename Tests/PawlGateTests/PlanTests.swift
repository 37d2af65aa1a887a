import Foundation
import PawlCore
import Testing

@testable import PawlGate

@Suite("Plans")
struct PlanTests {
    private let anchor = Digest(of: Array("anchor".utf8))

    private func plan(
        count: Int, margin: String = "0.05", attempt: Int = 1, flips: FlipRate = .assumed, among: Int = 1
    ) throws -> PriorPlan {
        PriorPlan(
            try suite(count: count, margin: margin), anchor: anchor, attempt: attempt, flipRate: flips,
            among: among)
    }

    @Test("a prior suite's row says what its bounds will say")
    func row() throws {
        let row = try plan(count: 200)
        #expect(row.alpha == AlphaSpending.alpha(attempt: 1))
        #expect(
            row.unchangedHolds
                == Power.lowerBoundExceeds(margin: 0.05, count: 200, flipRate: 0.1, alpha: row.alpha))
        #expect(row.smallestMargin == 0.065)  // docs/gate.md has it from SciPy's enumeration
        #expect(row.isDeclared && row.canHold && !row.flipRate.isMeasured)
    }

    @Test("so many items are needed as give the power, and a hundredth fewer do not")
    func unitsNeeded() throws {
        let row = try plan(count: 200)
        let needed = try #require(row.unitsNeeded)
        func power(_ count: Int) -> Double {
            Power.unchangedHolds(
                metric: .accuracy, count: count, flipRate: 0.1, margin: 0.05, alpha: row.alpha)
        }
        #expect(power(needed) >= 0.8)
        #expect(power(needed * 98 / 100) < 0.8)
        #expect(try plan(count: 200, margin: "0.00001").unitsNeeded == nil)
    }

    @Test("an automatic margin is the smallest that can be certified")
    func automatic() throws {
        let row = try plan(count: 200, margin: "\"auto\"")
        #expect(!row.isDeclared && row.margin == row.smallestMargin)
    }

    @Test("equal answers to few items cannot show a small margin, and the plan says so")
    func obstacles() throws {
        let few = try plan(count: 30)
        // -z²/(n + z²) at n = 30, alpha 0.0304: a loss of 10.5 points is not ruled out.
        #expect(!few.canHold)
        let obstacle = try #require(GatePlan(priors: [few], new: nil).obstacles.first)
        #expect(obstacle.contains("capitals") && obstacle.contains("30 items"))
        #expect(GatePlan(priors: [try plan(count: 200)], new: nil).obstacles.isEmpty)
    }

    @Test("a low chance is an obstacle where the flip rate was measured, not where it is assumed")
    func lowChance() throws {
        let measured = try plan(count: 100, margin: "0.05", flips: FlipRate(flipped: 400, of: 1000))
        let chance = GatePlan(priors: [measured, measured], new: nil)
        #expect(chance.unchangedPasses == measured.unchangedHolds * measured.unchangedHolds)
        #expect(chance.unchangedPasses < GatePlan.leastChance && chance.obstacles.count == 1)
        let assumed = try plan(count: 70, margin: "0.05", attempt: 1)
        #expect(assumed.canHold)
        #expect(GatePlan(priors: [assumed, assumed, assumed], new: nil).obstacles.isEmpty)
    }

    @Test("what a successor is expected to show is what its items do when they are drawn one by one")
    func successor() {
        let standing = Standing(bothRight: 280, bothWrong: 100, lost: 12, won: 8)
        let exact = standing.successorHolds(flipRate: 0.06, margin: 0.05, alpha: 0.0304)
        var random = SystemRandomNumberGenerator()
        let losing = 0.06 * 400 / 2 / 288
        let winning = 0.06 * 400 / 2 / 112
        func draw(_ count: Int, _ p: Double) -> Int {
            (0..<count).count { _ in Double.random(in: 0..<1, using: &random) < p }
        }
        let runs = 4000
        let held = (0..<runs).count { _ in
            let b = draw(12, 1 - winning) + draw(280, losing)
            let c = draw(8, 1 - losing) + draw(100, winning)
            return Tango.bounds(b: b, c: c, count: 400, alpha: 0.0304).lower > -0.05
        }
        // Five standard errors: once in a million runs of this test it fails by chance.
        let error = (exact * (1 - exact) / Double(runs)).squareRoot()
        #expect(abs(Double(held) / Double(runs) - exact) < 5 * error)
    }

    @Test("from the anchor itself a successor is about as likely to hold as any unchanged model")
    func standingAtTheAnchor() {
        let standing = Standing(bothRight: 150, bothWrong: 50, lost: 0, won: 0)
        let exact = standing.successorHolds(flipRate: 0.1, margin: 0.05, alpha: 0.0304)
        let any = Power.lowerBoundExceeds(margin: 0.05, count: 200, flipRate: 0.1, alpha: 0.0304)
        #expect(abs(exact - any) < 0.02)
        let worse = Standing(bothRight: 142, bothWrong: 50, lost: 8, won: 0)
        #expect(worse.successorHolds(flipRate: 0.1, margin: 0.05, alpha: 0.0304) < exact / 2)
    }

    @Test("a new suite shows a gain from a size on, and three items show none")
    func newSuite() throws {
        let plan = NewPlan(try suite(count: 240), attempt: 1)
        let gain = try #require(plan.smallestGain)
        func shown(_ gain: Double) -> Double {
            Power.lowerBoundExceeds(
                margin: 0, count: 240, flipRate: gain, change: gain, alpha: plan.alpha)
        }
        #expect(shown(gain) >= 0.8 && shown(gain - 0.001) < 0.8)
        let tiny = GatePlan(priors: [], new: NewPlan(try suite(count: 3), attempt: 1))
        #expect(tiny.new?.smallestGain == nil && tiny.obstacles.count == 1)
    }

    @Test("the normal distribution function is the inverse of its quantiles")
    func cumulative() {
        for p in [0.001, 0.0304, 0.2, 0.5, 0.8, 0.975, 0.9999] {
            #expect(abs(Normal.cumulative(Normal.quantile(p)) - p) < 1e-14)
        }
    }
}
