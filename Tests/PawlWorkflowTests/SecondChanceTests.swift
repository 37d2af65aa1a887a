import Foundation
import PawlCore
import PawlGate
import PawlModel
import PawlRegistry
import PawlStore
import Testing

@testable import PawlWorkflow

@Suite("Second chances", .tags(.register))
struct SecondChanceTests {
    private func options(_ stub: JSONValue, attempts: Int = 1, rescue: Bool = false) -> RegisterOptions {
        RegisterOptions(
            engine: "stub", recipe: ["seed": 1, "engine_options": .object(["stub": stub])],
            attempts: attempts, rescue: rescue)
    }

    @Test(
        "a rejected candidate is rescued: the furthest point that the gate accepts becomes main, with its origin"
    )
    func rescue() async throws {
        // The training takes the general suite from 80% to 24%; a quarter of the way loses 14 points of 30.
        let world = try World(margin: 0.3)
        let report = try await world.workflow().register(
            world.skill("alpha"), options: options(["skill": 0.95, "prior": 0.3], rescue: true))
        #expect(report.tries.map(\.sixteenths) == [nil, 8, 4, 6, 5])
        #expect(report.tries.first?.decision == .reject)
        let best = try #require(report.tries.last { $0.decision == .accept })
        #expect(report.candidate == best.candidate && report.isPromoted && best.isGained && best.isHeld)
        #expect(try world.registry.main() == best.candidate)
        // Every try that went further was not accepted.
        for attempt in report.tries where (attempt.sixteenths ?? 16) > best.sixteenths ?? 0 {
            #expect(attempt.decision != .accept)
        }
        let suite = try #require(try world.registry.activeSuite("general")).digest
        #expect(try world.registry.attempts(suite: suite, anchor: world.base).count == report.tries.count)
        let details = try #require(try world.registry.manifest(of: report.candidate).details)
        #expect(details["rescue"]?["candidate"]?.string == report.tries[0].candidate.hex)
        #expect(details["rescue"]?["sixteenths"]?.int == best.sixteenths)
        try expectBetween(world, report.tries[0].candidate, best)
        #expect(try world.workflow().replay(nil).isIdentical)
        try world.expectSound()
    }

    /// Its weights are those of the formula, and its other files the candidate's.
    private func expectBetween(_ world: World, _ trained: Digest, _ point: RegistrationTry) throws {
        let store = world.registry.store
        let models = try [world.base, trained, point.candidate].map { try StoredModel(store, $0) }
        func bytes(_ model: StoredModel, _ name: String) throws -> [UInt8] {
            var bytes: [UInt8] = []
            try model.read(name) { _, _, raw in bytes = Array(raw) }
            return bytes
        }
        var moved = 0
        for name in models[2].names {
            let dtype = try models[2].form(of: name).dtype
            let parts = try models.map { try bytes($0, name) }
            guard parts[0] != parts[1] else {
                #expect(parts[2] == parts[0])
                continue
            }
            moved += 1
            let t = Float(try #require(point.sixteenths)) / 16
            #expect(
                try parts[2] == Interpolation.bytes(dtype, parent: parts[0], candidate: parts[1], at: t))
        }
        #expect(moved >= 2)
    }

    @Test("stopped inside the search, it goes on to the same end and pays for no try twice")
    func resumed() async throws {
        let undisturbed = try World(margin: 0.3)
        let choices = options(["skill": 0.95, "prior": 0.3], rescue: true)
        let expected = try await undisturbed.workflow().register(undisturbed.skill("alpha"), options: choices)
        let world = try World(margin: 0.3)
        let skill = try world.skill("alpha")
        await #expect(throws: (any Error).self) {
            try await Task {
                try await world.workflow { line in
                    if line.contains("trying 6/16") { withUnsafeCurrentTask { $0?.cancel() } }
                }.register(skill, options: choices)
            }.value
        }
        let report = try #require(try await world.workflow().resume(nil))
        #expect(report.tries.map(\.candidate) == expected.tries.map(\.candidate))
        #expect(report.candidate == expected.candidate && report.isPromoted)
        let suite = try #require(try world.registry.activeSuite("general")).digest
        #expect(try world.registry.attempts(suite: suite, anchor: world.base).count == report.tries.count)
        try world.expectSound()
    }

    @Test("what was rejected for what it lost is trained again at half the rate, so often as was said")
    func attempts() async throws {
        let world = try World()
        let report = try await world.workflow().register(
            world.skill("alpha"), options: options(["skill": 0.95, "prior": 0.3], attempts: 3))
        #expect(report.tries.count == 3 && report.tries.allSatisfy { $0.decision == .reject })
        let rates = report.tries.map(\.learningRate)
        #expect(rates == [rates[0], rates[0] / 2, rates[0] / 4])
        #expect(Set(report.tries.map(\.candidate)).count == 3)
        #expect(report.candidate == report.tries.last?.candidate && !report.isPromoted)
        let recipe = try world.registry.manifest(of: report.candidate).recipe
        #expect(recipe?["learning_rate"] == .double(rates[2]))
        #expect(try world.registry.main() == world.base)
        #expect(try world.registry.unfinishedRegistrations().isEmpty)
        try world.expectSound()
    }

    @Test("no second chance for what gained nothing, and none where the first try is accepted")
    func notNeeded() async throws {
        let world = try World()
        let none = try await world.workflow().register(
            world.skill("alpha"), options: options(["skill": 0.0], attempts: 3, rescue: true))
        #expect(none.verdict.decision == .reject && none.tries.count == 1)
        let accepted = try await world.workflow().register(
            world.skill("alpha"), options: options(["skill": 0.95], attempts: 3, rescue: true))
        #expect(accepted.tries.count == 1 && accepted.isPromoted)
    }

    @Test("the search halves: too far brings it nearer, what holds takes it further, and four tries end it")
    func search() throws {
        let any = Digest(of: "any")
        for limit in 0..<16 {
            var tries: [RegistrationTry] = []
            while let place = RescueSearch(tries).next {
                let holds = place <= limit
                tries.append(
                    RegistrationTry(
                        candidate: any, verdict: any, decision: holds ? .accept : .reject, learningRate: 1,
                        sixteenths: place, isGained: true, isHeld: holds))
            }
            #expect(tries.count == 4)
            #expect(RescueSearch(tries).accepted?.sixteenths == (limit == 0 ? nil : limit))
        }
    }
}
