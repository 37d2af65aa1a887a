internal import Foundation
public import PawlCore
internal import PawlEngines
public import PawlGate
internal import PawlRegistry
internal import PawlStore

extension Workflow {
    /// Teaches `main` a skill and moves it when the gate accepts.
    ///
    /// Errors in the skill folder are found before anything is recorded. Cancelled or killed in a later
    /// phase, the registration stays unfinished and ``resume(_:)`` goes on with it.
    public func register(_ skill: SkillFolder, options: RegisterOptions) async throws -> RegistrationReport {
        let recipe = try Self.recipe(of: skill, overrides: options.recipe)
        try checkEngine(options.engine, can: recipe.method)
        guard options.attempts >= 1 else {
            throw PawlError(.invalidArgument, "\(options.attempts) attempts: there is no training in them")
        }
        try Self.checkHindsight(skill, recipe.method, force: options.force)
        let lease = try registry.acquireLease("register \(skill.manifest.name)")
        defer { lease.release() }
        try refuseWhileUnfinished()
        try sweep()
        let main = try registry.main()
        try checkRehearsal(recipe, of: skill.manifest.name, on: main)
        try checkContamination(of: skill, on: main)
        try checkPlan(try plan(on: main, for: skill), force: options.force)
        try checkRoom(recipe, on: main, engine: options.engine)
        let record = try addSkill(skill)
        let state = RegistrationState(
            skill: record, engine: options.engine, recipe: recipe, force: options.force,
            attempts: options.attempts, isRescue: options.rescue, level: options.level)
        let first: RegistrationPhase = recipe.method == .sdft ? .probe : .baseline
        let registration = try registry.save(
            Registration(
                skill: record.name, parent: main, phase: first.rawValue, state: try Self.json(state)))
        return try await run(registration, lease: lease)
    }

    /// Goes on with an unfinished registration.
    ///
    /// - Parameters:
    ///   - skill: the skill whose registration is meant; nil when there is only one.
    ///   - recipe: keys that whoever resumes asks for; one that is not as the registration has it is a conflict.
    ///   - engine: the engine asked for, likewise.
    /// - Returns: nil when there is nothing to resume.
    public func resume(_ skill: String?, recipe: [String: JSONValue] = [:], engine: String? = nil)
        async throws
        -> RegistrationReport?
    {
        guard
            let name = try registry.unfinishedRegistrations().first(where: {
                skill == nil || $0.skill == skill
            })?.skill
        else { return nil }
        let lease = try registry.acquireLease("register \(name)")
        defer { lease.release() }
        // Read again under the lease: its holder may just have finished it.
        guard let registration = try registry.unfinishedRegistrations().first(where: { $0.skill == name })
        else {
            return nil
        }
        try checkUnchanged(registration, recipe: recipe, engine: engine)
        return try await run(registration, lease: lease)
    }

    /// Refuses to go on when other settings are asked for than those that the registration was begun with.
    private func checkUnchanged(
        _ registration: Registration, recipe asked: [String: JSONValue], engine: String?
    ) throws {
        let state = try Self.state(of: registration)
        let begun = try Self.json(state.recipe).object ?? [:]
        let source = "recipe of \(registration.skill)"
        let merged = begun.merging(asked) { $1 }
        let wanted = try JSON.decode(
            Recipe.self, from: JSON.canonical(JSONValue.object(merged)), source: source)
        var differing = try Self.json(wanted).object?.filter { begun[$0.key] != $0.value }.keys.sorted() ?? []
        // A second attempt has halved it.
        if !state.tries.isEmpty { differing.removeAll { $0 == "learning_rate" } }
        if let engine, engine != state.engine { differing.append("engine") }
        guard !differing.isEmpty else { return }
        throw PawlError(
            .conflict,
            "the unfinished registration \(registration.id) of \(registration.skill) was begun with other settings: "
                + differing.joined(separator: ", "),
            hint:
                "pawl register --resume without them goes on as it was begun; pawl register --abandon gives it up"
        )
    }

    private static func state(of registration: Registration) throws -> RegistrationState {
        try JSON.decode(
            RegistrationState.self, from: JSON.canonical(registration.state),
            source: "registration \(registration.id)")
    }

    /// Gives an unfinished registration up; the journal keeps that.
    public func abandon(_ id: String, reason: String) throws {
        let lease = try registry.acquireLease("abandon \(id)")
        defer { lease.release() }
        try close(try registry.registration(id), outcome: "abandoned", reason: reason)
    }

    /// The skill's recipe with keys replaced, checked.
    public static func recipe(of skill: SkillFolder, overrides: [String: JSONValue]) throws -> Recipe {
        var members = try json(skill.manifest.recipe).object ?? [:]
        members.merge(overrides) { $1 }
        // A shorter training shortens the skill's warm-up with it; a warm-up that was asked for is checked as it is.
        if overrides["warmup_steps"] == nil, let steps = members["steps"]?.int,
            let warmup = members["warmup_steps"]?.int
        {
            members["warmup_steps"] = .int(Int64(min(steps, warmup)))
        }
        let recipe = try JSON.decode(
            Recipe.self, from: JSON.canonical(JSONValue.object(members)),
            source: "recipe of \(skill.manifest.name)")
        try recipe.validate()
        return recipe
    }

    func checkEngine(_ name: String, can method: Recipe.Method) throws {
        let capabilities = try engines.engine(name).identify().capabilities
        guard capabilities.train.contains(method.rawValue), capabilities.evaluate else {
            throw PawlError(
                .unsupported, "engine \"\(name)\" cannot train by \(method.rawValue) and evaluate",
                hint: "pawl engine ls shows what each engine can do")
        }
    }

