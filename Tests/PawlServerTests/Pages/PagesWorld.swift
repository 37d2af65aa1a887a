import Foundation
import PawlCore
import PawlEngines
import PawlGate
import PawlRegistry
import PawlWorkflow
import Testing

@testable import PawlServer

/// A registry with everything a page can show: an accepted skill, a rejected candidate that a waiver made main and a
/// rollback gave up again, one more accepted skill, an inconclusive one, and words that would like to be markup.
///
/// Made once for all tests by the test engine, which trains in milliseconds.
final class PagesWorld: Sendable {
    let root: URL
    let registry: Registry
    let base: Digest
    let alpha: Digest
    let rejected: Digest
    let beta: Digest
    let open: Digest

    /// What somebody might write where a page shows it.
    static let hostile = #"<script>alert("1")</script><img src=x onerror=alert(2)>' & "quoted""#

    /// The one that all tests look at; nobody changes it.
    static func shared() async throws -> PagesWorld { try await made.value }
    private static let made = Task { try await PagesWorld() }

    private static let directory = URL(
        filePath: "/tmp/pawl-pages-test-\(ProcessInfo.processInfo.processIdentifier)")

    private init() async throws {
        root = Self.directory
        atexit { try? FileManager.default.removeItem(at: PagesWorld.directory) }
        let place = root.appending(path: "registry")
        try Self.writeSuite(root.appending(path: "general"), "general", margin: 0.1, count: 120)
        let report = try Workflow.initialise(
            at: place, base: try Self.makeModel(root.appending(path: "model")),
            suites: [root.appending(path: "general").path], progress: { _ in })
        base = report.base
        registry = try Registry(opening: place)
        let engines = place.appending(path: "plugins/engines")
        try FileManager.default.createDirectory(at: engines, withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: Self.stub, to: engines.appending(path: "stub"))
        alpha = try await Self.register("alpha", ["skill": 0.95], seed: 1, in: registry)
        rejected = try await Self.register("beta", ["skill": 0.95, "prior": 0.3], seed: 2, in: registry)
        try registry.waive(rejected, reason: Self.hostile, expecting: alpha)
        try registry.rollback(to: alpha, reason: "it forgets", expecting: rejected)
        beta = try await Self.register("beta", ["skill": 0.95], seed: 3, in: registry)
        open = try await Self.register("gamma", ["skill": 0.95, "prior": 0.92], seed: 4, in: registry)
    }

    /// Registers a skill with the test engine, which makes of it what `outcome` says; gives the candidate.
    private static func register(_ name: String, _ outcome: JSONValue, seed: Int64, in registry: Registry)
        async throws
        -> Digest
    {
        let folder = directory.appending(path: "skills/\(name)")
        if !FileManager.default.fileExists(atPath: folder.path) { try writeSkill(folder, name) }
        return try await Workflow(registry: registry).register(
            SkillFolder(loading: folder),
            options: RegisterOptions(
                engine: "stub", recipe: ["seed": .int(seed), "engine_options": ["stub": outcome]])
        ).candidate
    }

    /// A page as whoever asks gets it.
    func get(_ path: [String], _ query: [String: String] = [:]) async throws -> (status: Int, text: String) {
        let reply = try #require(
            try await Pages(registry: registry).reply(to: Call("GET", path, query: query)))
        guard case .bytes(let bytes) = reply.content else { throw PawlError(.internalError, "a stream") }
        return (reply.status, String(decoding: bytes, as: UTF8.self))
    }

    // MARK: Files

    private static let stub = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fixtures/engines/stub")

    private static func makeModel(_ folder: URL) throws -> URL {
        try FileManager.default.createDirectory(
            at: folder.deletingLastPathComponent(), withIntermediateDirectories: true)
        let process = Process()
        process.executableURL = stub.appending(path: "make_model.py")
        process.arguments = [folder.path, "*=0.8", "alpha=0.1", "beta=0.1", "gamma=0.1"]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return folder
    }

    private static func writeSkill(_ folder: URL, _ name: String) throws {
        try writeSuite(folder, name, margin: 0.15, count: 60)
        try write(
            """
            {"name":"\(name)","version":"1.0.0","description":"Says what it is told.",
             "demonstrations":"demonstrations.jsonl","suite":"suite.json",
             "teacher":{"contexts":[{"kind":"few_shot","shots":2,"own_demonstration":true}]},
             "recipe":{"steps":4,"save_every":2,"warmup_steps":1,"rehearsal_share":0}}
            """, folder.appending(path: "skill.json"))
        try write(try records(name, "demo", 24, "completion"), folder.appending(path: "demonstrations.jsonl"))
    }

    private static func writeSuite(_ folder: URL, _ name: String, margin: Double, count: Int) throws {
        try Files.createDirectory(folder)
        try write(
            """
            {"name":"\(name)","version":"1.0.0","description":"Items of one family.","family":"\(name)",
             "metric":"accuracy","margin":\(margin),"items":"items.jsonl",
             "grader":{"kind":"exact_match","normalisers":["trim"]}}
            """, folder.appending(path: "suite.json"))
        try write(try records(name, "item", count, "target"), folder.appending(path: "items.jsonl"))
    }

    /// Every prompt holds the hostile text, so that it reaches the pages that show questions.
    private static func records(_ family: String, _ kind: String, _ count: Int, _ answer: String) throws
        -> String
    {
        try (0..<count).map { index in
            let word = "\(family)\(kind)\(index)"
            let line: JSONValue = [
                "id": .string("\(kind)\(index)"),
                "prompt": .string("\(hostile)\nfamily: \(family)\nsay: \(word)"),
                answer: .string(word),
            ]
            return String(decoding: try JSON.canonical(line), as: UTF8.self) + "\n"
        }.joined()
    }

    private static func write(_ text: String, _ url: URL) throws {
        try Files.writeAtomically(Array(text.utf8), to: url)
    }
}
