import Foundation
import PawlCore
import PawlGate
import PawlRegistry
import PawlStore
import Testing

@testable import PawlWorkflow

@Suite("The noise of an anchor", .tags(.register))
struct NoiseTests {
    @Test("an engine that repeats itself: the anchor is run twice once, and its stored answers stand")
    func quiet() async throws {
        let world = try World()
        let first = try await world.register("alpha", .reject)
        let general = try #require(first.verdict.suites.first { $0.suite == "general" })
        #expect(general.noise?.isNoisy == false && general.noise?.count == general.count)
        #expect(general.noise?.first == general.anchorEvidence)
        let second = try await world.register("alpha", .reject, seed: 2)
        #expect(second.verdict.suites.first { $0.suite == "general" }?.noise == general.noise)
        #expect(try world.journal.count { $0 == .noise } == 1)
        #expect(!general.sentence.contains("Two runs"))
        try world.expectSound()
    }

    @Test(
        "an engine that differs from itself: the anchor runs again beside each candidate, and the verdict says so"
    )
    func noisy() async throws {
        // Half of the answers are drawn anew by each run.
        let world = try World(
            margin: 0.3, base: ["*=0.8", "alpha=0.1", "beta=0.1", "known=1.0", "$flaky=0.5"])
        let report = try await world.register("alpha", .accept)
        let general = try #require(report.verdict.suites.first { $0.suite == "general" })
        let noise = try #require(general.noise)
        #expect(noise.isNoisy && noise.flips > 0 && noise.flips <= noise.changed)
        #expect(general.sentence.contains("\(noise.flips) flips of 120"))
        #expect(![noise.first, noise.second].contains(general.anchorEvidence))
        #expect(world.notices.all.contains { $0.contains("general: two runs") })
        #expect(try world.workflow().replay(nil).isIdentical)
        let settings = try #require(general.settings)
        let known = try #require(
            try world.registry.noise(
                checkpoint: world.base, suite: general.suiteDigest, settings: settings))
        #expect(known.flips == noise.flips && known.first == noise.first)
        try world.expectSound()
    }

    @Test("noise as large as the margin stops: not even the anchor holds against itself")
    func tooNoisy() async throws {
        let world = try World()
        let workflow = world.workflow()
        let measured = try #require(
            try await workflow.measure(world.base, on: world.registry.suites(), engine: "stub").first)
        let first = try workflow.evidence(
            at: measured.record.evidence, of: world.base, workflow.load(measured.suite))
        // As if a second run had given the first 30 of 120 items up: 25 points, where the margin is 10.
        let second = try Evidence(
            first.results.enumerated().map { index, result in
                guard index < 30 else { return result }
                return ItemResult(id: result.id, item: result.item, score: 0, response: "?")
            })
        try world.registry.store.putDocument(second.bytes)
        let noise = try Noise(first, second)
        try world.registry.record(
            noise: [
                NoiseRecord(
                    checkpoint: world.base, suite: measured.suite.digest, settings: measured.record.settings,
                    first: noise.first, second: noise.second, count: noise.count, changed: noise.changed,
                    flips: noise.flips)
            ])
        let error = try await failure { try await world.register("alpha") }
        #expect(error.code == .evidenceInvalid && error.message.contains("noise"), "\(error)")
        #expect(try world.registry.registrations().first?.outcome == "canary")
        #expect(try world.registry.checkpoints().count == 1)
    }
}
