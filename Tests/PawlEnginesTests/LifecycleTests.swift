import Foundation
import PawlCore
import Testing

@testable import PawlEngines

@Suite("Life and end of an engine's process")
struct LifecycleTests {
    let shop: Workshop

    init() throws { shop = try Workshop() }

    /// Makes an engine of a shell script.
    private func script(_ name: String, _ body: String, environment: [String] = []) throws -> PluginEngine {
        let folder = shop.root.appending(path: "engines/\(name)")
        try Files.createDirectory(folder)
        let program = folder.appending(path: "run")
        try Files.writeAtomically(Array("#!/bin/sh\n\(body)\n".utf8), to: program)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
        let manifest: JSONValue = [
            "name": .string(name), "version": "1.0.0", "description": "a script", "protocol": 1,
            "program": "run", "files": ["run"],
            "sha256": .string(try EngineManifest.programDigest(folder: folder, files: ["run"]).hex),
            "capabilities": ["train": ["sdft"], "evaluate": false, "resume": false],
            "environment": .array(environment.map { .string($0) }),
            "uses": ["network": false, "gpu": "none"],
        ]
        try Files.writeAtomically(JSON.pretty(manifest), to: folder.appending(path: "engine.json"))
        var limits = EngineLimits()
        limits.terminate = .milliseconds(500)
        return try PluginEngine(
            folder: folder, limits: limits,
            environment: [
                "PATH": "/usr/bin:/bin", "HOME": "/h", "LANG": "C", "TOKEN": "secret", "THREADS": "2",
            ])
    }

    private func ready(_ name: String) -> String {
        #"echo '{"type":"ready","protocol":1,"name":"\#(name)","version":"1.0.0","#
            + #""capabilities":{"train":["sdft"],"evaluate":false,"resume":false}}'"#
    }

