import Foundation
import PawlCore
import PawlGate
import PawlRegistry
import Testing

@testable import PawlWorkflow

@Suite("Bisection of a line", .tags(.moves))
struct BisectTests {
    /// A line of imports, each made main by a waiver; the general family's quality is `quality(place)`.
    private func line(_ world: World, length: Int, quality: (Int) -> Double) throws -> [Digest] {
        var line = [world.base]
        for place in 1..<length {
            let folder = world.root.appending(path: "model-\(place)")
            // The other family makes every model another one.
            try World.makeModel(folder, ["*=\(quality(place))", "filler=\(Double(place) / 1000)"])
            let made = try world.workflow().importCheckpoint(folder, parent: line[place - 1], note: nil)
            try world.registry.waive(made.checkpoint, reason: "a test", expecting: line[place - 1])
            line.append(made.checkpoint)
        }
        return line
    }

    @Test("a regression planted in 64 checkpoints is found in at most 7 evaluations")
    func planted() async throws {
        let place = 23
        let world = try World()
        let line = try line(world, length: 64) { $0 < place ? 0.8 : 0.4 }
        let report = try await world.workflow().bisect(
            "general", good: nil, bad: try world.registry.main(), engine: "stub")
        #expect(report.firstBad == line[place] && report.lastGood == line[place - 1])
        #expect(report.evaluations <= 7 && report.steps.count <= 7, "\(report.evaluations)")
        let again = try await world.workflow().bisect(
            "general", good: nil, bad: try world.registry.main(), engine: "stub")
        #expect(again.evaluations == 0 && again.firstBad == report.firstBad)
        try world.expectSound()
    }

    @Test(
        "a gate run that rejects main names the newest former main that holds the suite, and what lies after it"
    )
    func cure() async throws {
        let world = try World()
        let line = try line(world, length: 8) { $0 < 5 ? 0.8 : 0.4 }
        let first = try await world.workflow().gateRun(line[7], suites: ["general"], engine: "stub")
        #expect(first.verdict.decision == .reject)
        // Only the anchor has a stored result: six checkpoints between it and main are unknown.
        #expect(first.cure?.checkpoint == world.base && first.cure?.unmeasured == 6)
        _ = try await world.workflow().bisect("general", good: nil, bad: line[7], engine: "stub")
        let second = try await world.workflow().gateRun(line[7], suites: nil, engine: "stub")
        #expect(second.cure?.checkpoint == line[4] && second.cure?.suites == ["general"])
        // Bisection measured the third, the fifth and the fourth of seven; the last but one stayed unknown.
        #expect(second.cure?.unmeasured == 1)
        try world.registry.rollback(to: line[4], reason: "cure", expecting: line[7])
        let cured = try await world.workflow().gateRun(line[4], suites: nil, engine: "stub")
        #expect(cured.verdict.decision == .accept && cured.cure == nil)
    }

    @Test("the first and the last update are found as well", arguments: [1, 4])
    func ends(_ place: Int) async throws {
        let world = try World()
        let line = try line(world, length: 5) { $0 < place ? 0.8 : 0.4 }
        let report = try await world.workflow().bisect("general", good: nil, bad: line[4], engine: "stub")
        #expect(report.firstBad == line[place] && report.lastGood == line[place - 1])
    }

    @Test("where nothing was lost, or the ends are no line, it says so")
    func nothingToFind() async throws {
        let world = try World()
        let line = try line(world, length: 3) { _ in 0.8 }
        let held = try await failure {
            try await world.workflow().bisect("general", good: nil, bad: line[2], engine: "stub")
        }
        #expect(held.code == .invalidArgument && held.message.contains("nothing to find"))
        let reversed = try await failure {
            try await world.workflow().bisect("general", good: line[2], bad: line[1], engine: "stub")
        }
        #expect(reversed.message.contains("no earlier checkpoint"))
        let unknown = try await failure {
            try await world.workflow().bisect("no-such", good: nil, bad: line[2], engine: "stub")
        }
        #expect(unknown.code == .notFound && unknown.hint?.contains("general") == true)
    }
}
