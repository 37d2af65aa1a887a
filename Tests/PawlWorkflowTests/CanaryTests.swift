import Foundation
import PawlCore
import PawlGate
import PawlRegistry
import Testing

@testable import PawlWorkflow

@Suite("Canaries of a registration", .tags(.register))
struct CanaryTests {
    /// A world with one more suite in force, on which the base gets a tenth right: less than its margin.
    private func worldWithAWeakSuite() throws -> World {
        let world = try World()
        let folder = world.root.appending(path: "weak")
        // The base gives 10% right answers in the family of the skill beta.
        try World.writeSuite(folder, "weak", family: "beta", margin: 0.25, count: 120)
        try world.workflow().addSuite(folder.path)
        return world
    }

    @Test("a suite that would accept a model which does not read the question stops before the training")
    func weak() async throws {
        let world = try worldWithAWeakSuite()
        let error = try await failure { try await world.register("alpha") }
        #expect(error.code == .evidenceInvalid)
        #expect(error.message.contains("suite weak") && error.message.contains("would be accepted"))
        #expect(error.hint?.contains("--force") == true)
        #expect(try world.registry.checkpoints().count == 1)
        let ended = try #require(try world.registry.registrations().first)
        #expect(ended.outcome == "canary" && ended.finished != nil)
        try world.expectSound()
    }

    @Test(
        "with force it goes on and says so; the verdict keeps what the canary found, and a replay finds the same"
    )
    func forced() async throws {
        let world = try worldWithAWeakSuite()
        let report = try await world.workflow().register(
            world.skill("alpha"), options: world.options(.accept, force: true))
        let weak = try #require(report.verdict.suites.first { $0.suite == "weak" }?.canary)
        #expect(weak.problem != nil && weak.damagedState == .held)
        let general = try #require(report.verdict.suites.first { $0.suite == "general" }?.canary)
        #expect(general.problem == nil && general.damagedState == .regressed)
        #expect(world.notices.all.contains { $0.contains("suite weak") && $0.contains("as told") })
        #expect(try world.workflow().replay(nil).isIdentical)
    }

    @Test("a gate run asks the same, of the suites that it was asked to run")
    func gateRun() async throws {
        let world = try worldWithAWeakSuite()
        let error = try await failure {
            try await world.workflow().gateRun(world.base, suites: nil, engine: "stub")
        }
        #expect(error.code == .evidenceInvalid && error.message.contains("weak"))
        let report = try await world.workflow().gateRun(world.base, suites: ["general"], engine: "stub")
        #expect(report.verdict.decision == .accept)
    }
}
