import Foundation
import PawlCore
import PawlGate
import PawlRegistry
import PawlStore
import Testing

@testable import PawlWorkflow

@Suite("Plans, replays and explanations", .tags(.register))
struct ReplayTests {
    @Test("every verdict of a history comes out byte for byte, and a damaged answer is found")
    func replay() async throws {
        let world = try World()
        for (seed, outcome) in [Outcome.accept, .reject, .inconclusive].enumerated() {
            try await world.register(seed == 0 ? "alpha" : "beta", outcome, seed: seed + 1)
        }
        let report = try world.workflow().replay(nil)
        #expect(report.verdicts.map(\.decision) == [.accept, .reject, .inconclusive])
        #expect(report.isIdentical, "\(report)")

        let verdict = try #require(report.verdicts.last)
        let evidence = try #require(
            try world.workflow().verdictReport(verdict.verdict).suites.first?.candidateEvidence)
        try flipBit(ofObject: evidence, in: world)
        let again = try world.workflow().replay([verdict.verdict])
        #expect(!again.isIdentical)
        #expect(again.verdicts.first?.problem?.contains(evidence.hex.prefix(12)) == true)
    }

    @Test("a suite that brings its own program is judged by it, and the program is run again in a replay")
    func external() async throws {
        let world = try World()
        let folder = world.root.appending(path: "graded")
        try World.writeSuite(
            folder, "graded", family: "general", margin: 0.1, count: 120,
            grader: #"{"kind":"external","program":"grade.py"}"#)
        let program = """
            #!/usr/bin/env python3
            import json, sys
            for line in sys.stdin:
                item = json.loads(line)
                print(json.dumps({"id": item["id"], "score": int(item["response"] in item["targets"])}))
            """
        try Files.writeAtomically(Array(program.utf8), to: folder.appending(path: "grade.py"))
        try world.workflow().addSuite(folder.path)
        let report = try await world.workflow().gateRun(world.base, suites: nil, engine: "stub")
        let graded = try #require(report.verdict.suites.first { $0.suite == "graded" })
        #expect(report.verdict.decision == .accept && graded.candidateScore > 0.7)
        #expect(graded.canary?.damagedScore == 0)
        #expect(try world.workflow().replay(nil).isIdentical)
    }

    /// Every bit of a stored object counts, so any one does.
    private func flipBit(ofObject digest: Digest, in world: World) throws {
        let file = world.registry.root.appending(path: "objects/\(digest.hex.prefix(2))/\(digest.hex)")
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count / 2] ^= 1
        try FileManager.default.removeItem(at: file)
        try bytes.write(to: file)
    }

    @Test("an answer whose score its grader does not give is found, although its bytes have their digest")
    func forged() async throws {
        let world = try World()
        let report = try await world.register("alpha", .reject)
        let general = try #require(report.verdict.suites.first { $0.suite == "general" })
        let suite = try world.workflow().load(try world.registry.suite(general.suiteDigest))
        let honest = try Evidence(
            reading: world.registry.store.document(general.candidateEvidence), source: "evidence")
        #expect(throws: Never.self) { try suite.check(honest) }
        let forged = try Evidence(
            honest.results.map { result in
                ItemResult(
                    id: result.id, item: result.item, cluster: result.cluster, score: 1,
                    response: result.response, chosen: result.chosen, status: .ok)
            })
        #expect(throws: PawlError.self) { try suite.check(forged) }
    }

    @Test("an explanation has exactly the items that the verdict counts, with both answers")
    func explain() async throws {
        let world = try World()
        let report = try await world.register("alpha", .reject)
        let explained = try world.workflow().explain(report.verdictDigest, suites: nil)
        #expect(explained.suites.map(\.comparison) == report.verdict.suites)
        for part in explained.suites {
            #expect(part.flips.count { $0.isWon } == part.comparison.c)
            #expect(part.flips.count { !$0.isWon } == part.comparison.b)
            for flip in part.flips {
                let right = flip.isWon ? flip.candidate : flip.anchor
                let wrong = flip.isWon ? flip.anchor : flip.candidate
                #expect(flip.targets.contains(right.text ?? "") && !flip.targets.contains(wrong.text ?? ""))
            }
        }
        #expect(throws: PawlError.self) {
            try world.workflow().explain(report.verdictDigest, suites: ["no-such-suite"])
        }
        #expect(try world.registry.resolveVerdict(report.candidate.short) == report.verdictDigest)
        #expect(try world.registry.resolveVerdict(report.verdictDigest.short) == report.verdictDigest)
    }

    @Test("the first plan assumes a flip rate, the next one knows it; attempts count")
    func plan() async throws {
        let world = try World()
        let first = try world.workflow().plan(on: world.base, for: world.skill("alpha"))
        #expect(first.priors.map(\.suite) == ["general"] && first.new?.suite == "alpha")
        #expect(first.priors.first?.flipRate.isMeasured == false && first.priors.first?.attempt == 1)
        let report = try await world.register("alpha")
        let general = try #require(report.verdict.suites.first { $0.suite == "general" })
        let second = try world.workflow().plan(on: report.candidate, for: world.skill("beta"))
        let prior = try #require(second.priors.first { $0.suite == "general" })
        #expect(prior.attempt == 2 && prior.flipRate.compared == general.count)
        // The parent was the anchor then, so the verdict counted the same flips.
        #expect(prior.flipRate.rate == Double(general.b + general.c) / Double(general.count))
        #expect(prior.standing?.lost == general.b && prior.standing?.won == general.c)
    }

    @Test("a registration that no answers could pass is refused before anything is recorded")
    func hopeless() async throws {
        let world = try World(margin: 0.01, items: 60)
        let error = try await failure { try await world.register("alpha") }
        #expect(error.code == .unsupported && error.message.contains("general"))
        #expect(error.hint?.contains("gate plan") == true)
        #expect(try world.registry.unfinishedRegistrations().isEmpty)
        #expect(try world.journal.allSatisfy { $0 != .skillAdded })
    }

    @Test("demonstrations that ask what a suite asks are refused, with the item named")
    func contaminated() async throws {
        let world = try World()
        let folder = world.root.appending(path: "skills/alpha")
        let items = try String(contentsOf: folder.appending(path: "items.jsonl"), encoding: .utf8)
        let line = try #require(items.split(separator: "\n").first)
        let item = try JSON.parse(Array(line.utf8), source: "item")
        let copied: JSONValue = .object([
            "id": "copied", "prompt": try #require(item.object?["prompt"]), "completion": "x",
        ])
        let file = folder.appending(path: "demonstrations.jsonl")
        let demonstrations = try Data(contentsOf: file)
        try (demonstrations + Data(try JSON.canonical(copied)) + Data("\n".utf8)).write(to: file)
        let error = try await failure { try await world.register("alpha") }
        #expect(error.code == .invalidArgument && error.message.contains("copied"))
        #expect(try world.registry.unfinishedRegistrations().isEmpty)
    }
}
