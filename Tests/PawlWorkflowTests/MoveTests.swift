import Foundation
import PawlCore
import PawlGate
import PawlRegistry
import PawlStore
import Testing

@testable import PawlWorkflow

@Suite("Waivers, rollbacks and imports", .tags(.moves))
struct MoveTests {
    @Test("a waiver makes a harmful candidate main, and what it harmed no longer counts as held")
    func waiver() async throws {
        let world = try World()
        try await world.register("alpha")
        let harmful = try await world.register("beta", .reject)
        let main = try world.registry.main()
        #expect(try world.registry.skills(of: main).map(\.state) == [.held])
        try world.registry.waive(harmful.candidate, reason: "a test", expecting: main)
        #expect(try world.registry.main() == harmful.candidate)
        let states = Dictionary(
            uniqueKeysWithValues: try world.registry.skills(of: harmful.candidate).map {
                ($0.skill ?? "", $0.state)
            })
        #expect(states == ["alpha": .regressed, "beta": .held])
        #expect(try world.registry.generalSuites(of: harmful.candidate).map(\.state) == [.regressed])
        #expect(try world.registry.journal().last?.reason == "a test")
        try world.expectSound()
    }

    @Test(
        "after a waiver the next registration is warned of what main lost and judged against the old anchors")
    func afterWaiver() async throws {
        let world = try World()
        let harmful = try await world.register("alpha", .reject)
        try world.registry.waive(harmful.candidate, reason: "a test", expecting: world.base)
        let next = try await world.register("beta")
        #expect(world.notices.all.contains { $0.contains("does not hold general") })
        #expect(next.verdict.decision == .reject)
        #expect(next.verdict.suites.first { $0.suite == "general" }?.anchor == world.base)
    }

    @Test("an inconclusive candidate that is waived shows waived, never held")
    func waivedInconclusive() async throws {
        let world = try World()
        let candidate = try await world.register("alpha", .inconclusive).candidate
        try world.registry.waive(candidate, reason: "a test", expecting: world.base)
        #expect(try world.registry.generalSuites(of: candidate).map(\.state) == [.waived])
    }

    @Test("a rollback to a rejected candidate is refused and points to the waiver")
    func rollbackToRejected() async throws {
        let world = try World()
        try await world.register("alpha")
        let rejected = try await world.register("beta", .reject).candidate
        let main = try world.registry.main()
        let error = try await failure {
            try world.registry.rollback(to: rejected, reason: "a test", expecting: main)
        }
        #expect(error.code == .usage)
        #expect(error.description.contains("promote") && error.description.contains("--waive"))
        #expect(try world.registry.main() == main)
    }

    @Test("a rollback brings the anchors and the attempts of the line back")
    func rollbackAnchors() async throws {
        let world = try World()
        func anchors() throws -> [String: Digest] {
            Dictionary(
                uniqueKeysWithValues: try world.registry.anchors(at: world.registry.main()).map {
                    ($0.name, $0.anchor)
                })
        }
        #expect(try anchors() == ["general": world.base])
        let first = try await world.register("alpha").candidate
        let afterFirst = try anchors()
        #expect(afterFirst == ["general": world.base, "alpha": first])
        let second = try await world.register("beta").candidate
        #expect(try anchors() == ["general": world.base, "alpha": first, "beta": second])
        try world.registry.rollback(to: first, reason: "a test", expecting: second)
        #expect(try anchors() == afterFirst)
        #expect(try world.registry.skills(of: world.registry.main()).compactMap(\.skill) == ["alpha"])
        // The third attempt on general against the base: going back gives no alpha back.
        let again = try await world.register("beta", seed: 7)
        #expect(again.verdict.suites.first { $0.suite == "general" }?.attempt == 3)
        #expect(again.verdict.suites.first { $0.suite == "alpha" }?.attempt == 2)
        try world.expectSound()
    }

    @Test("an imported model waits for its verdict, and an accepted one can be promoted")
    func importation() async throws {
        let world = try World()
        let better = world.root.appending(path: "better")
        try World.makeModel(better, ["*=0.8", "general=0.97"])
        let workflow = world.workflow()
        let imported = try workflow.importCheckpoint(better, parent: world.base, note: "a test")
        #expect(try world.registry.checkpoint(imported.checkpoint).status == .candidate)
        #expect(try world.registry.main() == world.base)
        let report = try await workflow.gateRun(imported.checkpoint, suites: nil, engine: "stub")
        #expect(report.verdict.decision == .accept && report.isPromotable)
        try world.registry.promote(
            imported.checkpoint, expecting: world.base, by: report.verdictDigest)
        #expect(try world.registry.main() == imported.checkpoint)
        #expect(try world.registry.generalSuites(of: imported.checkpoint).map(\.state) == [.held])
        try world.expectSound()
    }

    @Test("a harmful import is rejected and cannot be promoted by its verdict")
    func harmfulImport() async throws {
        let world = try World()
        let worse = world.root.appending(path: "worse")
        try World.makeModel(worse, ["*=0.2"])
        let workflow = world.workflow()
        let imported = try workflow.importCheckpoint(worse, parent: world.base, note: nil)
        let report = try await workflow.gateRun(imported.checkpoint, suites: nil, engine: "stub")
        #expect(report.verdict.decision == .reject && !report.isPromotable)
        let error = try await failure {
            try world.registry.promote(
                imported.checkpoint, expecting: world.base, by: report.verdictDigest)
        }
        #expect(error.code == .conflict)
        #expect(try world.registry.main() == world.base)
    }

    @Test("importing the parent itself is refused")
    func importParent() async throws {
        let world = try World()
        let copy = world.root.appending(path: "copy")
        try world.registry.store.exportTree(world.base, to: copy, progress: nil)
        let error = try await failure {
            try world.workflow().importCheckpoint(copy, parent: world.base, note: nil)
        }
        #expect(error.code == .invalidArgument && error.message.contains("nothing to import"))
    }

    @Test("a gate run on main certifies anew, is no attempt and moves nothing")
    func gateRunOnMain() async throws {
        let world = try World()
        let main = try await world.register("alpha").candidate
        let report = try await world.workflow().gateRun(main, suites: nil, engine: "stub")
        #expect(!report.isPromotable)
        #expect(Set(report.verdict.suites.map(\.suite)) == ["general", "alpha"])
        #expect(try world.registry.main() == main)
        let suite = try #require(try world.registry.activeSuite("general")).digest
        #expect(try world.registry.attempts(suite: suite, anchor: world.base).count == 1)
        let error = try await failure {
            try await world.workflow().gateRun(main, suites: ["nonesuch"], engine: "stub")
        }
        #expect(error.code == .notFound && error.hint?.contains("general") == true)
    }
}
