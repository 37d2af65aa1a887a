import Foundation
import PawlCore
import PawlGate
import PawlRegistry
import Testing

@testable import PawlWorkflow

@Suite("Sealed items of a registration", .tags(.register))
struct SealedTests {
    private func openings(_ world: World) throws -> Int {
        let suite = try #require(try world.registry.activeSuite("general")).digest
        return try world.registry.openings(suite: suite, anchor: world.base)
    }

    @Test("they are opened when all else says ACCEPT, each time as another opening, and the verdict replays")
    func opened() async throws {
        let world = try World(margin: 0.15, items: 400, more: ",\"sealed\":0.4")
        let first = try await world.register("alpha")
        #expect(first.isPromoted)
        let sealed = try #require(first.verdict.sealed?.first)
        let open = try #require(first.verdict.suites.first { $0.suite == "general" })
        #expect(sealed.count + open.count == 400 && sealed.state == .held && sealed.attempt == 1)
        #expect(sealed.alpha == AlphaSpending.alpha(attempt: 1))
        let second = try await world.register("beta", seed: 2)
        #expect(second.isPromoted && second.verdict.sealed?.first?.attempt == 2)
        #expect(try openings(world) == 2)
        // No evaluation shows them, of the candidate or of the anchor.
        for checkpoint in [world.base, first.candidate, second.candidate] {
            for evaluation in try world.registry.evaluations(of: checkpoint)
            where evaluation.suite == open.suiteDigest {
                #expect(evaluation.count == open.count)
            }
        }
        let explained = try world.workflow().explain(first.verdictDigest, suites: ["general"])
        #expect(explained.suites.map(\.comparison.count) == [open.count])
        #expect(try world.workflow().replay(nil).isIdentical)
        try world.expectSound()
    }

    @Test("they stay closed while anything stands between a candidate and main, and in a gate run")
    func closed() async throws {
        let world = try World(margin: 0.15, items: 400, more: ",\"sealed\":0.4")
        let rejected = try await world.register("alpha", .reject)
        #expect(rejected.verdict.decision == .reject && rejected.verdict.sealed == nil)
        let run = try await world.workflow().gateRun(world.base, suites: nil, engine: "stub")
        #expect(run.verdict.decision == .accept && run.verdict.sealed == nil)
        #expect(try openings(world) == 0)
    }

    @Test("too few of them to decide are refused before the training; with force they leave it undecided")
    func tooFew() async throws {
        let world = try World(margin: 0.05, items: 400, more: ",\"sealed\":0.05")
        let error = try await failure { try await world.register("alpha") }
        #expect(error.code == .unsupported && error.message.contains("sealed items"))
        let report = try await world.workflow().register(
            world.skill("alpha"), options: world.options(.accept, force: true))
        #expect(report.verdict.decision == .inconclusive && !report.isPromoted)
        #expect(report.verdict.suites.allSatisfy { [.held, .gained].contains($0.state) })
        #expect(report.verdict.sealed?.first?.state == .undecided)
        // Whoever asks how the candidate stands is told what the sealed items say.
        let row = try world.registry.verdict(report.verdictDigest).suites.first { $0.name == "general" }
        #expect(row?.state == .undecided && row?.opening == 1)
    }
}
