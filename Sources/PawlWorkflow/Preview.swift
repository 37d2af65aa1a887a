internal import Foundation
public import PawlCore
public import PawlEngines
public import PawlGate
internal import PawlRegistry
internal import PawlStore

/// What a registration would do, without doing it.
public struct RegistrationPreview: Codable, Sendable {
    /// Name of the skill.
    public var skill: String
    /// Version of the skill.
    public var version: String
    /// The checkpoint that would be trained from.
    public var parent: Digest
    /// The engine.
    public var engine: String
    /// Number of demonstrations.
    public var demonstrations: Int
    /// Number of items of the skill's suite.
    public var items: Int
    /// Names of the suites that would judge it, the skill's own first.
    public var suites: [String]
    /// What they could decide.
    public var plan: GatePlan
    /// The complete recipe.
    public var recipe: Recipe
    /// Time and memory that it would take; nil when the engine cannot tell.
    public var estimate: WorkEstimate?
}

extension Workflow {
    /// Checks a skill folder, the recipe and the engine, and says what would happen and what it would take.
    ///
    /// Fails when the training does not fit in this machine's memory. It runs the engine for some seconds, to measure it,
    /// and records nothing.
    public func preview(_ skill: SkillFolder, options: RegisterOptions) async throws -> RegistrationPreview {
        let recipe = try Self.recipe(of: skill, overrides: options.recipe)
        try checkEngine(options.engine, can: recipe.method)
        try Self.checkHindsight(skill, recipe.method, force: options.force)
        let main = try registry.main()
        try checkRehearsal(recipe, of: skill.manifest.name, on: main)
        try checkContamination(of: skill, on: main)
        let priors = try priorSuites(of: main)
        return RegistrationPreview(
            skill: skill.manifest.name, version: skill.manifest.version, parent: main, engine: options.engine,
            demonstrations: skill.demonstrations.count, items: skill.suite.items.count,
            suites: [skill.suite.name] + priors.map(\.suite.name), plan: try plan(on: main, for: skill),
            recipe: recipe,
            estimate: try await estimate(skill, recipe, priors, on: main, engine: options.engine))
    }

    private func estimate(
        _ skill: SkillFolder, _ recipe: Recipe, _ priors: [JudgedSuite], on main: Digest, engine name: String
    ) async throws -> WorkEstimate? {
        let engine = try engines.engine(name)
        // What cannot be told must not cost a copy of the model, which a plug-in needs to read one.
        guard engine.estimatesWork else { return nil }
        let model = try modelInput(main, for: engine)
        let settings = try engineRecipe(recipe)
        try engine.checkRoom(model, recipe: settings)
        let directory = registry.work.appending(path: "probe-\(UUID().uuidString)")
        try Files.createDirectory(directory)
        defer { try? Files.remove(directory) }
        let bytes = try JSON.canonicalLines(try teachingRecords(skill, context: 0, recipe, on: main))
        let file = directory.appending(path: "records.jsonl")
        try Files.writeAtomically(bytes, to: file)
        return try await engine.estimate(
            EstimateRequest(
                model: model, demonstrations: FileInput(path: file, sha256: Digest(of: bytes)),
                recipe: settings,
                evaluations: try evaluations(
                    skill, recipe, priors, on: main, model, engine: name, in: directory)),
            progress: progress)
    }

    /// What a registration asks of models, phase by phase; what has a stored result is not asked again, and of the time that
    /// another engine takes to score a suite of its own nothing is known.
    private func evaluations(
        _ skill: SkillFolder, _ recipe: Recipe, _ priors: [JudgedSuite], on main: Digest, _ model: ModelInput,
        engine: String, in directory: URL
    ) throws -> [EstimateRequest.Evaluation] {
        var result: [EstimateRequest.Evaluation] = []
        if recipe.method == .sdft, !Self.judged(skill).isEmpty {
            result += try probeRequests(skill, seed: recipe.seed, model: model, in: directory)
                .map { .init(phase: RegistrationPhase.probe.rawValue, request: $0) }
        }
        let suites =
            ([(suite: skill.suite, anchor: main)]
            + (try priors.map { (suite: try load($0.suite), anchor: $0.anchor) }))
            .filter { $0.suite.manifest.grader.engine == nil }
        let requests = try suites.enumerated().map { index, judged in
            try request(for: judged.suite, name: "suite-\(index)", model: model, in: directory)
        }
        for ((suite, anchor), request) in zip(suites, requests)
        where try stored(suite, of: anchor, engine: engine) == nil {
            result.append(.init(phase: RegistrationPhase.baseline.rawValue, request: request))
        }
        return result
            + requests.map { .init(phase: RegistrationPhase.evaluate.rawValue, request: $0) }
    }
}
