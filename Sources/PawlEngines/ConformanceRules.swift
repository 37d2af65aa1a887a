internal import Foundation
internal import PawlCore

extension Conformance {
    /// Every check, from the simplest to the longest.
    static let rules: [Rule] = [
        Rule(
            name: "handshake",
            text: "init is answered with ready: protocol, name, version and capabilities as in engine.json"
        ) { bench in try await bench.converse { _ in } },
        Rule(name: "shutdown", text: "shutdown ends the program with exit status 0") { bench in
            try await bench.converse { _ in }
        },
        Rule(name: "end-of-input", text: "the end of stdin is taken as shutdown, also during a training") {
            bench in
            try await endOfInput(bench)
        },
        Rule(name: "unknown-type", text: "an unknown type of message is answered with an error") { bench in
            try await bench.converse { session in try await unknownType(session) }
        },
        Rule(name: "garbage-line", text: "a line that is no message is answered with an error, not a crash") {
            bench in
            try await bench.converse { session in
                session.process.sendRaw(Array("this is not JSON".utf8))
                let answer = try await session.answer(within: .seconds(10), to: "a garbage line")
                try session.expectError(answer, id: nil, code: nil, to: "a garbage line")
                try await unknownType(session)
            }
        },
        Rule(name: "wrong-digest", text: "an input whose SHA-256 is not the request's is refused") { bench in
            try await wrongDigest(bench)
        },
        Rule(name: "unknown-fields", text: "unknown fields in a request are ignored") { bench in
            try await unknownFields(bench)
        },
        Rule(name: "evaluate", text: "every item is answered exactly once, in the form of its kind") {
            bench in
            let result = try await bench.engine.evaluate(try bench.evaluation(), progress: nil)
            for answer in result.answers {
                guard case .failure(let reason) = answer.outcome else { continue }
                throw PawlError(.engine, "the item \"\(answer.id)\" failed: \(reason)")
            }
        },
        Rule(name: "evaluate-repeatable", text: "the same evaluation twice gives the same bytes") { bench in
            let request = try bench.evaluation()
            let first = try await bench.engine.evaluate(request, progress: nil).sha256
            let second = try await bench.engine.evaluate(request, progress: nil).sha256
            guard first == second else {
                throw PawlError(
                    .engine, "the first answers have SHA-256 \(first.hex), the second \(second.hex)")
            }
        },
        Rule(name: "train", text: "a training gives a complete model directory whose files hash as listed") {
            bench in
            let result = try await bench.engine.train(try bench.training("a", steps: 3), progress: nil)
            try await Parallel.blocking {
                try ModelDirectory.check(result.output, against: bench.probe.model)
            }
        },
        Rule(
            name: "adapter",
            text:
                "a training of a low-rank update gives an adapter of the model; the same training, the same bytes"
        ) { bench in try await adapter(bench) },
        Rule(name: "progress", text: "a training reports its step at least every 30 s") { bench in
            try await progress(bench)
        },
        Rule(name: "cancel", text: "cancel stops a training within 5 s and is answered with code cancelled") {
            bench in
            try await cancel(bench)
        },
        Rule(name: "resume", text: "a cancelled training goes on from its state to the same result") {
            bench in
            try await resume(bench)
        },
        Rule(name: "one-session", text: "a session takes several requests; stdout carries messages only") {
            bench in
            try await oneSession(bench)
        },
    ]

    private static func unknownType(_ session: EngineSession) async throws {
        try session.process.send(["type": "x_conformance", "id": "x1"])
        let answer = try await session.answer(within: .seconds(10), to: "an unknown type of message")
        try session.expectError(answer, id: nil, code: nil, to: "an unknown type of message")
    }

    private static func endOfInput(_ bench: ConformanceBench) async throws {
        let training = try? bench.training("a", steps: ConformanceBench.manySteps)
        let message = try training.map { try PluginEngine.message("train", id: "1", $0) }
        try await bench.converse { session in
            if let message {
                try session.process.send(message)
                let deadline = SuspendingClock.now + bench.engine.limits.heartbeat
                _ = try await session.next(until: deadline, or: "no progress of a training")
            }
            session.process.closeInput()
            guard await session.process.waitForExit(bench.engine.limits.shutdown) else {
                throw ConformanceBench.fail(
                    "the program was still there \(bench.engine.limits.shutdown.text) after the end of its stdin"
                )
            }
        }
    }