    /// Refuses to imitate responses that a user may have rejected, since fine-tuning has no teacher that reads the
    /// follow-up; and, without force, to distil what no probe can judge.
    static func checkHindsight(_ skill: SkillFolder, _ method: Recipe.Method, force: Bool) throws {
        guard method == .sft else {
            if !force { _ = try judgedRecords(skill) }
            return
        }
        guard let record = skill.demonstrations.first(where: { $0.followup != nil }) else { return }
        throw PawlError(
            .unsupported,
            "\"\(skill.manifest.name)\" cannot be learned by sft: demonstration \"\(record.id)\" has a followup, so "
                + "its response is the model's own and may be wrong",
            hint: "register it with --method sdft, whose teacher reads the follow-up")
    }

    /// Says before anything is recorded that a recipe rehearses and there is nothing to rehearse.
    func checkRehearsal(_ recipe: Recipe, of skill: String, on main: Digest) throws {
        guard recipe.rehearsalShare > 0, folders.all(.rehearsal).isEmpty else { return }
        let hasEarlier = try registry.skills(of: main).contains { $0.acquired != nil && $0.skill != skill }
        guard hasEarlier else { throw nothingToRehearse }
    }

    /// Refuses before anything is recorded what the training would not have the memory for.
    private func checkRoom(_ recipe: Recipe, on main: Digest, engine name: String) throws {
        let engine = try engines.engine(name)
        try engine.checkRoom(modelInput(main, for: engine), recipe: engineRecipe(recipe))
    }

    var nothingToRehearse: PawlError {
        let places = folders.roots.map { $0.appending(path: "rehearsal").path }
        return PawlError(
            .notFound, "the recipe rehearses, but there is no rehearsal set and no earlier skill to rehearse",
            hint: "put a set into \(places.joined(separator: " or ")), "
                + "or register with --set rehearsal_share=0")
    }

    private func refuseWhileUnfinished() throws {
        guard let other = try registry.unfinishedRegistrations().first else { return }
        throw PawlError(
            .conflict, "the registration \(other.id) of \(other.skill) is unfinished (phase \(other.phase))",
            hint: "pawl register --resume goes on with it; pawl register --abandon gives it up")
    }

    /// Runs the phases from where the registration stands.
    private func run(_ start: Registration, lease: Lease) async throws -> RegistrationReport {
        var registration = start
        var state = try Self.state(of: start)
        while let phase = RegistrationPhase(rawValue: registration.phase), phase != .done {
            try lease.confirm()
            try Task.checkCancellation()
            notice("\(phase.rawValue)")
            try await perform(phase, of: registration, state: &state)
            try lease.confirm()  // whoever took over writes the state now
            let next = try next(after: phase, of: registration, &state)
            registration.phase = next.rawValue
            registration.state = try Self.json(state)
            if next == .done {
                try finish(&registration, state: state)
            } else {
                registration = try registry.save(registration)
            }
        }
        return try report(registration, state: state)
    }

    private func perform(
        _ phase: RegistrationPhase, of registration: Registration, state: inout RegistrationState
    ) async throws {
        switch phase {
        case .probe: try await probePhase(registration, &state)
        case .baseline: try await baselinePhase(registration, &state)
        case .train: try await trainPhase(registration, &state)
        case .store: try storePhase(registration, &state)
        case .evaluate: try await evaluatePhase(registration, &state)
        case .verdict: try await verdictPhase(registration, &state)
        case .rescue: try await rescuePhase(registration, &state)
        case .promote: try promotePhase(registration, state)
        case .done: break
        }
    }

    private func finish(_ registration: inout Registration, state: RegistrationState) throws {
        let verdict = try state.verdict.map(registry.verdict)
        registration = try end(registration, outcome: verdict?.decision.rawValue)
    }

    private func report(_ registration: Registration, state: RegistrationState) throws -> RegistrationReport {
        guard let candidate = state.candidate, let digest = state.verdict else {
            throw PawlError(.internalError, "registration \(registration.id) ended without a verdict")
        }
        return RegistrationReport(
            registration: registration.id, skill: registration.skill, parent: registration.parent,
            candidate: candidate, tries: state.tries, isPromoted: try registry.main() == candidate,
            probe: state.probe,
            verdictDigest: digest, verdict: try verdictReport(digest))
    }

    /// Ends a registration that cannot go on; the journal keeps why.
    func close(_ registration: Registration, outcome: String, reason: String) throws {
        try registry.abandon(registration.id, reason: reason)
        try end(registration, outcome: outcome)
    }

    /// Marks a registration as over. What mattered of its working files is in the store, so they go.
    @discardableResult
    func end(_ registration: Registration, outcome: String?) throws -> Registration {
        var registration = registration
        registration.finished = .now
        registration.outcome = outcome
        registration = try registry.save(registration)
        try clear(registration)
        return registration
    }

    private func clear(_ registration: Registration) throws {
        let directory = registry.directory(of: registration.id)
        for name in Self.names(in: directory) where name != "state.json" {
            try Files.remove(directory.appending(path: name))
        }
    }

    /// Removes what killed processes left in `work/`; the caller holds the lease.
    func sweep() throws {
        for registration in try registry.registrations() where registration.finished != nil {
            try clear(registration)
        }
        // A measurement takes no lease, so only what is too old to be one that runs.
        let yesterday = Date(timeIntervalSinceNow: -86400)
        for name in Self.names(in: registry.work)
        where name.hasPrefix("evaluate-") || name.hasPrefix("probe-") {
            let directory = registry.work.appending(path: name)
            let made = try directory.resourceValues(forKeys: [.contentModificationDateKey])
                .contentModificationDate
            if let made, made < yesterday { try Files.remove(directory) }
        }
    }

    private static func names(in directory: URL) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    }
}
