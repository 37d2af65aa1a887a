import Foundation
import PawlCore
import Testing

extension Tag {
    /// Runs the program itself.
    @Tag static var program: Self
}

/// Places in the checkout.
enum Checkout {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let stub = root.appending(path: "Tests/Fixtures/engines/stub")
    /// The program of the same build as the running tests.
    static let pawl = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        .appending(path: "pawl")
}

/// What a program printed, and its exit status.
struct Answer {
    var status: Int32
    var output: String
    var error: String

    /// The output as JSON.
    var json: JSONValue { get throws { try JSON.parse(Array(output.utf8), source: "stdout") } }
    /// The line of an error with --json.
    var errorJSON: JSONValue {
        get throws {
            try JSON.parse(Array((error.split(separator: "\n").last ?? "").utf8), source: "stderr")
        }
    }
}

/// A program that runs; what it prints goes to files, which no other child can hold open.
final class Running {
    let process = Process()
    private let output: URL
    private let error: URL

    init(_ program: URL, _ arguments: [String], environment: [String: String], directory: URL) throws {
        let name = UUID().uuidString
        output = directory.appending(path: "\(name).out")
        error = directory.appending(path: "\(name).err")
        try Data().write(to: output)
        try Data().write(to: error)
        process.executableURL = program
        process.arguments = arguments
        process.environment = environment
        process.currentDirectoryURL = directory
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: error)
        try process.run()
    }

    /// `Process.isRunning` says false too early when no run loop turns; the system knows better.
    private var isRunning: Bool {
        let status = try? Files.read(URL(filePath: "/proc/\(process.processIdentifier)/stat"))
        return status.map { !String(decoding: $0, as: UTF8.self).contains(") Z ") } ?? false
    }

    /// What a ^C at the terminal does.
    func interrupt() { kill(process.processIdentifier, SIGINT) }

    var errorSoFar: String { (try? String(contentsOf: error, encoding: .utf8)) ?? "" }

    func wait() throws -> Answer {
        process.waitUntilExit()
        return Answer(
            status: process.terminationStatus, output: try String(contentsOf: output, encoding: .utf8),
            error: try String(contentsOf: error, encoding: .utf8))
    }

    /// Waits until stderr holds a line. It blocks: a suspended test would go on only when others have ended,
    /// since they block the few threads that there are.
    func waitForLine(_ line: String) {
        for _ in 0..<3000 {
            let isOver = !isRunning
            if errorSoFar.split(separator: "\n").contains(Substring(line)) { return }
            if isOver { break }
            Thread.sleep(forTimeInterval: 0.02)
        }
        Issue.record("\"\(line)\" was never printed: \(errorSoFar)")
    }
}

/// A directory with a registry in which `alpha` was accepted and `beta` rejected, removed with the value.
final class Place: Sendable {
    let root: URL

