import Foundation
import PawlCore
import PawlGate
import PawlRegistry
import Testing

@testable import PawlWorkflow

@Suite("Going on with a registration", .tags(.resume))
struct ResumeTests {
    /// Stops a registration as soon as it says that it enters a phase.
    private func stop(_ world: World, at phase: RegistrationPhase) async throws {
        let skill = try world.skill("alpha")
        await #expect(throws: (any Error).self) {
            try await Task {
                try await world.workflow { line in
                    if line == phase.rawValue { withUnsafeCurrentTask { $0?.cancel() } }
                }.register(skill, options: world.options(.accept))
            }.value
        }
    }

    @Test(
        "stopped in any phase, it goes on to the same candidate and the same journal",
        arguments: RegistrationPhase.allCases.filter { ![.rescue, .promote, .done].contains($0) })
    func resume(_ phase: RegistrationPhase) async throws {
        let undisturbed = try World()
        let expected = try await undisturbed.register("alpha")
        let world = try World()
        try await stop(world, at: phase)
        let open = try #require(try world.registry.unfinishedRegistrations().first)
        #expect(open.skill == "alpha")
        try world.expectSound()
        let report = try #require(try await world.workflow().resume("alpha"))
        #expect(report.registration == open.id)
        #expect(report.candidate == expected.candidate)
        #expect(report.isPromoted)
        #expect(report.verdict.suites == expected.verdict.suites)
        #expect(try world.journal == undisturbed.journal)
        #expect(try world.registry.unfinishedRegistrations().isEmpty)
        try world.expectSound()
    }

    @Test(
        "stopped while it promotes, it has promoted: there is nothing to resume, or resuming changes nothing")
    func promoted() async throws {
        let world = try World()
        let report = try await Task {
            try await world.workflow { line in
                if line == "promote" { withUnsafeCurrentTask { $0?.cancel() } }
            }.register(world.skill("alpha"), options: world.options(.accept))
        }.value
        #expect(report.isPromoted)
        #expect(try await world.workflow().resume(nil) == nil)
    }

    @Test("a stop after each change of the registry costs no second attempt")
    func noSecondAttempt() async throws {
        let world = try World()
        let report = try await world.register("alpha")
        // As if the process had died before it could save that a phase was over.
        for phase in [RegistrationPhase.store, .evaluate, .verdict, .promote] {
            var registration = try #require(try world.registry.registrations().first)
            registration.phase = phase == .store ? RegistrationPhase.evaluate.rawValue : phase.rawValue
            registration.finished = nil
            registration.outcome = nil
            try world.registry.save(registration)
            let again = try #require(try await world.workflow().resume(nil))
            #expect(again.candidate == report.candidate)
            #expect(again.verdictDigest == report.verdictDigest)
        }
        let suite = try #require(try world.registry.activeSuite("general")).digest
        #expect(try world.registry.attempts(suite: suite, anchor: world.base).count == 1)
        #expect(try world.journal.filter { $0 == .promotion }.count == 1)
    }

    @Test("settings that it was not begun with are refused, by name; those that it was are no change")
    func otherSettings() async throws {
        let world = try World()
        try await stop(world, at: .train)
        let begun = try #require(try world.registry.unfinishedRegistrations().first)
        let recipe = try #require(begun.state["recipe"])
        let steps = try #require(recipe["steps"]?.int)
        let other: [String: JSONValue] = ["steps": .int(Int64(steps + 1)), "seed": .int(77)]
        let error = try await failure { try await world.workflow().resume(nil, recipe: other) }
        #expect(error.code == .conflict && error.message.hasSuffix(": seed, steps"))
        #expect(error.hint?.contains("--abandon") == true)
        let engine = try await failure { try await world.workflow().resume(nil, engine: "another") }
        #expect(engine.code == .conflict && engine.message.hasSuffix(": engine"))
        #expect(try world.registry.unfinishedRegistrations() == [begun])
        let same = try #require(recipe.object)
        #expect(
            try await world.workflow().resume(nil, recipe: same, engine: begun.state["engine"]?.string) != nil
        )
    }

    @Test("while one is unfinished, no other begins; given up, another may")
    func unfinished() async throws {
        let world = try World()
        try await stop(world, at: .train)
        let error = try await failure { try await world.register("beta") }
        #expect(error.code == .conflict)
        #expect(error.message.contains("alpha") && error.message.contains("train"))
        #expect(error.hint?.contains("--resume") == true && error.hint?.contains("--abandon") == true)
        let open = try #require(try world.registry.unfinishedRegistrations().first)
        try world.workflow().abandon(open.id, reason: "a test")
        #expect(try world.registry.journal().last?.reason == "a test")
        #expect(try await world.register("beta").isPromoted)
    }

    @Test(
        "a suite that is added while a training is stopped does not judge it, so it cannot promote; another can"
    )
    func frozenPlan() async throws {
        let world = try World()
        try await stop(world, at: .train)
        let folder = world.root.appending(path: "late")
        try World.writeSuite(folder, "late", margin: 0.1, count: 60)
        try world.workflow().addSuite(folder.path)
        let error = try await failure { try await world.workflow().resume(nil) }
        #expect(error.code == .conflict && error.message.contains("late"))
        #expect(error.hint?.contains("register again") == true)
        let verdict = try #require(try world.registry.journal().last { $0.kind == .verdict }?.verdict)
        #expect(Set(try world.registry.verdict(verdict).suites.map(\.name)) == ["alpha", "general"])
        #expect(try world.registry.unfinishedRegistrations().isEmpty)
        #expect(try world.registry.main() == world.base)
        let again = try await world.register("alpha")
        #expect(again.isPromoted)
        #expect(Set(again.verdict.suites.map(\.suite)) == ["alpha", "general", "late"])
        try world.expectSound()
    }

    @Test("a registration that runs holds the lease: another is told who and what")
    func lease() async throws {
        let world = try World()
        let lease = try world.registry.acquireLease("register beta")
        let error = try await failure { try await world.register("alpha") }
        #expect(error.code == .locked && error.message.contains("register beta"))
        lease.release()
        #expect(try await world.register("alpha").isPromoted)
    }
}
