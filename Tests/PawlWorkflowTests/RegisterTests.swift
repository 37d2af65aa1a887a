import PawlCore
import PawlGate
import PawlRegistry
import PawlStore
import Testing

@testable import PawlWorkflow

@Suite("Registering a skill", .tags(.register))
struct RegisterTests {
    @Test("an accepted skill becomes main, is held, and the journal tells how")
    func accept() async throws {
        let world = try World()
        let report = try await world.register("alpha")
        #expect(report.verdict.decision == .accept)
        #expect(report.isPromoted)
        #expect(try world.registry.main() == report.candidate)
        let state = try #require(try world.registry.skills(of: report.candidate).first)
        #expect(state.skill == "alpha" && state.state == .held && state.verdict == report.verdictDigest)
        #expect(
            try world.journal == [
                .`init`, .suiteAdded, .suiteAdded, .skillAdded, .evaluation, .noise, .candidate,
                .evaluation,
                .verdict,
                .promotion,
            ])
        #expect(
            world.notices.all.filter { !$0.hasPrefix(" ") }
                == RegistrationPhase.allCases.filter { $0 != .done && $0 != .rescue }.map(\.rawValue))
        try world.expectSound()
    }

    @Test("a skill that harms a prior suite is rejected: main stays, the candidate and its evidence are kept")
    func reject() async throws {
        let world = try World()
        let report = try await world.register("alpha", .reject)
        #expect(report.verdict.decision == .reject)
        #expect(!report.isPromoted)
        #expect(try world.registry.main() == world.base)
        #expect(try world.registry.checkpoint(report.candidate).status == .rejected)
        #expect(report.verdict.suites.first { $0.suite == "general" }?.state == .regressed)
        for evaluation in try world.registry.evaluations(of: report.candidate) {
            #expect(world.registry.store.hasDocument(evaluation.evidence))
        }
        #expect(try world.registry.skills(of: world.base).isEmpty)
        try world.expectSound()
    }

    @Test("an undecided prior suite makes the verdict inconclusive, which promotes nothing")
    func inconclusive() async throws {
        let world = try World()
        let report = try await world.register("alpha", .inconclusive)
        #expect(report.verdict.decision == .inconclusive)
        #expect(report.verdict.suites.first { $0.suite == "general" }?.state == .undecided)
        #expect(try world.registry.main() == world.base)
        #expect(try world.registry.checkpoint(report.candidate).status == .inconclusive)
    }

    @Test(
        "a skill that the model has already leaves nothing to distil: nothing is trained, nothing is left open"
    )
    func nothingToDistil() async throws {
        let world = try World()
        let error = try await failure { try await world.register("known") }
        #expect(error.code == .unsupported)
        #expect(error.message.contains("nothing to distil") && error.hint?.contains("--force") == true)
        #expect(try world.registry.checkpoints().count == 1)
        #expect(try world.registry.unfinishedRegistrations().isEmpty)
        #expect(try world.journal.last == .registrationAbandoned)
    }

    @Test("with force the same skill is trained, and the gate finds no gain")
    func forced() async throws {
        let world = try World()
        let report = try await world.workflow().register(
            world.skill("known"), options: world.options(.accept, force: true))
        #expect(report.verdict.decision != .accept)
        #expect(report.probe?.best == nil)
        #expect(try world.registry.main() == world.base)
    }

    @Test("the same seed gives the same checkpoint in another registry, another seed another one")
    func repeatable() async throws {
        let candidates = [
            try await World().register("alpha", seed: 1).candidate,
            try await World().register("alpha", seed: 1).candidate,
            try await World().register("alpha", seed: 2).candidate,
        ]
        #expect(candidates[0] == candidates[1])
        #expect(candidates[0] != candidates[2])
    }

    @Test(
        "an automatic margin above 5 points is refused, with force it is used, and refusing leaves nothing open"
    )
    func automaticMargin() async throws {
        let world = try World(margin: "auto", items: 40)
        let error = try await failure { try await world.register("alpha") }
        #expect(error.code == .unsupported)
        #expect(error.message.contains("general") && error.message.contains("40 items"))
        #expect(try world.registry.unfinishedRegistrations().isEmpty)
        #expect(try world.registry.checkpoints().count == 1)
        let report = try await world.workflow().register(
            world.skill("alpha"), options: world.options(.accept, force: true))
        let general = try #require(report.verdict.suites.first { $0.suite == "general" })
        #expect(general.margin > 0.05)
        #expect(error.message.contains(percent(general.margin)))
    }

    @Test("the k-th attempt against a suite and an anchor spends alpha * 6/(pi^2 k^2), whatever the skill")
    func attempts() async throws {
        let world = try World()
        let reports = [
            try await world.register("alpha", .reject, seed: 1),
            try await world.register("beta", .reject, seed: 2),
            try await world.register("alpha", .reject, seed: 3),
        ]
        for (index, report) in reports.enumerated() {
            let general = try #require(report.verdict.suites.first { $0.suite == "general" })
            let k = Double(index + 1)
            #expect(general.attempt == index + 1)
            #expect(abs(general.alpha - 0.05 * 6 / (.pi * .pi * k * k)) < 1e-12)
        }
        let suite = try #require(try world.registry.activeSuite("general")).digest
        #expect(try world.registry.attempts(suite: suite, anchor: world.base).count == 3)
    }

    @Test("the general suite keeps its anchor: after an acceptance it is still the base, never the parent")
    func anchorStays() async throws {
        let world = try World()
        let first = try await world.register("alpha")
        let second = try await world.register("beta")
        #expect(second.verdict.decision == .accept)
        let anchors = Dictionary(
            uniqueKeysWithValues: second.verdict.suites.map { ($0.suite, $0.anchor) })
        #expect(anchors == ["general": world.base, "alpha": first.candidate, "beta": first.candidate])
        #expect(try world.registry.skills(of: second.candidate).map(\.state) == [.held, .held])
    }
}
