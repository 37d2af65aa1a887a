internal import Foundation
public import PawlCore
internal import PawlEngines
internal import PawlGate
public import PawlRegistry
internal import PawlStore

extension Workflow {
    /// What a suite says of a checkpoint.
    public struct Measurement: Codable, Sendable {
        /// The stored result: score, interval, count, where the evidence lies.
        public var record: EvaluationRecord
        /// The suite.
        public var suite: SuiteRecord
        /// True when a stored result was used instead of running the engine.
        public var isCached: Bool

        private enum CodingKeys: String, CodingKey {
            case record, suite
            case isCached = "cached"
        }
    }

    /// A checkpoint that is to be measured on a suite.
    struct MeasurementTask: Hashable {
        var checkpoint: Digest
        var suite: SuiteRecord
    }

    /// Measures one checkpoint on suites, using stored results where everything that moves a score is the same.
    public func measure(
        _ checkpoint: Digest, on suites: [SuiteRecord], engine name: String
    ) async throws -> [Measurement] {
        try await measure(suites.map { MeasurementTask(checkpoint: checkpoint, suite: $0) }, engine: name)
    }

    /// Measures pairs of checkpoint and suite; the engine starts once for each checkpoint.
    func measure(_ tasks: [MeasurementTask], engine name: String) async throws -> [Measurement] {
        var found: [MeasurementTask: Measurement] = [:]
        var missing: [Digest: [MeasurementTask]] = [:]
        for task in tasks where found[task] == nil {
            if let record = try stored(try load(task.suite), of: task.checkpoint, engine: name) {
                found[task] = Measurement(record: record, suite: task.suite, isCached: true)
            } else if !(missing[task.checkpoint] ?? []).contains(task) {
                missing[task.checkpoint, default: []].append(task)
            }
        }
        for (checkpoint, tasks) in missing.sorted(by: { $0.key < $1.key }) {
            let records = try await run(tasks.map(\.suite), on: checkpoint, engine: name)
            try registry.record(records)
            for (task, record) in zip(tasks, records) {
                found[task] = Measurement(record: record, suite: task.suite, isCached: false)
            }
        }
        return tasks.compactMap { found[$0] }
    }

    /// A result that can be used in place of a measurement; nil when there is none.
    func stored(_ suite: Suite, of checkpoint: Digest, engine name: String) throws -> EvaluationRecord? {
        let settings = try Self.settingsDigest(suite, engine: engine(for: suite, else: name).identify())
        guard
            let record = try registry.evaluation(
                checkpoint: checkpoint, suite: suite.digest, settings: settings), try isComplete(record)
        else { return nil }
        return record
    }

    /// The engine that a suite is answered by: the one that its grader names, else the one that was asked for.
    func engine(for suite: Suite, else name: String) throws -> any Engine {
        try engines.engine(suite.manifest.grader.engine?.engine ?? name)
    }

    /// A checkpoint as an engine is handed it: the store itself, or a copy for a program that reads files.
    func modelInput(_ checkpoint: Digest, for engine: any Engine) throws -> ModelInput {
        _ = try registry.keptCheckpoint(checkpoint)
        guard !engine.readsSources else {
            return ModelInput(source: try StoredModel(registry.store, checkpoint), digest: checkpoint)
        }
        return ModelInput(
            directory: try registry.store.materialise(checkpoint, progress: progress), digest: checkpoint)
    }

    /// False when the engine left items unanswered: they counted as wrong then, but are asked again next time.
    private func isComplete(_ record: EvaluationRecord) throws -> Bool {
        let evidence = try Evidence(
            reading: registry.store.document(record.evidence), source: "evidence \(record.evidence.short)")
        return evidence.count(of: .missing) + evidence.count(of: .failed) == 0
    }

    /// Runs the engines, grades their answers and keeps the evidence; records nothing.
    func run(
        _ suites: [SuiteRecord], on checkpoint: Digest, engine name: String
    ) async throws -> [EvaluationRecord] {
        let loaded = try suites.map(load)
        let answers = try await answer(
            Array(zip(suites.map(\.name), loaded)), on: checkpoint, engine: name)
        return try zip(loaded, answers).map { try evaluation(of: checkpoint, $0, $1, engine: name) }
    }

    /// Runs each engine once for all its suites and grades the answers.
    ///
    /// - Parameter name: the engine of the suites whose grader names none.
    func answer(
        _ suites: [(name: String, suite: Suite)], on checkpoint: Digest, engine name: String
    ) async throws -> [Evidence] {
        var found: [Int: Evidence] = [:]
        let groups = Dictionary(grouping: suites.indices) {
            suites[$0].suite.manifest.grader.engine?.engine ?? name
        }
        for (name, places) in groups.sorted(by: { $0.key < $1.key }) {
            let answers = try await answer(
                places.map { suites[$0] }, on: checkpoint, by: engines.engine(name))
            found.merge(zip(places, answers)) { $1 }
        }
        return suites.indices.compactMap { found[$0] }
    }

