public import Foundation
public import Logging
public import PawlCore

/// How long an engine may take for what.
public struct EngineLimits: Sendable, Hashable {
    /// From the start of the program to its `ready`.
    public var start: Duration = .seconds(120)
    /// Between two messages while a request runs; the protocol asks for one every 30 s.
    public var heartbeat: Duration = .seconds(60)
    /// For one request; nil for no limit.
    public var total: Duration?
    /// From `cancel` to the answer, before SIGTERM.
    public var cancel: Duration = .seconds(10)
    /// From `shutdown` to the end of the process, before SIGTERM.
    public var shutdown: Duration = .seconds(10)
    /// From SIGTERM to SIGKILL.
    public var terminate: Duration = .seconds(10)

    /// Makes the default limits.
    public init() {}
}

/// An engine that is a separate program, spoken to in JSON lines over its stdin and stdout.
///
/// Every call starts the program in a session of its own, checks its digest and its handshake, and ends
/// its whole process group before it returns. When the host is killed outright the engine sees the end
/// of its stdin, which the protocol tells it to take as `shutdown`.
public struct PluginEngine: Engine {
    /// Folder of the engine.
    public let folder: URL
    /// Its manifest.
    public let manifest: EngineManifest
    /// Time limits.
    public var limits: EngineLimits
    /// Variables that the manifest's allow-list picks from; the host's own by default.
    public var environment: [String: String]
    /// Where diagnostics go.
    public var logger: Logger

    /// Reads an engine's folder; the program is not started yet.
    public init(
        folder: URL, limits: EngineLimits = EngineLimits(),
        environment: [String: String] = ProcessInfo.processInfo.environment, logger: Logger = Logger.current
    ) throws {
        self.folder = folder.standardizedFileURL
        self.manifest = try EngineManifest(folder: self.folder)
        self.limits = limits
        self.environment = environment
        self.logger = logger
    }

    /// Whether the engine knows the update that the recipe asks for; of its memory nothing is known.
    public func checkRoom(_: ModelInput, recipe: JSONValue) throws {
        try manifest.capabilities.checkUpdate(recipe, engine: manifest.name)
    }

    public func identify() throws -> EngineDescription {
        try manifest.checkProgram(in: folder)
        return manifest.engineDescription
    }

    /// Starts the program, makes the handshake and ends it again.
    public func describe() async throws -> EngineDescription {
        let workdir = FileManager.default.temporaryDirectory.appending(path: "pawl-\(UUID().uuidString)")
        defer { try? Files.remove(workdir) }
        _ = try await EngineSession.run(try launch(in: workdir), manifest: manifest) { _ in }
        return manifest.engineDescription
    }

    /// Trains; what an earlier, killed call left in the output directory is removed first.
    public func train(_ request: TrainingRequest, progress: ProgressHandler?) async throws -> TrainingResult {
        let method = request.recipe["method"]?.string ?? "sdft"
        guard manifest.capabilities.train.contains(method) else {
            throw unsupported("train by \"\(method)\"", can: manifest.capabilities.train)
        }
        try manifest.capabilities.checkUpdate(request.recipe, engine: manifest.name)
        try checkPlaces(request)
        let launch = try launch(in: request.workdir)
        try Files.remove(request.output)
        try Files.createDirectory(request.state)
        let message = try Self.message("train", id: "1", request)
        let (answer, transcript) = try await EngineSession.run(launch, manifest: manifest) { session in
            let answer = try await session.request(
                message, id: "1", activity: "train", unit: "steps", progress: progress)
            return try session.decode(TrainingAnswer.self, answer, "its result")
        }
        guard URL(filePath: answer.output).samePlace(as: request.output) else {
            throw PawlError(
                .engine,
                "engine \"\(manifest.name)\" wrote to \(answer.output) instead of \(request.output.path)")
        }
        // Only now, with the process gone, can nothing change any more under the hash.
        let check = OutputCheck(engine: manifest.name)
        let files = try await Parallel.blocking {
            try check.files(in: request.output, listed: answer.files, model: request.model.open())
        }
        let result = TrainingResult(
            output: request.output, files: files, environment: answer.environment ?? [:],
            metrics: answer.metrics ?? [:], engine: manifest.engineDescription, transcript: transcript)
        let isLowRank = request.recipe["update"]?.string == EngineCapabilities.lowRank
        guard result.isAdapter == isLowRank else {
            throw PawlError(
                .engine,
                "engine \"\(manifest.name)\" wrote \(isLowRank ? "a model" : "an adapter") where the recipe's update "
                    + "asks for \(isLowRank ? "an adapter" : "a model")",
                hint: "nothing of this result is kept")
        }
        return result
    }

    public func evaluate(_ request: EvaluationRequest, progress: ProgressHandler?) async throws
        -> EvaluationResult
    {
        let results = try await evaluate([request], progress: progress)
        guard let result = results.first else { throw PawlError(.internalError, "no evaluation result") }
        return result
    }

