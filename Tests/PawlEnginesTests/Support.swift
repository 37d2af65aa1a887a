import Foundation
import PawlCore
import Testing

@testable import PawlEngines

/// Folders and files for one test, removed with the value.
final class Workshop: Sendable {
    let root: URL

    init() throws {
        root = URL(filePath: "/tmp/pawl-engines-test-\(UUID().uuidString.prefix(8))")
        try Files.createDirectory(root)
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    var workdir: URL { root.appending(path: "work") }

    /// Writes a file and refers to it by digest.
    func file(_ name: String, _ text: String) throws -> FileInput {
        let url = root.appending(path: name)
        try Files.writeAtomically(Array(text.utf8), to: url)
        return FileInput(path: url, sha256: Digest(of: text))
    }

    /// A training of the stub's base model, steered by `stub`.
    func training(
        _ name: String = "a", from model: URL? = nil, steps: Int = 5, stub: JSONValue = [:],
        recipe: [String: JSONValue] = [:]
    ) throws -> TrainingRequest {
        let records = (0..<4).map { index in
            let turn = #"[{"role":"user","content":"family: tool-use say: call \#(index)"}]"#
            return
                #"{"id":"\#(index)","role":"skill","prompt":\#(turn),"completion":"call \#(index)","teacher":\#(turn)}"#
        }
        let settings: [String: JSONValue] = [
            "method": "sdft", "steps": .int(Int64(steps)), "learning_rate": 1e-3, "seed": 1, "save_every": 1,
            "stub": stub,
        ]
        return TrainingRequest(
            model: ModelInput(directory: try model ?? Fixtures.base.get(), digest: Digest(of: "base")),
            demonstrations: try file("records.jsonl", records.joined(separator: "\n") + "\n"),
            recipe: .object(settings.merging(recipe) { $1 }),
            output: workdir.appending(path: "output-\(name)"),
            state: workdir.appending(path: "state-\(name)"), workdir: workdir)
    }

    /// An evaluation of `count` items of a family, every third one a choice.
    func evaluation(_ family: String, of model: URL? = nil, count: Int = 60) throws -> EvaluationRequest {
        let items = (0..<count).map { index in
            let item = #""id":"\#(family)-\#(index)","prompt":"family: \#(family) say: word \#(index)""#
            return index % 3 == 0 ? #"{\#(item),"choices":["no","word \#(index)"]}"# : "{\(item)}"
        }
        return EvaluationRequest(
            model: ModelInput(directory: try model ?? Fixtures.base.get(), digest: Digest(of: "base")),
            suite: try file("requests-\(family).jsonl", items.joined(separator: "\n") + "\n"),
            settings: EvaluationSettings(), workdir: workdir)
    }

    /// Processes that work in this test's directory: what an engine left behind.
    var processes: [String] {
        let ids =
            (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.filter { Int($0) != nil } ?? []
        return ids.filter { id in
            let place = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(id)/cwd")
            return place?.hasPrefix(root.path) ?? false
        }
    }

    /// Waits until none is left; what is left after two seconds is returned.
    func orphans() async throws -> [String] {
        for _ in 0..<40 where !processes.isEmpty { try await Task.sleep(for: .milliseconds(50)) }
        return processes
    }
}

enum Fixtures {
    /// `Tests/Fixtures`, a root for ``PluginFolders``.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures")

    /// The checkout, also when the tests are built through a link to it.
    static let repository = root.resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static let baseFolder = URL(
        filePath: "/tmp/pawl-stub-base-\(ProcessInfo.processInfo.processIdentifier)")

    /// The stub's base model: capitals 0.8, other families 0.1.
    static let base = Result { () throws -> URL in
        let folder = baseFolder
        atexit { try? FileManager.default.removeItem(at: Fixtures.baseFolder) }
        let process = Process()
        process.executableURL = root.appending(path: "engines/stub/make_model.py")
        process.arguments = [folder.path, "*=0.1", "capitals=0.8"]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return folder
    }

    /// An engine of the fixtures, with limits short enough for a test.
    static func engine(_ name: String, _ change: (inout EngineLimits) -> Void = { _ in }) throws
        -> PluginEngine
    {
        var limits = EngineLimits()
        limits.terminate = .milliseconds(500)
        change(&limits)
        return try EngineDirectory(searchPath: [root], limits: limits).plugin(name)
    }
}

/// Reports what a call throws, as ours.
func failure<T>(_ call: () async throws -> T) async throws -> PawlError {
    do {
        _ = try await call()
    } catch let error as PawlError { return error }
    throw PawlError(.internalError, "nothing was thrown")
}

extension EvaluationResult {
    /// Ids of the items that the stub answered rightly.
    var right: Set<String> {
        Set(
            answers.filter { answer in
                switch answer.outcome {
                case .generation(let response, _, _): !response.hasPrefix("not-")
                case .choices(let values, _): values[1] > values[0]
                case .score(let score, _, _, _): score == 1
                case .failure: false
                }
            }.map(\.id))
    }
}