    @Test("an engine sees the variables of its allow-list, PATH, HOME and LANG, in its working directory")
    func environment() async throws {
        let engine = try script(
            "env", "env | sort | grep -v '^_=\\|^PWD=\\|^OLDPWD=\\|^SHLVL=' >&2; pwd >&2; exit 5",
            environment: ["THREADS", "ABSENT"])
        let error = try await failure { try await engine.train(try shop.training(), progress: nil) }
        let lines = try #require(error.hint).split(separator: "\n").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        let start = try #require(lines.firstIndex { $0.hasPrefix("HOME") })
        #expect(
            lines[start...].prefix(5)
                == ["HOME=/h", "LANG=C", "PATH=/usr/bin:/bin", "THREADS=2", shop.workdir.path][...])
        #expect(error.message.contains("exit status 5 during the handshake"))
    }

    @Test("stderr is drained, however much there is, and its end is quoted")
    func standardError() async throws {
        let engine = try script("noisy", "seq 1 400000 >&2; echo last words >&2; exit 1")
        let error = try await failure { try await engine.train(try shop.training(), progress: nil) }
        #expect(error.hint?.contains("400000\n    last words") == true, "\(error)")
        let names = try FileManager.default.contentsOfDirectory(atPath: shop.workdir.path)
        let log = try #require(names.first { $0.hasSuffix(".stderr.log") })
        #expect(try Files.read(shop.workdir.appending(path: log)).count > 2_000_000)
        #expect(names.contains { $0.hasSuffix(".transcript.jsonl") })
    }

    @Test("an engine that is never ready is ended at the limit")
    func neverReady() async throws {
        var engine = try script("mute", "sleep 600")
        engine.limits.start = .milliseconds(300)
        let error = try await failure { try await engine.describe() }
        #expect(error.code == .timedOut && error.message.contains("not ready after 0.3 s"), "\(error)")
        #expect(try await shop.orphans().isEmpty)
    }

    @Test("a cancelled task ends an engine that is not ready yet, and starts none afterwards")
    func cancelledEarly() async throws {
        let engine = try script("slow", "sleep 600")
        let request = try shop.training()
        let training = Task { try await engine.train(request, progress: nil) }
        while shop.processes.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
        training.cancel()
        #expect(try await failure { try await training.value }.code == .cancelled)
        let second = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await engine.train(request, progress: nil)
        }
        #expect(try await failure { try await second.value }.message.contains("before it started"))
        #expect(try await shop.orphans().isEmpty)
    }

    @Test("an engine that closes its stdout and lives on is ended")
    func closedOutput() async throws {
        let engine = try script("closes", "\(ready("closes")); read a; read b; exec >&-; sleep 600")
        let error = try await failure { try await engine.train(try shop.training(), progress: nil) }
        #expect(error.message.contains("closed its stdout during train"), "\(error)")
        #expect(try await shop.orphans().isEmpty)
    }

    @Test("an engine that does not read its input is ended, not waited for")
    func deaf() async throws {
        var engine = try script("deaf", "\(ready("deaf")); exec <&-; sleep 600")
        engine.limits.heartbeat = .milliseconds(400)
        let error = try await failure { try await engine.train(try shop.training(), progress: nil) }
        #expect(error.message.contains("sent nothing for 0.4 s"), "\(error)")
        #expect(try await shop.orphans().isEmpty)
    }

    @Test("helpers that an engine leaves behind are ended with it")
    func helpers() async throws {
        let engine = try script("helper", "sleep 600 & \(ready("helper")); read a; read b; exit 0")
        #expect(try await engine.describe().name == "helper")
        let second = try await failure { try await engine.train(try shop.training(), progress: nil) }
        #expect(second.message.contains("exit status 0 during train"), "\(second)")
        #expect(try await shop.orphans().isEmpty)
    }

    @Test("a request has a total time, after which the engine is asked to stop")
    func totalTime() async throws {
        var engine = try Fixtures.engine("stub")
        engine.limits.total = .milliseconds(400)
        let request = try shop.training(steps: 10_000, stub: ["delay_ms": 20])
        let error = try await failure { try await engine.train(request, progress: nil) }
        #expect(error.code == .timedOut && error.message.contains("took longer than 0.4 s"), "\(error)")
        #expect(try await shop.orphans().isEmpty)
    }

    @Test("SIGINT of the host cancels the engine")
    func interrupt() async throws {
        let engine = try Fixtures.engine("stub")
        let request = try shop.training(steps: 10_000, stub: ["delay_ms": 20])
        let (started, signal) = AsyncStream.makeStream(of: Void.self)
        let sender = Task {
            for await _ in started { break }
            kill(ProcessInfo.processInfo.processIdentifier, SIGINT)
        }
        let error = try await failure {
            try await Interruption.cancelling { try await engine.train(request) { _ in signal.yield() } }
        }
        await sender.value
        #expect(error.code == .cancelled && error.code.exitStatus == 130, "\(error)")
        #expect(try await shop.orphans().isEmpty)
    }

    @Test("a leftover output is replaced; places outside the working directory are refused")
    func places() async throws {
        let engine = try Fixtures.engine("stub")
        var request = try shop.training()
        try Files.createDirectory(request.output)
        try Files.writeAtomically([1], to: request.output.appending(path: "half.safetensors"))
        #expect(try await engine.train(request, progress: nil).files.count == 3)
        request.output = shop.root.appending(path: "outside")
        let error = try await failure { try await engine.train(request, progress: nil) }
        #expect(error.code == .invalidArgument && error.message.contains("outside the working directory"))
        request.output = request.workdir.appending(path: "o")
        request.state = request.output.appending(path: "s")
        #expect(
            try await failure { try await engine.train(request, progress: nil) }.message.contains(
                "in the output"))
    }

    @Test("a working directory behind a symbolic link is as good as any")
    func symbolicLink() async throws {
        let real = shop.root.appending(path: "real")
        try Files.createDirectory(real)
        try FileManager.default.createSymbolicLink(at: shop.workdir, withDestinationURL: real)
        let engine = try Fixtures.engine("stub")
        #expect(try await engine.train(try shop.training(), progress: nil).files.count == 3)
        #expect(try await engine.evaluate(try shop.evaluation("capitals"), progress: nil).answers.count == 60)
    }

    @Test("a method that the engine lacks is refused before it starts")
    func unsupported() async throws {
        let engine = try Fixtures.engine("stub")
        let request = try shop.training(recipe: ["method": "ppo"])
        let error = try await failure { try await engine.train(request, progress: nil) }
        #expect(error.code == .unsupported && error.hint == "it can: sdft, sft")
    }
}
