internal import Foundation
internal import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlModel
internal import PawlRegistry
internal import PawlStore

extension Workflow {
    func probePhase(_ registration: Registration, _ state: inout RegistrationState) async throws {
        let skill = try load(state.skill)
        if state.force, Self.judged(skill).isEmpty {
            notice("  not probed: no record says what a right response is")
            return
        }
        let report = try await probe(
            skill, on: registration.parent, engine: state.engine, seed: state.recipe.seed)
        state.probe = report
        let scores = report.teachers.map { "\($0.context.kind) \(percent($0.score))" }.joined(separator: ", ")
        notice("  student \(percent(report.student)), teacher: \(scores) (\(report.count) demonstrations)")
        guard report.best == nil, !state.force else { return }
        let reason = "no teacher context beats the student: student \(percent(report.student)), \(scores)"
        try close(registration, outcome: "nothing_to_distil", reason: reason)
        throw PawlError(
            .unsupported, "there is nothing to distil for \"\(state.skill.name)\": \(reason)",
            hint: "give the skill another teacher context, a larger base model, or go on with --force")
    }

    func baselinePhase(_ registration: Registration, _ state: inout RegistrationState) async throws {
        try warnOfLosses(registration.parent)
        let own = JudgedSuite(
            suite: try registry.suite(state.skill.suite), anchor: registration.parent, role: .new, margin: nil
        )
        let priors = try priorSuites(of: registration.parent)
        do {
            state.plan = try freezeMargins([own] + priors, isAttempt: true, force: state.force)
        } catch let error as PawlError where error.code == .unsupported {
            // Going on would meet the same margin, and --force is read when a registration starts: so it ends here.
            try close(registration, outcome: "margin_too_wide", reason: error.message)
            throw error
        }
        let tasks = state.plan.map { MeasurementTask(checkpoint: $0.anchor, suite: $0.suite) }
        _ = try await measure(tasks, engine: state.engine)
        try await measureNoise(state.plan, engine: state.engine)
        do {
            try await checkCanaries(state.plan, engine: state.engine, force: state.force)
        } catch let error as PawlError where error.code == .evidenceInvalid {
            try close(registration, outcome: "canary", reason: error.message)
            throw error
        }
    }

    /// After a waiver main may not hold what its anchors did; a candidate is judged against the anchors all the same.
    private func warnOfLosses(_ main: Digest) throws {
        let states = try registry.skills(of: main) + registry.generalSuites(of: main)
        for lost in states where lost.state == .regressed {
            notice(
                "  main itself does not hold \(lost.suiteName): this candidate must win it back, or be rejected"
            )
        }
    }

    func trainPhase(_ registration: Registration, _ state: inout RegistrationState) async throws {
        let directory = registry.directory(of: registration.id)
        let training = directory.appending(path: "training")
        let output = directory.appending(path: "output")
        try Files.createDirectory(training)
        try Files.remove(output)
        let file = directory.appending(path: "records.jsonl")
        let records = try teachingRecords(
            try load(state.skill), context: state.probe?.best ?? 0, state.recipe, on: registration.parent)
        let bytes = try JSON.canonicalLines(records)
        try Files.writeAtomically(bytes, to: file)
        let engine = try engines.engine(state.engine)
        let request = TrainingRequest(
            model: try modelInput(registration.parent, for: engine),
            demonstrations: FileInput(path: file, sha256: Digest(of: bytes)),
            recipe: try engineRecipe(state.recipe),
            output: output, state: training, workdir: directory)
        let result = try await engine.train(request, progress: progress)
        state.training = TrainingSummary(
            engine: EngineIdentity(name: result.engine.name, version: result.engine.version),
            environment: result.environment, metrics: result.metrics, records: Digest(of: bytes),
            transcript: try registry.store.putDocument(result.transcript.bytes), files: result.files)
    }

    /// The recipe as an engine reads it: its own settings stand beside the common keys.
    func engineRecipe(_ recipe: Recipe) throws -> JSONValue {
        var members = try Self.json(recipe).object ?? [:]
        members["engine_options"] = nil
        return .object(members.merging(recipe.engineOptions) { common, _ in common })
    }