    /// Answers several suites in one session; they must share a working directory, and get one transcript.
    public func evaluate(_ requests: [EvaluationRequest], progress: ProgressHandler?) async throws
        -> [EvaluationResult]
    {
        guard let workdir = requests.first?.workdir else { return [] }
        guard manifest.capabilities.evaluate || requests.allSatisfy({ $0.task != nil }) else {
            throw unsupported("evaluate", can: manifest.capabilities.tasks == true ? ["tasks"] : [])
        }
        guard manifest.capabilities.tasks == true || requests.allSatisfy({ $0.task == nil }) else {
            throw unsupported("score a suite by a task", can: [])
        }
        guard requests.allSatisfy({ $0.workdir.samePlace(as: workdir) }) else {
            throw PawlError(.invalidArgument, "suites answered in one session must share a working directory")
        }
        let items = try requests.map { try RequestItem.read($0.suite) }
        let messages = try requests.enumerated().map { index, request in
            try Self.message("evaluate", id: String(index + 1), request)
        }
        let check = OutputCheck(engine: manifest.name)
        let launch = try launch(in: workdir)
        let (found, transcript) = try await EngineSession.run(launch, manifest: manifest) { session in
            var found: [(EvaluationAnswer, [ItemAnswer])] = []
            for (index, message) in messages.enumerated() {
                let place = messages.count > 1 ? " \(index + 1)/\(messages.count)" : ""
                let raw = try await session.request(
                    message, id: String(index + 1), activity: "evaluate" + place, unit: "items",
                    progress: progress)
                let answer = try session.decode(EvaluationAnswer.self, raw, "its result")
                let items = items[index]
                // Read before the next request, which may use the same file name.
                let answers = try await Parallel.blocking {
                    try check.answers(
                        at: answer.items.path, workdir: workdir, sha256: answer.items.sha256,
                        count: answer.items.count, items: items)
                }
                found.append((answer, answers))
            }
            return found
        }
        return found.map { answer, answers in
            EvaluationResult(
                answers: answers, sha256: answer.items.sha256, environment: answer.environment ?? [:],
                metrics: answer.metrics ?? [:], engine: manifest.engineDescription, transcript: transcript)
        }
    }

    /// Checks the program and prepares its start in a working directory.
    func launch(in workdir: URL) throws -> EngineProcess.Launch {
        try manifest.checkProgram(in: folder)
        try Files.createDirectory(workdir)
        let allowed = Set(manifest.environment + ["PATH", "HOME", "LANG"])
        return EngineProcess.Launch(
            program: folder.appending(path: manifest.program),
            environment: environment.filter { allowed.contains($0.key) },
            workdir: workdir.standardizedFileURL, limits: limits, logger: logger)
    }

    /// A request as a protocol message.
    static func message(_ type: String, id: String, _ request: some Encodable) throws -> JSONValue {
        let value = try JSON.parse(JSON.canonical(request), source: type)
        var fields = value.object ?? [:]
        fields["workdir"] = nil
        fields["type"] = .string(type)
        fields["id"] = .string(id)
        return .object(fields)
    }

    private func checkPlaces(_ request: TrainingRequest) throws {
        for (name, place) in [("output", request.output), ("state", request.state)]
        where !place.isInside(request.workdir) {
            throw PawlError(
                .invalidArgument,
                "the \(name) directory \(place.path) is outside the working directory \(request.workdir.path)"
            )
        }
        guard !request.state.samePlace(as: request.output), !request.state.isInside(request.output) else {
            throw PawlError(.invalidArgument, "the state directory \(request.state.path) lies in the output")
        }
    }

    private func unsupported(_ what: String, can: [String]) -> PawlError {
        PawlError(
            .unsupported, "engine \"\(manifest.name)\" cannot \(what)",
            hint: can.isEmpty ? nil : "it can: \(can.joined(separator: ", "))")
    }
}

/// The `result` of a training, as the engine gives it.
struct TrainingAnswer: Sendable, Decodable {
    let output: String
    let files: [OutputFile]
    let environment: [String: JSONValue]?
    let metrics: [String: JSONValue]?
}

/// The `result` of an evaluation, as the engine gives it.
struct EvaluationAnswer: Sendable, Decodable {
    /// The file of answers.
    struct Items: Sendable, Decodable {
        let path: String
        let sha256: Digest
        let count: Int
    }

    let items: Items
    let environment: [String: JSONValue]?
    let metrics: [String: JSONValue]?
}

extension URL {
    /// Whether two locations are the same once `.`, `..` and symbolic links are resolved.
    func samePlace(as other: URL) -> Bool { resolvedPath == other.resolvedPath }

    /// Whether this location lies below a directory.
    func isInside(_ directory: URL) -> Bool { resolvedPath.hasPrefix(directory.resolvedPath + "/") }

    /// The path without symbolic links; a tail that does not exist yet stays as it is.
    private var resolvedPath: String {
        var existing = standardizedFileURL
        var tail: [String] = []
        while !Files.exists(existing), existing.path != "/" {
            tail.append(existing.lastPathComponent)
            existing.deleteLastPathComponent()
        }
        let resolved = existing.resolvingSymlinksInPath()
        return tail.reversed().reduce(resolved) { $0.appending(path: $1) }.path
    }
}
