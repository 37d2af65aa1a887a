import Foundation
import PawlCore
import PawlRegistry
import PawlWorkflow
import Testing

@testable import PawlServer

/// A registry with the stub's base model, one general suite and the skills `alpha` and `beta`, and the API over it.
///
/// The base gives 80% right answers in the family `general` and 10% in the skills'.
final class APIWorld: Sendable {
    let root: URL
    let registry: Registry
    let api: API
    let front: Front

    init() throws {
        root = URL(filePath: "/tmp/pawl-api-test-\(UUID().uuidString.prefix(8))")
        let (model, place) = (root.appending(path: "model"), root.appending(path: "registry"))
        try Self.makeModel(model)
        let suite = root.appending(path: "general")
        try Self.writeSuite(suite, "general", margin: 0.1, count: 120)
        _ = try Workflow.initialise(at: place, base: model, suites: [suite.path], progress: { _ in })
        registry = try Registry(opening: place, actor: "tester@here")
        let plugins = place.appending(path: "plugins")
        try Files.createDirectory(plugins.appending(path: "engines"))
        try FileManager.default.copyItem(at: Self.stub, to: plugins.appending(path: "engines/stub"))
        for skill in ["alpha", "beta"] { try Self.writeSkill(skill, below: plugins) }
        api = API(workflow: Workflow(registry: registry))
        front = try Front([api], tokens: Tokens(registry: place), registry: registry)
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    /// Asks with a token of a role.
    func ask(
        _ method: String, _ target: String, _ role: Call.Role? = nil, _ body: JSONValue? = nil,
        headers: [(name: String, value: String)] = []
    ) async throws -> Reply {
        let token = try role.map { try secret($0) }
        let type = body.map { _ in [(name: "content-type", value: "application/json")] } ?? []
        return await front.ask(
            method, "/api/v1" + target, token: token, headers: headers + type,
            body: try body.map { try JSON.canonical($0) } ?? [])
    }

    /// A new token's secret.
    func secret(_ role: Call.Role) throws -> String {
        try front.tokens.create("t\(UUID().uuidString.prefix(8).lowercased())", role: role).secret
    }

    /// Registers a skill over the API and waits until it is over.
    @discardableResult
    func register(_ skill: String, stub: JSONValue = ["skill": 0.95]) async throws -> RegistrationSummary {
        let reply = try await ask("POST", "/registrations", .operate, Self.order(skill, stub: stub))
        try #require(reply.status == 202, "\(reply.text)")
        let id = try #require(try reply.json()["id"]?.string)
        return try await finished(id)
    }

    /// The body that registers a skill with the stub.
    static func order(_ skill: String, stub: JSONValue = ["skill": 0.95]) -> JSONValue {
        ["skill": .string(skill), "engine": "stub", "recipe": ["engine_options": ["stub": stub]]]
    }

    /// A registration once it does not run any more.
    func finished(_ id: String, seconds: Double = 120) async throws -> RegistrationSummary {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            let reply = try await ask("GET", "/registrations/\(id)")
            let summary = try JSON.decode(RegistrationSummary.self, from: reply.bytes, source: "the answer")
            if !summary.isRunning { return summary }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw PawlError(.timedOut, "registration \(id) runs after \(seconds) s")
    }

    // MARK: Files

    private static let stub = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fixtures/engines/stub")

    private static func makeModel(_ folder: URL) throws {
        let process = Process()
        process.executableURL = stub.appending(path: "make_model.py")
        process.arguments = [folder.path, "*=0.8", "alpha=0.1", "beta=0.1"]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    private static func writeSkill(_ name: String, below plugins: URL) throws {
        let folder = plugins.appending(path: "skills/\(name)")
        try writeSuite(folder, name, margin: 0.15, count: 60)
        try write(
            """
            {"name":"\(name)","version":"1.0.0","description":"Says what it is told.",
             "demonstrations":"demonstrations.jsonl","suite":"suite.json",
             "teacher":{"contexts":[{"kind":"few_shot","shots":2,"own_demonstration":true}]},
             "recipe":{"steps":4,"save_every":2,"warmup_steps":1,"rehearsal_share":0}}
            """, folder.appending(path: "skill.json"))
        try write(records(name, "demo", 24, "completion"), folder.appending(path: "demonstrations.jsonl"))
    }

    private static func writeSuite(_ folder: URL, _ name: String, margin: Double, count: Int) throws {
        try Files.createDirectory(folder)
        try write(
            """
            {"name":"\(name)","version":"1.0.0","description":"Items of one family.","family":"\(name)",
             "metric":"accuracy","margin":\(margin),"items":"items.jsonl",
             "grader":{"kind":"exact_match","normalisers":["trim"]}}
            """, folder.appending(path: "suite.json"))
        try write(records(name, "item", count, "target"), folder.appending(path: "items.jsonl"))
    }

    private static func records(_ family: String, _ kind: String, _ count: Int, _ answer: String) -> String {
        (0..<count).map { index in
            let word = "\(family)\(kind)\(index)"
            let prompt = "family: \(family)\\nsay: \(word)"
            return "{\"id\":\"\(kind)\(index)\",\"prompt\":\"\(prompt)\",\"\(answer)\":\"\(word)\"}\n"
        }.joined()
    }

    private static func write(_ text: String, _ url: URL) throws {
        try Files.writeAtomically(Array(text.utf8), to: url)
    }
}
