import Foundation
import PawlCore
import PawlEngines
import PawlGate
import PawlRegistry
import PawlStore
import Testing

@testable import PawlWorkflow

@Suite("General suites that another engine scores", .tags(.register))
struct HarnessTests {
    /// A world whose line is also guarded by a suite that the test harness scores; its documents are of the family `general`.
    private static func world(_ task: String = "{}", more: String = "") throws -> World {
        let world = try World()
        let plugins = world.root.appending(path: "registry/plugins")
        let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/engines/harness")
        try FileManager.default.copyItem(at: fixtures, to: plugins.appending(path: "engines/harness"))
        let folder = world.root.appending(path: "harness-suite")
        try Files.createDirectory(folder)
        let manifest = """
            {"name":"documents","version":"1.0.0","metric":"accuracy","margin":0.1,
             "grader":{"kind":"engine","engine":"harness","files":["words.txt"],"task":\(task)}\(more)}
            """
        let items = (0..<120).map {
            #"{"id":"i\#($0)","prompt":"q\#($0)","document":"general \#($0)"}"# + "\n"
        }
        for (name, text) in [
            ("suite.json", manifest), ("items.jsonl", items.joined()), ("words.txt", "words"),
        ] { try Files.writeAtomically(Array(text.utf8), to: folder.appending(path: name)) }
        try world.workflow().addSuite(folder.path)
        return world
    }

    @Test("a registration with one engine is judged by suites of two, and comes out the same in a replay")
    func registration() async throws {
        let world = try Self.world()
        let report = try await world.register("alpha")
        #expect(report.verdict.decision == .accept)
        #expect(Set(report.verdict.suites.map(\.suite)) == ["alpha", "general", "documents"])
        let comparison = try #require(report.verdict.suites.first { $0.suite == "documents" })
        #expect(comparison.count == 120 && comparison.state == .held && comparison.canary?.damagedScore == 0)
        // Each result names the engine that gave it, and is not asked for again.
        let records = try world.registry.evaluations(of: report.candidate)
        #expect(records.filter { $0.suite == comparison.suiteDigest }.map(\.engine.name) == ["harness"])
        #expect(records.filter { $0.suite != comparison.suiteDigest }.allSatisfy { $0.engine.name == "stub" })
        let suite = try world.registry.suite(comparison.suiteDigest)
        let again = try await world.workflow().measure(report.candidate, on: [suite], engine: "stub")
        #expect(again.map(\.isCached) == [true])
        #expect(try world.workflow().replay(nil).isIdentical)
        try world.expectSound()
    }

    @Test("a candidate that lost what only the harness sees is rejected")
    func rejection() async throws {
        let world = try Self.world()
        let report = try await world.register("alpha", .reject)
        #expect(report.verdict.decision == .reject)
        let comparison = try #require(report.verdict.suites.first { $0.suite == "documents" })
        #expect(comparison.state == .regressed)
        let explained = try world.workflow().explain(
            report.verdictDigest, suites: ["documents"])
        let flip = try #require(explained.suites.first?.flips.first)
        #expect(flip.anchor.text?.hasPrefix("right general") == true)
        #expect(flip.candidate.text?.hasPrefix("wrong general") == true)
    }

    @Test("a suite in parts: the harness is asked for the documents of each look alone")
    func looks() async throws {
        let world = try Self.world(more: #","looks":2"#)
        let report = try await world.register("alpha")
        let comparison = try #require(report.verdict.suites.first { $0.suite == "documents" })
        #expect(comparison.look != nil)
        #expect(try world.workflow().replay(nil).isIdentical)
    }

    @Test("documents that are not the task's are an error, not a verdict")
    func wrongDocuments() async throws {
        let world = try Self.world(#"{"known":["general 0"]}"#)
        let error = try await failure { try await world.register("alpha") }
        #expect(error.message.contains("the task has no document general 1"))
        #expect(try !world.journal.contains(.verdict))
        try world.expectSound()
    }

    @Test("a suite whose scores a blind model gets as well stops the run before anything is trained")
    func canary() async throws {
        let world = try Self.world(#"{"blind":1}"#)
        let error = try await failure { try await world.register("alpha") }
        #expect(error.code == .evidenceInvalid && error.message.contains("suite documents"))
        #expect(try !world.journal.contains(.candidate))
    }

    @Test("a plan knows the number of documents before any of them was asked")
    func plan() throws {
        let world = try Self.world()
        let plan = try world.workflow().plan(on: world.base, for: world.skill("alpha"))
        #expect(plan.priors.first { $0.suite == "documents" }?.count == 120)
    }

    @Test("a new registry is guarded by the suites that ship, but not by those that need another engine")
    func shipped() throws {
        let registry = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "registry")
        let names = try Workflow.generalSuites(in: PluginFolders(searchPath: [registry])).map(\.1.name)
        #expect(names.contains("world-facts") && !names.contains("glossary") && names.count == 7)
    }

    @Test("without the engine that a suite names there is no measurement")
    func missing() async throws {
        let world = try Self.world()
        try Files.remove(world.root.appending(path: "registry/plugins/engines/harness"))
        let error = try await failure { try await world.register("alpha") }
        #expect(error.code == .notFound && error.message.contains("harness"))
    }
}