    private static func wrongDigest(_ bench: ConformanceBench) async throws {
        let wrong = Digest(of: "something else")
        var messages: [(String, JSONValue)] = []
        if var training = try? bench.training("a", steps: 1) {
            training.demonstrations.sha256 = wrong
            messages.append(("1", try PluginEngine.message("train", id: "1", training)))
        }
        if var evaluation = try? bench.evaluation() {
            evaluation.suite.sha256 = wrong
            messages.append(("2", try PluginEngine.message("evaluate", id: "2", evaluation)))
        }
        let requests = messages
        try await bench.converse { session in
            for (id, message) in requests {
                let what = "\(message["type"]?.string ?? "") with a wrong digest"
                try session.process.send(message)
                let answer = try await session.answer(within: bench.engine.limits.heartbeat, to: what)
                try session.expectError(answer, id: id, code: "invalid_argument", to: what)
            }
        }
    }

    private static func unknownFields(_ bench: ConformanceBench) async throws {
        var message: JSONValue
        if let evaluation = try? bench.evaluation() {
            message = try PluginEngine.message("evaluate", id: "1", evaluation)
        } else {
            message = try PluginEngine.message("train", id: "1", bench.training("a", steps: 1))
        }
        if case .object(var fields) = message {
            fields["x_conformance"] = ["a": [1, 2.5, "ü"]]
            message = .object(fields)
        }
        let request = message
        try await bench.converse { session in
            _ = try await session.request(request, id: "1", activity: "a check", unit: "", progress: nil)
        }
    }

    /// That an adapter fits the model is checked with every result (`Adapter`).
    private static func adapter(_ bench: ConformanceBench) async throws {
        guard bench.engine.manifest.capabilities.updates?.contains(EngineCapabilities.lowRank) == true else {
            throw Skipped(reason: "the engine trains all weights alone")
        }
        var results: [TrainingResult] = []
        for name in ["adapter", "again"] {
            let request = try bench.training(
                name, steps: 3, update: ["update": "low_rank", "rank": 2, "alpha": 4])
            results.append(try await bench.engine.train(request, progress: nil))
        }
        guard results[0].files == results[1].files else {
            throw PawlError(.engine, "the second adapter differs from the first")
        }
    }

    private static func progress(_ bench: ConformanceBench) async throws {
        let message = try PluginEngine.message(
            "train", id: "1", bench.training("a", steps: ConformanceBench.manySteps))
        let limit = min(bench.engine.limits.heartbeat, .seconds(30))
        try await bench.converse { session in
            try session.process.send(message)
            var last = -1
            for _ in 0..<3 {
                let report = try await session.next(
                    until: .now + limit, or: "no progress for \(limit.text) during a training")
                guard report["type"]?.string == "progress", report["id"]?.string == "1" else {
                    throw ConformanceBench.fail("expected a progress, got \(EngineSession.show(report))")
                }
                guard let step = report["step"]?.int, step >= last,
                    report["steps"]?.int.map({ $0 >= step }) ?? true
                else { throw ConformanceBench.fail("the steps make no sense: \(EngineSession.show(report))") }
                last = step
            }
            try await stop(session, bench)
        }
    }

    private static func cancel(_ bench: ConformanceBench) async throws {
        let message = try PluginEngine.message(
            "train", id: "1", bench.training("a", steps: ConformanceBench.manySteps))
        try await bench.converse { session in
            try session.process.send(message)
            _ = try await session.next(
                until: .now + bench.engine.limits.heartbeat, or: "no progress of a training")
            try await stop(session, bench)
        }
    }

    /// Cancels request 1 and wants the answer in time.
    private static func stop(_ session: EngineSession, _ bench: ConformanceBench) async throws {
        try session.process.send(["type": "cancel", "id": "1"])
        let answer = try await session.answer(
            within: min(bench.engine.limits.cancel, .seconds(5)), to: "cancel")
        try session.expectError(answer, id: "1", code: "cancelled", to: "cancel")
    }