    /// Skill records under one of the skill's contexts, and what holds the model where it was.
    func teachingRecords(
        _ skill: SkillFolder, context index: Int, _ recipe: Recipe, on parent: Digest
    ) throws -> [TeachingRecord] {
        let contexts = skill.manifest.contexts
        guard contexts.indices.contains(index) else {
            throw PawlError(
                .invalidArgument, "skill \"\(skill.manifest.name)\" names no teacher context")
        }
        var records = try TeachingRecord.skill(skill.demonstrations, context: contexts[index])
        guard recipe.rehearsalShare > 0 else { return records }
        let rehearsal = try rehearsalRecords(besides: skill.manifest.name, on: parent)
        guard !rehearsal.isEmpty else { throw nothingToRehearse }
        records += rehearsal
        return records
    }

    /// The general prompts that ship, and the prompts of every skill that the line acquired before.
    private func rehearsalRecords(besides skill: String, on parent: Digest) throws -> [TeachingRecord] {
        var records: [TeachingRecord] = []
        for match in folders.all(.rehearsal) {
            records += TeachingRecord.rehearsal(try RehearsalSet(loading: match.folder))
        }
        for earlier in try registry.skills(of: parent) {
            guard let name = earlier.skill, name != skill, earlier.acquired != nil,
                let record = try registry.skill(name, version: earlier.version)
            else { continue }
            records += TeachingRecord.rehearsal(try load(record).demonstrations, of: name)
        }
        return records
    }

    func storePhase(_ registration: Registration, _ state: inout RegistrationState) throws {
        let output = registry.directory(of: registration.id).appending(path: "output")
        try require(state.training, "training of registration \(registration.id)").check(output)
        let tree = try store(output, of: registration, level: state.level)
        guard tree != registration.parent else {
            let reason = "the training changed nothing: the result is the parent itself"
            try close(registration, outcome: "unchanged", reason: reason)
            throw PawlError(.engine, reason, hint: "a learning rate of 0, or no records to learn from?")
        }
        state.candidate = tree
        try recordCandidate(tree, registration, state)
    }

    /// Takes an output into the store, with the permissions of the parent's files; gives its digest.
    func store(_ output: URL, of registration: Registration, level: EncodingLevel?) throws -> Digest {
        guard !Adapter.isAdapter(output) else {
            return try fold(Adapter(output), into: registration.parent, level: level ?? .standard).tree
        }
        try takeModes(ofCheckpoint: registration.parent, to: output)
        let options = ImportOptions(
            parents: try deltaBases(for: registration.parent), level: level ?? .standard)
        return try registry.store.importTree(output, options: options, progress: progress).tree
    }

    /// Records a candidate with how it came about.
    ///
    /// - Parameter rescue: where it lies between the parent and what was trained; nil for the training itself.
    func recordCandidate(
        _ tree: Digest, _ registration: Registration, _ state: RegistrationState,
        rescue: CandidateDetails.Rescue? = nil
    ) throws {
        let manifest = CheckpointManifest(
            digest: tree, parent: registration.parent, origin: .register,
            acquisition: Acquisition(
                skill: state.skill.name, version: state.skill.version, digest: state.skill.digest),
            engine: state.training?.engine, recipe: try Self.json(state.recipe),
            details: try Self.json(
                CandidateDetails(registration: registration.id, state: state, rescue: rescue)),
            created: .now)
        do {
            try registry.recordCandidate(manifest, documents: state.training.map { [$0.transcript] } ?? [])
        } catch let error as PawlError where error.code == .alreadyExists {
            try close(registration, outcome: "known_already", reason: error.message)
            throw error
        }
    }

    /// Gives the output the permissions of the parent's files. They are part of a checkpoint's name, and what an
    /// engine leaves depends on its umask and on the read-only copy that it started from.
    private func takeModes(ofCheckpoint parent: Digest, to output: URL) throws {
        for entry in try registry.store.tree(parent).entries {
            let file = output.appending(path: entry.path)
            if Files.exists(file) { try Files.setMode(entry.mode, of: file) }
        }
    }

