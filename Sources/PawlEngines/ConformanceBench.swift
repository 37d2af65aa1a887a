internal import Foundation
internal import PawlCore

/// Where one conformance check works: a directory with the probe's files, and ways to talk to the engine.
struct ConformanceBench: Sendable {
    let engine: PluginEngine
    let probe: EngineProbe
    let workdir: URL
    let model: ModelInput
    let records: FileInput
    let suite: FileInput

    /// Steps of a training that is not meant to end by itself.
    static let manySteps = 100_000

    init(engine: PluginEngine, probe: EngineProbe, workdir: URL) throws {
        self.engine = engine
        self.probe = probe
        self.workdir = workdir
        model = ModelInput(directory: probe.model, digest: try probe.modelDigest())
        records = try Self.write(probe.records, to: workdir.appending(path: "records.jsonl"))
        suite = try Self.write(probe.items, to: workdir.appending(path: "requests.jsonl"))
    }

    private static func write(_ bytes: [UInt8], to url: URL) throws -> FileInput {
        try Files.writeAtomically(bytes, to: url)
        return FileInput(path: url, sha256: Digest(of: bytes))
    }

    /// A training request with a number of steps; `name` tells its directories apart.
    ///
    /// - Parameter update: recipe keys that say what is moved.
    func training(_ name: String, steps: Int, update: [String: JSONValue] = [:]) throws -> TrainingRequest {
        guard let method = engine.manifest.capabilities.train.first else {
            throw Conformance.Skipped(reason: "the engine does not train")
        }
        var recipe = probe.recipe.merging(update) { $1 }
        recipe["method"] = .string(method)
        recipe["steps"] = .int(Int64(steps))
        return TrainingRequest(
            model: model, demonstrations: records, recipe: .object(recipe),
            output: workdir.appending(path: "output-\(name)"),
            state: workdir.appending(path: "state-\(name)"),
            workdir: workdir)
    }

    /// The evaluation request: the probe's items, or the engine's own suite where it only scores by tasks.
    func evaluation() throws -> EvaluationRequest {
        guard engine.manifest.capabilities.evaluate else {
            guard engine.manifest.capabilities.tasks == true else {
                throw Conformance.Skipped(reason: "the engine does not evaluate")
            }
            return try taskEvaluation()
        }
        return EvaluationRequest(model: model, suite: suite, settings: probe.settings, workdir: workdir)
    }

    /// The suite in the folder `conformance` of an engine whose tasks nobody else knows.
    private func taskEvaluation() throws -> EvaluationRequest {
        let folder = engine.folder.appending(path: "conformance")
        let url = folder.appending(path: "suite.json")
        let manifest = try JSON.parse(Files.read(url), source: url.path)
        guard let task = manifest["grader"]?["task"] else {
            throw PawlError(.invalidArgument, "\(url.path), field grader.task: is missing")
        }
        let files = try (manifest["grader"]?["files"]?.array ?? []).compactMap(\.string).map { name in
            EvaluationTask.File(
                path: name, sha256: Digest(of: try Files.read(folder.appending(path: name))))
        }
        var settings = probe.settings
        settings.template = manifest["decoding"]?["template"]?.string ?? settings.template
        let items = try Files.read(folder.appending(path: manifest["items"]?.string ?? "items.jsonl"))
        return EvaluationRequest(
            model: model, suite: try Self.write(items, to: workdir.appending(path: "requests.jsonl")),
            settings: settings, task: EvaluationTask(parameters: task, directory: folder, files: files),
            workdir: workdir)
    }

    /// Starts the engine, makes the handshake, holds the conversation, shuts down and wants exit status 0.
    @discardableResult
    func converse<R: Sendable>(
        _ conversation: @escaping @Sendable (EngineSession) async throws -> R
    ) async throws -> R {
        try await EngineSession.run(try engine.launch(in: workdir), manifest: engine.manifest, conversation).0
    }

    /// Fails the check that runs.
    static func fail(_ reason: String) -> EngineSession.Failure {
        .broken(PawlError(.engine, reason))
    }
}

extension EngineSession {
    /// The next message that is not a progress of `id`; what it was, and how long it took, may matter.
    func answer(within limit: Duration, to what: String) async throws -> JSONValue {
        let deadline = SuspendingClock.now + limit
        while true {
            let message = try await next(until: deadline, or: "no answer to \(what) within \(limit.text)")
            if message["type"]?.string != "progress" { return message }
        }
    }

    /// The next message, whatever it is.
    func next(until deadline: SuspendingClock.Instant, or reason: String) async throws -> JSONValue {
        while true {
            switch await process.inbox.next(until: deadline) {
            case .message(let message): return message
            case .violation(let reason): throw violation(reason)
            case .outputEnded: throw Failure.ended(during: "a check")
            case .cancelled: throw Failure.broken(Self.cancelled(manifest, "during a check"))
            case .exited: continue
            case nil: throw Failure.broken(PawlError(.timedOut, reason))
            }
        }
    }

    /// Wants an `error` with a code and an id.
    func expectError(_ answer: JSONValue, id: String?, code: String?, to what: String) throws {
        guard answer["type"]?.string == "error" else {
            throw ConformanceBench.fail("\(what) was answered with \(Self.show(answer)), not with an error")
        }
        if let code, answer["code"]?.string != code {
            throw ConformanceBench.fail(
                "\(what) was answered with \(Self.show(answer)), not with code \(code)")
        }
        if let id, answer["id"]?.string != id {
            throw ConformanceBench.fail("the error for \(what) does not carry its id: \(Self.show(answer))")
        }
        guard answer["message"]?.string?.isEmpty == false else {
            throw ConformanceBench.fail("the error for \(what) has no message: \(Self.show(answer))")
        }
    }
}