    private static func resume(_ bench: ConformanceBench) async throws {
        guard bench.engine.manifest.capabilities.resume else {
            throw Skipped(reason: "the engine does not resume")
        }
        let whole = try await bench.engine.train(try bench.training("whole", steps: 6), progress: nil)
        let request = try bench.training("parts", steps: 6)
        try Files.createDirectory(request.state)
        let message = try PluginEngine.message("train", id: "1", request)
        try await bench.converse { session in
            try session.process.send(message)
            var report: JSONValue
            repeat {
                report = try await session.next(
                    until: .now + bench.engine.limits.heartbeat, or: "no progress of a training")
                guard report["type"]?.string == "progress" else {
                    throw ConformanceBench.fail("expected a progress, got \(EngineSession.show(report))")
                }
            } while (report["step"]?.int ?? 0) < 2
            // Cancelled or finished: what counts is that the next session ends in the same result.
            try session.process.send(["type": "cancel", "id": "1"])
            _ = try await session.answer(within: min(bench.engine.limits.cancel, .seconds(5)), to: "cancel")
        }
        let parts = try await bench.engine.train(request, progress: nil)
        guard parts.files == whole.files else {
            let difference = zip(parts.files, whole.files).first { $0 != $1 }
            throw PawlError(
                .engine,
                "\(difference?.0.path ?? "the list of files") of the resumed training differs from the whole one's"
            )
        }
    }

    private static func oneSession(_ bench: ConformanceBench) async throws {
        var messages: [JSONValue] = []
        if let evaluation = try? bench.evaluation() {
            messages += [try PluginEngine.message("evaluate", id: "1", evaluation)]
        }
        if let training = try? bench.training("a", steps: 2) {
            messages += [try PluginEngine.message("train", id: "2", training)]
        }
        if let evaluation = try? bench.evaluation() {
            messages += [try PluginEngine.message("evaluate", id: "3", evaluation)]
        }
        let requests = messages
        try await bench.converse { session in
            for message in requests {
                _ = try await session.request(
                    message, id: message["id"]?.string ?? "", activity: "a check", unit: "", progress: nil)
            }
        }
    }
}

/// Whether a directory that a training made can be loaded in the place of the one it started from.
private enum ModelDirectory {
    static func check(_ output: URL, against input: URL) throws {
        let (old, new) = (try configuration(input), try configuration(output))
        guard old["model_type"] == new["model_type"] else {
            throw PawlError(
                .engine,
                "config.json says \(new["model_type"].map(EngineSession.show) ?? "no model_type") after training"
            )
        }
        let (before, after) = (try tensors(input), try tensors(output))
        guard !after.isEmpty else { throw PawlError(.engine, "the trained model has no tensors") }
        for (name, entry) in after.sorted(by: { $0.key < $1.key }) {
            guard let original = before[name] else {
                throw PawlError(.engine, "the tensor \(name) is not in the model that training started from")
            }
            guard original["dtype"] == entry["dtype"], original["shape"] == entry["shape"] else {
                throw PawlError(
                    .engine,
                    "the tensor \(name) is \(EngineSession.show(entry)), it was \(EngineSession.show(original))"
                )
            }
        }
    }

    private static func configuration(_ directory: URL) throws -> JSONValue {
        let url = directory.appending(path: "config.json")
        return try JSON.parse(Files.read(url), source: url.path)
    }

    /// Headers of all safetensors files, their offsets checked against the files' sizes.
    private static func tensors(_ directory: URL) throws -> [String: JSONValue] {
        var all: [String: JSONValue] = [:]
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        for name in names.sorted() where name.hasSuffix(".safetensors") {
            let bytes = try Files.read(directory.appending(path: name))
            guard bytes.count >= 8 else { throw PawlError(.engine, "\(name) has no header") }
            let length = bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard length <= UInt64(bytes.count - 8) else {
                throw PawlError(.engine, "\(name): the header is longer than the file")
            }
            let header = try JSON.parse(Array(bytes[8..<8 + Int(length)]), source: name)
            for (tensor, entry) in header.object ?? [:] where tensor != "__metadata__" {
                guard let end = entry["data_offsets"]?.array?.last?.int, end >= 0,
                    end <= bytes.count - 8 - Int(length)
                else { throw PawlError(.engine, "\(name): the tensor \(tensor) lies outside the file") }
                all[tensor] = .object(["dtype": entry["dtype"] ?? .null, "shape": entry["shape"] ?? .null])
            }
        }
        return all
    }
}