    /// Provenance of a candidate beyond what every checkpoint has.
    struct CandidateDetails: Encodable {
        var registration: String
        var training: TrainingSummary?
        var probe: ProbeReport?
        var rescue: Rescue?
        var level: EncodingLevel

        private enum CodingKeys: String, CodingKey {
            case registration, training, probe, rescue
            case level = "encoding_level"
        }

        /// Where weights lie that no training made: parent + sixteenths/16 * (candidate - parent), element by element.
        struct Rescue: Encodable {
            var candidate: Digest
            var sixteenths: Int
        }

        init(registration: String, state: RegistrationState, rescue: Rescue?) {
            self.registration = registration
            self.rescue = rescue
            training = state.training
            probe = state.probe
            level = state.level ?? .standard
        }
    }

    func evaluatePhase(_ registration: Registration, _ state: inout RegistrationState) async throws {
        let candidate = try require(state.candidate, registration)
        _ = try await measure(candidate, on: state.plan, look: 1, engine: state.engine)
    }

    func verdictPhase(_ registration: Registration, _ state: inout RegistrationState) async throws {
        let candidate = try require(state.candidate, registration)
        let verdict = try await verdict(on: candidate, registration, state)
        state.verdict = verdict
        guard !state.tries.contains(where: { $0.verdict == verdict }) else { return }
        state.tries.append(
            RegistrationTry(
                try verdictReport(verdict), verdict: verdict, learningRate: state.recipe.learningRate))
    }

    /// Judges a candidate of the registration and records the verdict, which spends an attempt; gives its digest.
    func verdict(
        on candidate: Digest, _ registration: Registration, _ state: RegistrationState
    ) async throws -> Digest {
        // Killed after the verdict was recorded but before the phase was saved: it must not cost a second attempt.
        if let known = try registry.verdicts(of: candidate).first(where: {
            $0.registration == registration.id
        }) {
            return known.digest
        }
        let skill = state.skill
        let judgement = try await judge(
            candidate, parent: registration.parent, plan: state.plan, kind: .registration,
            skill: VerdictReport.Skill(name: skill.name, version: skill.version, digest: skill.digest),
            engine: state.engine)
        do {
            try checkGain(judgement.report, force: state.force)
        } catch let error as PawlError where error.code == .evidenceInvalid {
            try close(registration, outcome: "canary", reason: error.message)
            throw error
        }
        return try record(judgement, registration: registration.id)
    }

    func promotePhase(_ registration: Registration, _ state: RegistrationState) throws {
        let candidate = try require(state.candidate, registration)
        guard let digest = state.verdict, try registry.verdict(digest).decision == .accept else { return }
        // Killed after the promotion but before the phase was saved: it is done, whatever has become of main since.
        let promotions = try registry.recentEntries(.max).filter { $0.kind == .promotion }
        if promotions.contains(where: { $0.verdict == digest }) { return }
        do {
            try registry.promote(candidate, expecting: registration.parent, by: digest)
        } catch let error as PawlError where error.code == .conflict {
            guard try isOvertaken(registration, state) else { throw error }
            // Nothing that this registration could still do would change that: it ends here, the verdict stays.
            try end(registration, outcome: "accepted_not_promoted")
            throw error
        }
    }

    /// True when main was moved, or a suite came into force that the plan does not have.
    private func isOvertaken(_ registration: Registration, _ state: RegistrationState) throws -> Bool {
        guard try registry.main() == registration.parent else { return true }
        let judged = Set(state.plan.map(\.suite.digest))
        return try priorSuites(of: registration.parent).contains { !judged.contains($0.suite.digest) }
    }

    private func require(_ candidate: Digest?, _ registration: Registration) throws -> Digest {
        try require(candidate, "candidate of registration \(registration.id)")
    }

    private func require<T>(_ value: T?, _ what: String) throws -> T {
        guard let value else { throw PawlError(.corrupt, "the \(what) is missing", hint: "pawl verify") }
        return value
    }
}
