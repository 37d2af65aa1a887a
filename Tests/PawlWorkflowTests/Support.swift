import Foundation
import PawlCore
import PawlEngines
import PawlGate
import PawlRegistry
import PawlStore
import Synchronization
import Testing

@testable import PawlWorkflow

extension Tag {
    /// Registrations from end to end.
    @Tag static var register: Self
    /// What moves main, forward or back.
    @Tag static var moves: Self
    /// Going on after a stop.
    @Tag static var resume: Self
}

/// What the stub makes of a training, named by the verdict that it leads to in a ``World``.
enum Outcome: String, CaseIterable {
    case accept, reject, inconclusive

    var stub: JSONValue {
        switch self {
        case .accept: ["skill": 0.95]
        case .reject: ["skill": 0.95, "prior": 0.3]
        case .inconclusive: ["skill": 0.95, "prior": 0.92]
        }
    }
}

/// Sentences that a workflow said, in order.
final class Notices: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
}

/// A registry with the stub's base model and one general suite, removed with the value.
///
/// The base gives 80% right answers in the family `general`, 10% in `alpha` and `beta`, all in `known`.
final class World: Sendable {
    let root: URL
    let registry: Registry
    let base: Digest
    let notices = Notices()

    /// - Parameters:
    ///   - margin: of the general suite, which has `items` items.
    ///   - base: qualities of another base model.
    ///   - more: further members of the general suite's manifest, with a leading comma.
    init(margin: JSONValue = 0.1, items: Int = 120, base qualities: [String]? = nil, more: String = "") throws
    {
        root = URL(filePath: "/tmp/pawl-workflow-test-\(UUID().uuidString.prefix(8))")
        let place = root.appending(path: "registry")
        let suite = root.appending(path: "general")
        try Self.writeSuite(suite, "general", margin: margin, count: items, more: more)
        let model = root.appending(path: "model")
        if let qualities { try Self.makeModel(model, qualities) }
        let report = try Workflow.initialise(
            at: place, base: qualities == nil ? try Self.model.get() : model, suites: [suite.path],
            progress: { _ in })
        base = report.base
        registry = try Registry(opening: place)
        try FileManager.default.createDirectory(
            at: place.appending(path: "plugins/engines"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: Self.stub, to: place.appending(path: "plugins/engines/stub"))
        for skill in ["alpha", "beta", "known"] { try writeSkill(skill) }
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    /// The use cases, with every notice kept and handed to `notice`.
    func workflow(_ notice: @escaping @Sendable (String) -> Void = { _ in }) -> Workflow {
        Workflow(
            registry: registry,
            notice: { [notices] line in
                notices.add(line)
                notice(line)
            })
    }

    func skill(_ name: String) throws -> SkillFolder {
        try SkillFolder(loading: root.appending(path: "skills/\(name)"))
    }

    func options(_ outcome: Outcome, seed: Int = 1, force: Bool = false) -> RegisterOptions {
        RegisterOptions(
            engine: "stub",
            recipe: ["seed": .int(Int64(seed)), "engine_options": .object(["stub": outcome.stub])],
            force: force)
    }

    @discardableResult
    func register(_ name: String, _ outcome: Outcome = .accept, seed: Int = 1) async throws
        -> RegistrationReport
    {
        try await workflow().register(skill(name), options: options(outcome, seed: seed))
    }

    /// Kinds of the journal's entries, oldest first.
    var journal: [JournalEntry.Kind] { get throws { try registry.journal().map(\.kind) } }

    /// Fails the test when the registry is not sound.
    func expectSound(_ place: SourceLocation = #_sourceLocation) throws {
        let report = try registry.verify()
        #expect(report.isSound, "\(report)", sourceLocation: place)
    }

    // MARK: Files

    private static let stub = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fixtures/engines/stub")

    private static let model = Result { () throws -> URL in
        let folder = modelFolder
        atexit { try? FileManager.default.removeItem(at: World.modelFolder) }
        try makeModel(folder, ["*=0.8", "alpha=0.1", "beta=0.1", "known=1.0"])
        return folder
    }
    private static let modelFolder = URL(
        filePath: "/tmp/pawl-workflow-base-\(ProcessInfo.processInfo.processIdentifier)")

    /// Makes one of the stub's models.
    static func makeModel(_ folder: URL, _ qualities: [String]) throws {
        let process = Process()
        process.executableURL = stub.appending(path: "make_model.py")
        process.arguments = [folder.path] + qualities
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    func writeSkill(_ name: String, version: String = "1.0.0", rehearsal: Double = 0) throws {
        let folder = root.appending(path: "skills/\(name)")
        try Self.writeSuite(folder, name, margin: 0.15, count: 60)
        try Self.write(
            """
            {"name":"\(name)","version":"\(version)","description":"Says what it is told.",
             "demonstrations":"demonstrations.jsonl","suite":"suite.json",
             "teacher":{"contexts":[{"kind":"few_shot","shots":2,"own_demonstration":true}]},
             "recipe":{"steps":4,"save_every":2,"warmup_steps":1,"rehearsal_share":\(rehearsal)}}
            """, folder.appending(path: "skill.json"))
        try Self.write(
            Self.records(name, "demo", 24, "completion"), folder.appending(path: "demonstrations.jsonl"))
    }

    /// - Parameter family: what the items ask of the model; the name where none is given.
    static func writeSuite(
        _ folder: URL, _ name: String, family: String? = nil, version: String = "1.0.0", margin: JSONValue,
        count: Int, grader: String = #"{"kind":"exact_match","normalisers":["trim"]}"#, more: String = ""
    ) throws {
        try Files.createDirectory(folder)
        try write(
            """
            {"name":"\(name)","version":"\(version)","description":"Items of one family.",
             "family":"\(family ?? name)","metric":"accuracy",
             "margin":\(String(decoding: try JSON.canonical(margin), as: UTF8.self)),
             "items":"items.jsonl","grader":\(grader)\(more)}
            """, folder.appending(path: "suite.json"))
        try write(records(family ?? name, "item", count, "target"), folder.appending(path: "items.jsonl"))
    }

    private static func records(_ family: String, _ kind: String, _ count: Int, _ answer: String) -> String {
        (0..<count).map { index in
            let word = "\(family)\(kind)\(index)"
            return
                #"{"id":"\#(kind)\#(index)","prompt":"family: \#(family)\nsay: \#(word)","\#(answer)":"\#(word)"}"#
                + "\n"
        }.joined()
    }

    private static func write(_ text: String, _ url: URL) throws {
        try Files.writeAtomically(Array(text.utf8), to: url)
    }
}

/// What a call throws, as ours.
func failure<T>(_ call: () async throws -> T) async throws -> PawlError {
    do {
        _ = try await call()
    } catch let error as PawlError { return error }
    throw PawlError(.internalError, "nothing was thrown")
}