    private func answer(
        _ suites: [(name: String, suite: Suite)], on checkpoint: Digest, by engine: any Engine
    ) async throws -> [Evidence] {
        guard !suites.isEmpty else { return [] }
        let directory = registry.work.appending(path: "evaluate-\(UUID().uuidString)")
        try Files.createDirectory(directory)
        defer { try? Files.remove(directory) }
        let model = try modelInput(checkpoint, for: engine)
        let requests = try suites.map { name, suite in
            try request(for: suite, name: name, model: model, in: directory)
        }
        let results = try await engine.evaluate(requests, progress: progress)
        for (name, suite) in suites where suite.manifest.grader.kind == "external" {
            if let shortfall = Sandbox.protection.shortfall {
                notice("  \(name) is graded by its own program, and \(shortfall)")
            }
        }
        return try zip(suites, results).map { suite, result in
            try suite.suite.grade(result.answers.map(\.forGrading))
        }
    }

    /// A result with its evidence kept in the store; it is not recorded yet.
    func evaluation(
        of checkpoint: Digest, _ suite: Suite, _ evidence: Evidence, engine name: String
    ) throws -> EvaluationRecord {
        let engine = try engine(for: suite, else: name).identify()
        let interval = evidence.interval(metric: suite.metric)
        return EvaluationRecord(
            checkpoint: checkpoint, suite: suite.digest,
            settings: try Self.settingsDigest(suite, engine: engine),
            evidence: try registry.store.putDocument(evidence.bytes), score: evidence.score,
            count: evidence.count, lower: interval.lower, upper: interval.upper,
            engine: EngineIdentity(name: engine.name, version: engine.version))
    }

    func request(
        for suite: Suite, name: String, model: ModelInput, in directory: URL
    ) throws -> EvaluationRequest {
        let folder = directory.appending(path: name)
        try Files.createDirectory(folder)
        let bytes = try suite.requests()
        let file = folder.appending(path: "requests.jsonl")
        try Files.writeAtomically(bytes, to: file)
        return EvaluationRequest(
            model: model,
            suite: FileInput(path: file, sha256: Digest(of: bytes)),
            settings: Self.settings(of: suite), task: try task(of: suite, in: folder), workdir: directory)
    }

    /// What an engine scores a suite by, its files written out; nil where the gate grades.
    private func task(of suite: Suite, in folder: URL) throws -> EvaluationTask? {
        guard let grader = suite.manifest.grader.engine else { return nil }
        let directory = folder.appending(path: "task")
        try Files.createDirectory(directory)
        let files = try suite.files.map { file in
            let place = directory.appending(path: file.name)
            try Files.createDirectory(place.deletingLastPathComponent())
            try Files.writeAtomically(file.bytes, to: place)
            return EvaluationTask.File(path: file.name, sha256: Digest(of: file.bytes))
        }
        return EvaluationTask(parameters: grader.task, directory: directory, files: files)
    }

    static func settings(of suite: Suite) -> EvaluationSettings {
        EvaluationSettings(
            template: suite.manifest.decoding.template.rawValue, maxTokens: suite.manifest.decoding.maxTokens,
            stop: suite.manifest.decoding.stop)
    }

    private struct SettingsRecord: Encodable {
        var engine: String
        var version: String
        var program: Digest?
        var arithmetic: EngineDescription.Arithmetic?
        var settings: EvaluationSettings
        /// The part of the items that was used; nil for all of them.
        var part: String?
    }

    private static func part(_ suite: Suite) -> String? {
        if suite.isSealed { return "sealed" }
        guard let look = suite.look, look.index < look.of else { return nil }
        return "looks 1 to \(look.index) of \(look.of)"
    }

    /// Names everything beside the suite that moves a score; results are compared and reused only within it.
    static func settingsDigest(_ suite: Suite, engine: EngineDescription) throws -> Digest {
        Digest(
            of: try JSON.canonical(
                SettingsRecord(
                    engine: engine.name, version: engine.version, program: engine.program,
                    arithmetic: engine.arithmetic, settings: settings(of: suite), part: part(suite))))
    }
}

extension PawlEngines.ItemAnswer {
    /// The same answer in the words of the gate, which knows no engines.
    var forGrading: PawlGate.ItemAnswer {
        switch outcome {
        case .generation(let response, let finish, let tokens):
            .init(id: id, outcome: .response(response, isTruncated: finish == .length, tokens: tokens))
        case .choices(let logLikelihoods, let tokens):
            .init(id: id, outcome: .logLikelihoods(logLikelihoods, tokens: tokens))
        case .score(let score, let blind, let response, let prompt):
            .init(
                id: id,
                outcome: .scored(
                    EngineScore(score: score, blind: blind, response: response, prompt: prompt)))
        case .failure(let reason):
            .init(id: id, outcome: .failed(reason))
        }
    }
}