    init(empty: Bool = false) throws {
        root = URL(filePath: "/tmp/pawl-commands-test-\(UUID().uuidString.prefix(8))")
        try Files.createDirectory(root)
        if !empty {
            try FileManager.default.copyItem(at: try Self.template.get().registry, to: registry)
        }
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    var registry: URL { root.appending(path: "registry") }
    static var base: URL { get throws { try template.get().base } }
    static var plugins: URL { get throws { try template.get().plugins } }

    private func environment(_ more: [String: String]) throws -> [String: String] {
        let own = ProcessInfo.processInfo.environment
        let kept = own.filter { ["PATH", "LD_LIBRARY_PATH"].contains($0.key) }
        let set = [
            "HOME": root.path, "USER": "test", "LANG": "C.UTF-8", "PAWL_ENGINE": "stub",
            "PAWL_PLUGINS": try Self.plugins.path, "PAWL_REGISTRY": registry.path,
        ]
        return kept.merging(set) { $1 }.merging(more) { $1 }
    }

    func start(_ arguments: [String], environment more: [String: String] = [:]) throws -> Running {
        try Running(Checkout.pawl, arguments, environment: environment(more), directory: root)
    }

    /// Runs `pawl` to its end.
    @discardableResult
    func pawl(_ arguments: String..., environment: [String: String] = [:]) throws -> Answer {
        try start(arguments, environment: environment).wait()
    }

    /// Runs another program to its end, in the same surroundings.
    func run(_ program: URL, _ arguments: [String]) throws -> Answer {
        try Running(program, arguments, environment: environment([:]), directory: root).wait()
    }

    /// Every stored file and the journal's newest entry: what a refused command must leave as it was.
    var fingerprint: Set<String> {
        get throws {
            var found: Set<String> = [
                try String(contentsOf: registry.appending(path: "HEAD"), encoding: .utf8)
            ]
            for part in ["objects", "tensors", "work"] {
                let names = FileManager.default.enumerator(atPath: registry.appending(path: part).path)
                while let name = names?.nextObject() as? String { found.insert("\(part)/\(name)") }
            }
            return found
        }
    }

    /// The main checkpoint.
    var main: String { get throws { try pawl("status", "--json").json["main"]?.string ?? "" } }
    /// The rejected candidate.
    var rejected: String {
        get throws {
            let checkpoints = try pawl("matrix", "--json").json["checkpoints"]?.array ?? []
            return checkpoints.first { $0["status"]?.string == "rejected" }?["digest"]?.string ?? ""
        }
    }

    // MARK: The template

    private struct Template {
        var registry: URL
        var base: URL
        var plugins: URL
    }

    private static let folder = URL(
        filePath: "/tmp/pawl-commands-template-\(ProcessInfo.processInfo.processIdentifier)")

    private static let template = Result { () throws -> Template in
        atexit { try? FileManager.default.removeItem(at: Place.folder) }
        let made = Template(
            registry: folder.appending(path: "registry"), base: folder.appending(path: "base"),
            plugins: folder.appending(path: "plugins"))
        try Files.createDirectory(made.plugins.appending(path: "engines"))
        try FileManager.default.copyItem(
            at: Checkout.stub, to: made.plugins.appending(path: "engines/stub"))
        try Content.writeSuite(made.plugins.appending(path: "suites/general"), "general", count: 120)
        for skill in ["alpha", "beta"] {
            try Content.writeSkill(made.plugins.appending(path: "skills/\(skill)"), skill)
        }
        let own = ProcessInfo.processInfo.environment
        var environment = own.filter { ["PATH", "LD_LIBRARY_PATH"].contains($0.key) }
        environment["HOME"] = folder.path
        environment["USER"] = "test"
        environment["PAWL_ENGINE"] = "stub"
        environment["PAWL_PLUGINS"] = made.plugins.path
        environment["PAWL_REGISTRY"] = made.registry.path
        func run(_ program: URL, _ arguments: [String], _ status: Int32 = 0) throws {
            let answer = try Running(
                program, arguments, environment: environment, directory: folder
            ).wait()
            guard answer.status == status else {
                throw PawlError(
                    .internalError, "\(arguments): exit status \(answer.status)\n\(answer.error)")
            }
        }
        try run(
            Checkout.stub.appending(path: "make_model.py"),
            [made.base.path, "*=0.8", "alpha=0.1", "beta=0.1"])
        try run(Checkout.pawl, ["init", "--base", made.base.path, "--suite", "general"])
        try run(Checkout.pawl, ["register", "alpha"] + Content.steering(["skill": 0.95]))
        try run(
            Checkout.pawl, ["register", "beta"] + Content.steering(["skill": 0.95, "prior": 0.3]), 3)
        return made
    }
}

/// Folders that the stub engine understands.
enum Content {
    /// Arguments of `register` that say what comes of a training.
    static func steering(_ stub: JSONValue) -> [String] {
        let options: JSONValue = .object(["stub": stub])
        let text = (try? JSON.canonical(options)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return ["--set", "engine_options=" + text]
    }

    static func writeSkill(_ folder: URL, _ name: String) throws {
        try writeSuite(folder, name, count: 60)
        try write(
            """
            {
              "name": "\(name)",
              "version": "1.0.0",
              "description": "Says what it is told.",
              "demonstrations": "demonstrations.jsonl",
              "suite": "suite.json",
              "teacher": {"contexts": [{"kind": "few_shot", "shots": 2, "own_demonstration": true}]},
              "recipe": {"steps": 4, "warmup_steps": 1, "rehearsal_share": 0}
            }

            """, folder.appending(path: "skill.json"))
        try write(
            records(name, "demo", 24, "completion"), folder.appending(path: "demonstrations.jsonl"))
    }

    static func writeSuite(_ folder: URL, _ name: String, count: Int) throws {
        try Files.createDirectory(folder)
        try write(
            """
            {
              "name": "\(name)",
              "version": "1.0.0",
              "description": "Items of one family.",
              "family": "\(name)",
              "metric": "accuracy",
              "margin": 0.1,
              "items": "items.jsonl",
              "grader": {"kind": "exact_match", "normalisers": ["trim"]}
            }

            """, folder.appending(path: "suite.json"))
        try write(records(name, "item", count, "target"), folder.appending(path: "items.jsonl"))
    }

    private static func records(_ family: String, _ kind: String, _ count: Int, _ answer: String) -> String {
        (0..<count).map { index in
            let word = "\(family)\(kind)\(index)"
            return
                #"{"id":"\#(kind)\#(index)","prompt":"family: \#(family)\nsay: \#(word)","\#(answer)":"\#(word)"}"#
                + "\n"
        }.joined()
    }

    static func write(_ text: String, _ url: URL) throws {
        try Files.writeAtomically(Array(text.utf8), to: url)
    }
}
