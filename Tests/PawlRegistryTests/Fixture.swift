import Foundation
import PawlCore
import PawlStore
import Testing

@testable import PawlRegistry

/// A registry in a temporary directory, with short ways to put things in it.
final class Fixture {
    let directory: URL
    var registry: Registry
    var root: URL { directory.appending(path: "registry") }

    init() throws {
        directory = scratch("registry")
        try Files.createDirectory(directory)
        registry = try Registry.create(at: directory.appending(path: "registry"), actor: "tester@here")
    }

    /// A copy of another one's directory.
    init(copyOf other: Fixture) throws {
        directory = scratch("registry")
        try Files.createDirectory(directory)
        let root = directory.appending(path: "registry")
        try other.registry.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try FileManager.default.copyItem(at: other.root, to: root)
        registry = try Registry(opening: root, actor: "tester@here")
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// Another handle on the same registry, as another process has it.
    func reopened() throws -> Registry { try Registry(opening: root, actor: "other@here") }

    /// A tree of one small file; equal texts are equal trees.
    func tree(_ text: String) throws -> Digest {
        let source = directory.appending(path: "source-\(UUID().uuidString)")
        try Files.createDirectory(source)
        try Data(text.utf8).write(to: source.appending(path: "config.json"))
        return try registry.store.importTree(source, options: ImportOptions(), progress: nil).tree
    }

    @discardableResult
    func base(_ text: String = "base") throws -> Digest {
        let digest = try tree(text)
        try registry.initialise(CheckpointManifest(digest: digest, parent: nil, origin: .base))
        return digest
    }

    @discardableResult
    func suite(_ name: String, version: String = "1.0.0", skill: String? = nil) throws -> SuiteRecord {
        let suite = SuiteRecord(
            name: name, version: version, digest: Digest(of: "suite \(name) \(version)"),
            tree: try tree("suite tree \(name) \(version)"), skill: skill, family: "geography",
            metric: "accuracy",
            margin: skill == nil ? 0.05 : "auto")
        try registry.addSuite(suite)
        return suite
    }

    @discardableResult
    func skill(_ name: String, version: String = "1.0.0") throws -> SkillRecord {
        let suite = try suite("\(name)-suite", version: version, skill: name)
        let skill = SkillRecord(
            name: name, version: version, digest: try tree("skill \(name) \(version)"), suite: suite.digest)
        try registry.addSkill(skill)
        return skill
    }

    func manifest(
        _ text: String, parent: Digest, skill: SkillRecord?, origin: Checkpoint.Origin = .register
    ) throws -> CheckpointManifest {
        CheckpointManifest(
            digest: try tree(text), parent: parent, origin: origin,
            acquisition: skill.map { Acquisition(skill: $0.name, version: $0.version, digest: $0.digest) },
            engine: EngineIdentity(name: "native", version: "0.1.0"),
            recipe: ["method": "sdft", "learning_rate": 2e-5, "steps": 80, "rehearsal_share": 0.375])
    }

    func candidate(_ text: String, parent: Digest, skill: SkillRecord?) throws -> Digest {
        let manifest = try manifest(text, parent: parent, skill: skill)
        try registry.recordCandidate(manifest)
        return manifest.digest
    }

    func evaluation(
        _ checkpoint: Digest, _ suite: Digest, score: Double = 0.8, settings: String = "settings"
    ) throws -> EvaluationRecord {
        let evidence = try registry.store.putDocument(
            Array("{\"id\":\"1\",\"on\":\"\(checkpoint.short) \(suite.short) \(score)\"}\n".utf8))
        return EvaluationRecord(
            checkpoint: checkpoint, suite: suite, settings: Digest(of: settings), evidence: evidence,
            score: score,
            count: 200, lower: score - 0.05, upper: score + 0.05,
            engine: EngineIdentity(name: "native", version: "0.1.0"))
    }

    func noise(_ checkpoint: Digest, _ suite: Digest) throws {
        let runs = try ["first", "second"].map {
            try registry.store.putDocument(Array("{\"run\":\"\($0)\"}\n".utf8))
        }
        try registry.record(
            noise: [
                NoiseRecord(
                    checkpoint: checkpoint, suite: suite, settings: Digest(of: "settings"), first: runs[0],
                    second: runs[1], count: 200, changed: 3, flips: 1)
            ])
    }

    /// A row against the anchor in force; every attempt is the next one of the ledger.
    func row(
        _ name: String, _ suite: Digest, _ state: VerdictSuite.State, anchor: Digest,
        role: VerdictSuite.Role = .prior,
        lower: Double = -0.02, upper: Double = 0.06
    ) throws -> VerdictSuite {
        let spent = try registry.attempts(suite: suite, anchor: anchor).count
        return VerdictSuite(
            name: name, suite: suite, role: role, anchor: anchor, state: state,
            difference: (lower + upper) / 2,
            lower: lower, upper: upper, margin: 0.05, alpha: 0.0304,
            attempt: role == .prior ? spent + 1 : nil,
            count: 200, candidateScore: 0.8, anchorScore: 0.78, lost: 4, won: 8)
    }

    func verdict(
        _ candidate: Digest, parent: Digest?, _ decision: VerdictRecord.Decision, _ rows: [VerdictSuite],
        kind: VerdictRecord.Kind = .registration, registration: String? = "r-1"
    ) throws -> VerdictRecord {
        let report: JSONValue = [
            "type": "verdict", "candidate": .string(candidate.hex), "decision": .string(decision.rawValue),
            "nonce": .string(UUID().uuidString),
        ]
        return VerdictRecord(
            digest: try registry.store.putDocument(JSON.canonical(report)), registration: registration,
            candidate: candidate, parent: parent, decision: decision, kind: kind, suites: rows)
    }

    /// Rows that hold every suite in force on main, and the new skill's.
    func rows(
        on parent: Digest, skill: SkillRecord, state: VerdictSuite.State = .gained,
        prior: VerdictSuite.State = .held, priorLower: Double = -0.02
    ) throws -> [VerdictSuite] {
        let priors = try registry.anchors(at: parent).map {
            try row($0.name, $0.suite, prior, anchor: $0.anchor, lower: priorLower)
        }
        let name = "\(skill.name)-suite"
        return priors + [
            try row(name, skill.suite, state, anchor: parent, role: .new, lower: 0.1, upper: 0.3)
        ]
    }

    /// Trains, judges and promotes: the whole way of an accepted skill.
    @discardableResult
    func acquire(_ name: String, version: String = "1.0.0", priorLower: Double = -0.02) throws -> Digest {
        let skill = try skill(name, version: version)
        let main = try registry.main()
        let candidate = try candidate("weights \(name) \(version)", parent: main, skill: skill)
        let rows = try rows(on: main, skill: skill, priorLower: priorLower)
        let verdict = try verdict(candidate, parent: main, .accept, rows)
        try registry.recordVerdict(
            verdict, evaluations: try rows.map { try evaluation(candidate, $0.suite, score: 0.8) })
        try registry.promote(candidate, expecting: main, by: verdict.digest)
        return candidate
    }

    /// Trains and judges with another result; main stays.
    func attempt(
        _ skill: SkillRecord, _ text: String, _ decision: VerdictRecord.Decision,
        state: VerdictSuite.State = .gained,
        prior: VerdictSuite.State = .held
    ) throws -> Digest {
        let main = try registry.main()
        let candidate = try candidate(text, parent: main, skill: skill)
        let rows = try rows(on: main, skill: skill, state: state, prior: prior)
        try registry.recordVerdict(
            try verdict(candidate, parent: main, decision, rows),
            evaluations: try rows.map { try evaluation(candidate, $0.suite, score: 0.5) })
        return candidate
    }

    /// A history with every kind of entry.
    func history() throws {
        let base = try base()
        try suite("capitals")
        try registry.record([try evaluation(base, Digest(of: "suite capitals 1.0.0"), score: 0.7)])
        try noise(base, Digest(of: "suite capitals 1.0.0"))
        let first = try acquire("tool-use")
        try suite("arithmetic")
        let science = try skill("science")
        let rejected = try attempt(science, "bad", .reject, prior: .regressed)
        let inconclusive = try attempt(science, "unclear", .inconclusive, prior: .undecided)
        try registry.waive(inconclusive, reason: "good enough", expecting: first)
        try registry.recordGateRun(
            try verdict(
                inconclusive, parent: nil, .none,
                [try row("capitals", Digest(of: "suite capitals 1.0.0"), .held, anchor: base)],
                kind: .gateRun,
                registration: nil), evaluations: [])
        try registry.rollback(to: first, reason: "not good enough", expecting: inconclusive)
        let imported = try manifest("imported", parent: first, skill: nil, origin: .import)
        try registry.recordImport(imported)
        _ = try registry.collect(graceSeconds: 0, dryRun: false)
        #expect(try registry.checkpoint(rejected).collected != nil)
        let registration = try registry.save(Registration(skill: "science", parent: first, phase: "train"))
        try registry.abandon(registration.id, reason: "no time")
    }
}

/// A new name for a directory: in memory where there is such a place, since the tests make thousands of durable
/// files and a disk takes a minute for that.
func scratch(_ name: String) -> URL {
    let memory = URL(filePath: "/dev/shm", directoryHint: .isDirectory)
    let isUsable = FileManager.default.isWritableFile(atPath: memory.path)
    return (isUsable ? memory : FileManager.default.temporaryDirectory)
        .appending(path: "pawl-\(name)-\(UUID().uuidString)", directoryHint: .isDirectory)
}

/// The code of the error that `body` throws; nil when it throws none.
func code<T>(_ body: () throws -> T) -> PawlError.Code? {
    do {
        _ = try body()
        return nil
    } catch {
        return (error as? PawlError)?.code
    }
}

/// The message of the error that `body` throws.
func message<T>(_ body: () throws -> T) -> String {
    do {
        _ = try body()
        return ""
    } catch {
        return "\(error)"
    }
}
