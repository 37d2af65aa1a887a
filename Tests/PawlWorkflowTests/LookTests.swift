import Foundation
import PawlCore
import PawlGate
import PawlRegistry
import Testing

@testable import PawlWorkflow

@Suite("Looks of a registration", .tags(.register))
struct LookTests {
    private func register(_ world: World, prior: Double) async throws -> RegistrationReport {
        try await world.workflow().register(
            world.skill("alpha"),
            options: RegisterOptions(
                engine: "stub",
                recipe: ["engine_options": ["stub": ["skill": 0.95, "prior": .double(prior)]]]))
    }

    @Test("what the first look decides needs no second one: the other items are never asked of the candidate")
    func decided() async throws {
        let world = try World(margin: 0.1, items: 400, more: ",\"looks\":3")
        let report = try await register(world, prior: 0.2)
        let general = try #require(report.verdict.suites.first { $0.suite == "general" })
        #expect(general.state == .regressed && general.look?.index == 1)
        #expect(general.count < 200 && general.look?.total == 400)
        #expect(try world.registry.evaluations(of: report.candidate).allSatisfy { $0.count < 200 })
        #expect(try world.workflow().replay(nil).isIdentical)
        try world.expectSound()
    }

    @Test("what it leaves open goes on, asks each item once, and the verdict replays; the attempt is one")
    func extended() async throws {
        // A loss of about 4 points is held by 400 items at a margin of 10 and not by a third of them.
        let world = try World(margin: 0.1, items: 400, more: ",\"looks\":3")
        let report = try await register(world, prior: 0.95)
        let general = try #require(report.verdict.suites.first { $0.suite == "general" })
        let look = try #require(general.look)
        #expect(look.index > 1 && general.count == look.used && general.state == .held)
        #expect(general.alpha < AlphaSpending.alpha(attempt: 1))
        #expect(world.notices.all.contains { $0.contains("look 2 at general") })
        let mine = try world.registry.evaluations(of: report.candidate).filter {
            $0.suite == general.suiteDigest
        }
        #expect(mine.map(\.count).sorted().last == look.used && mine.count == look.index)
        #expect(try world.registry.attempts(suite: general.suiteDigest, anchor: world.base).count == 1)
        // The next plan reads the flips of what both were asked.
        let plan = try world.workflow().plan(on: report.candidate, for: world.skill("beta"))
        let prior = try #require(plan.priors.first { $0.suite == "general" })
        #expect(prior.flipRate.compared == look.used && prior.standing?.count == 400)
        #expect(prior.flipRate.rate == Double(general.b + general.c) / Double(look.used))
        #expect(try world.workflow().replay(nil).isIdentical)
        #expect(try world.workflow().explain(report.verdictDigest, suites: nil).suites.count == 2)
        try world.expectSound()
    }

    @Test("a candidate that was measured whole is judged on the same items without asking again")
    func known() async throws {
        let world = try World(margin: 0.1, items: 400, more: ",\"looks\":2")
        let workflow = world.workflow()
        let suites = try world.registry.suites()
        _ = try await workflow.measure(world.base, on: suites, engine: "stub")
        let report = try await workflow.gateRun(world.base, suites: nil, engine: "stub")
        #expect(report.verdict.decision == .accept)
        #expect(report.verdict.suites.first?.look?.index == 1)
        // The whole and its second run; the look asked nothing.
        #expect(try world.registry.evaluations(of: world.base).count == 1)
        #expect(try workflow.replay(nil).isIdentical)
    }
}
