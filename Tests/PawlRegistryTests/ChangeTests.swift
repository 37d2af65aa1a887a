import Foundation
import PawlCore
import PawlStore
import Testing

@testable import PawlRegistry

struct ChangeTests {
    @Test("The base becomes main, once")
    func initialise() throws {
        let fixture = try Fixture()
        #expect(code { try fixture.registry.main() } == .notFound)
        let base = try fixture.base()
        #expect(try fixture.registry.main() == base)
        #expect(try fixture.registry.checkpoint(base).status == .base)
        #expect(try fixture.registry.manifest(of: base).origin == .base)
        try fixture.base()  // the same again is nothing
        #expect(try fixture.registry.journal().count == 1)
        #expect(code { try fixture.base("other") } == .alreadyExists)
    }

    @Test("A checkpoint whose tree is not in the store is refused")
    func missingTree() throws {
        let fixture = try Fixture()
        let ghost = CheckpointManifest(digest: Digest(of: "ghost"), parent: nil, origin: .base)
        #expect(code { try fixture.registry.initialise(ghost) } == .notFound)
        #expect(try fixture.registry.journal().isEmpty)
    }

    @Test("A suite's newer version takes the older one's place; the same version with other bytes is refused")
    func suiteVersions() throws {
        let fixture = try Fixture()
        try fixture.base()
        let first = try fixture.suite("capitals")
        let second = try fixture.suite("capitals", version: "1.1.0")
        #expect(try fixture.registry.activeSuite("capitals") == second)
        #expect(try fixture.registry.suite(first.digest) == first)
        var altered = second
        altered.digest = Digest(of: "other bytes")
        #expect(code { try fixture.registry.addSuite(altered) } == .alreadyExists)
        var stolen = second
        stolen.skill = "tool-use"
        stolen.version = "1.2.0"
        stolen.digest = Digest(of: "stolen")
        #expect(code { try fixture.registry.addSuite(stolen) } == .alreadyExists)
        let count = try fixture.registry.journal().count
        try fixture.suite("capitals", version: "1.1.0")
        #expect(try fixture.registry.journal().count == count)
    }

    @Test("A skill needs its own suite; the same version with other bytes is refused")
    func skills() throws {
        let fixture = try Fixture()
        let skill = try fixture.skill("tool-use")
        #expect(try fixture.registry.skill("tool-use") == skill)
        let again = try fixture.registry.addSkill(skill)
        #expect(try fixture.registry.journal().last == again)
        var altered = skill
        altered.digest = try fixture.tree("altered")
        #expect(code { try fixture.registry.addSkill(altered) } == .alreadyExists)
        altered.version = "1.1.0"
        altered.suite = try fixture.suite("capitals").digest
        #expect(code { try fixture.registry.addSkill(altered) } == .invalidArgument)
        let next = try fixture.skill("tool-use", version: "2.0.0")
        #expect(try fixture.registry.skill("tool-use") == next)
        #expect(try fixture.registry.skill("tool-use", version: "1.0.0") == skill)
        #expect(try fixture.registry.skills() == [skill, next])
    }

    @Test("An accepted candidate is promoted, and its manifest, evaluations and verdict are there")
    func promotion() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let capitals = try fixture.suite("capitals")
        let candidate = try fixture.acquire("tool-use")
        let registry = fixture.registry
        #expect(try registry.main() == candidate)
        #expect(try registry.checkpoint(candidate).status == .accepted)
        #expect(try registry.line(of: candidate).map(\.digest) == [candidate, base])
        #expect(try registry.wasMain(base) && registry.wasMain(candidate))
        #expect(try registry.formerMains() == [base])
        let evaluation = try registry.evaluation(
            checkpoint: candidate, suite: capitals.digest, settings: Digest(of: "settings"))
        #expect(evaluation?.score == 0.8)
        #expect(try registry.evaluations(of: candidate).count == 2)
        #expect(try registry.verdicts(of: candidate).first?.suites.count == 2)
        let updates = try registry.updates(judgedOn: capitals.digest, limit: 10)
        #expect(updates.map(\.candidate) == [candidate] && updates.map(\.parent) == [base])
        #expect(try registry.attempts(suite: capitals.digest, anchor: base).map(\.number) == [1])
        #expect(try registry.manifest(of: candidate).recipe?["learning_rate"]?.double == 2e-5)
    }

    @Test("Only an ACCEPT verdict on this candidate promotes")
    func promotionNeedsAcceptance() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        try fixture.suite("capitals")
        let skill = try fixture.skill("tool-use")
        let rejected = try fixture.attempt(skill, "bad", .reject, prior: .regressed)
        let verdict = try #require(try fixture.registry.verdicts(of: rejected).first)
        #expect(
            code { try fixture.registry.promote(rejected, expecting: base, by: verdict.digest) } == .conflict)
        let suite = try #require(try fixture.registry.activeSuite("capitals")).digest
        #expect(try fixture.registry.updates(judgedOn: suite, limit: 10).isEmpty)
        let other = try fixture.candidate("other", parent: base, skill: skill)
        #expect(
            code { try fixture.registry.promote(other, expecting: base, by: verdict.digest) } == .conflict)
        #expect(try fixture.registry.main() == base)
    }

    @Test("A suite that was added after the verdict must be judged first")
    func coverage() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let skill = try fixture.skill("tool-use")
        let candidate = try fixture.attempt(skill, "good", .accept)
        try fixture.suite("capitals")
        let verdict = try #require(try fixture.registry.verdicts(of: candidate).first)
        let text = message { try fixture.registry.promote(candidate, expecting: base, by: verdict.digest) }
        #expect(text.contains("capitals"))
        #expect(try fixture.registry.main() == base)
    }

    @Test(
        "A decision that its own rows contradict is refused",
        arguments: [VerdictSuite.State.regressed, .undecided])
    func contradiction(_ state: VerdictSuite.State) throws {
        let fixture = try Fixture()
        try fixture.base()
        try fixture.suite("capitals")
        let skill = try fixture.skill("tool-use")
        #expect(code { try fixture.attempt(skill, "x", .accept, prior: state) } == .evidenceInvalid)
        #expect(code { try fixture.attempt(skill, "y", .accept, state: .notGained) } == .evidenceInvalid)
    }

    @Test("A verdict that was judged as an attempt already spent is a conflict")
    func ledger() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let capitals = try fixture.suite("capitals")
        let skill = try fixture.skill("tool-use")
        let early = try fixture.rows(on: base, skill: skill)
        _ = try fixture.attempt(skill, "one", .reject, prior: .regressed)
        let late = try fixture.candidate("two", parent: base, skill: skill)
        let stale = try fixture.verdict(late, parent: base, .accept, early)
        #expect(code { try fixture.registry.recordVerdict(stale, evaluations: []) } == .conflict)
        _ = try fixture.attempt(skill, "two", .inconclusive, prior: .undecided)
        #expect(try fixture.registry.attempts(suite: capitals.digest, anchor: base).map(\.number) == [1, 2])
    }

    @Test("Recording the same verdict twice is one entry")
    func repeatedVerdict() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let skill = try fixture.skill("tool-use")
        let candidate = try fixture.candidate("one", parent: base, skill: skill)
        let verdict = try fixture.verdict(
            candidate, parent: base, .accept, try fixture.rows(on: base, skill: skill))
        let first = try fixture.registry.recordVerdict(verdict, evaluations: [])
        #expect(try fixture.registry.recordVerdict(verdict, evaluations: []) == first)
        let move = try fixture.registry.promote(candidate, expecting: base, by: verdict.digest)
        #expect(try fixture.registry.promote(candidate, expecting: base, by: verdict.digest) == move)
        #expect(
            try fixture.registry.recordCandidate(fixture.manifest("two", parent: candidate, skill: nil))
                .sequence == 7)
    }

    @Test("A rejected candidate that is trained again is a candidate again; a former main is not")
    func sameDigestAgain() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let skill = try fixture.skill("tool-use")
        let rejected = try fixture.attempt(skill, "same", .reject, state: .notGained)
        #expect(try fixture.registry.checkpoint(rejected).status == .rejected)
        #expect(try fixture.candidate("same", parent: base, skill: skill) == rejected)
        #expect(try fixture.registry.checkpoint(rejected).status == .candidate)
        let promoted = try fixture.acquire("science")
        let science = try #require(try fixture.registry.skill("science"))
        try fixture.registry.rollback(to: base, reason: "again", expecting: promoted)
        #expect(
            code { try fixture.candidate("weights science 1.0.0", parent: base, skill: science) }
                == .alreadyExists)
        #expect(code { try fixture.candidate("base", parent: base, skill: science) } == .invalidArgument)
    }

    @Test("An import needs a parent and is a candidate")
    func importing() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let manifest = try fixture.manifest("imported", parent: base, skill: nil, origin: .import)
        try fixture.registry.recordImport(manifest)
        #expect(try fixture.registry.checkpoint(manifest.digest).status == .candidate)
        var orphan = try fixture.manifest("orphan", parent: base, skill: nil, origin: .import)
        orphan.parent = nil
        #expect(code { try fixture.registry.recordImport(orphan) } == .invalidArgument)
        orphan.parent = Digest(of: "nowhere")
        #expect(code { try fixture.registry.recordImport(orphan) } == .notFound)
    }

    @Test("An evaluation outside a verdict is an entry of its own, and its evidence must be there")
    func evaluations() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let capitals = try fixture.suite("capitals")
        let evaluation = try fixture.evaluation(base, capitals.digest)
        let entry = try fixture.registry.record([evaluation])
        #expect(entry.kind == .evaluation && entry.documents.contains(evaluation.evidence))
        #expect(try fixture.registry.evaluations(of: base) == [evaluation])
        var ghost = evaluation
        ghost.evidence = Digest(of: "ghost")
        #expect(code { try fixture.registry.record([ghost]) } == .notFound)
        ghost.suite = Digest(of: "ghost")
        #expect(code { try fixture.registry.record([ghost]) } == .notFound)
    }

    @Test("A registration is kept in work/, survives, and is given up once")
    func registrations() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        var registration = Registration(skill: "tool-use", parent: base, phase: "probe", state: ["k": 1])
        registration = try fixture.registry.save(registration)
        registration.phase = "train"
        registration = try fixture.registry.save(registration)
        #expect(try fixture.reopened().unfinishedRegistrations() == [registration])
        let entry = try fixture.registry.abandon(registration.id, reason: "no time")
        #expect(entry.kind == .registrationAbandoned)
        #expect(try fixture.registry.unfinishedRegistrations().isEmpty)
        #expect(try fixture.registry.abandon(registration.id, reason: "no time") == entry)
        #expect(code { try fixture.registry.registration("none") } == .notFound)
        #expect(code { try fixture.registry.registration("../x") } == .invalidArgument)
        let broken = fixture.registry.directory(of: registration.id).appending(path: "state.json")
        try Data("{".utf8).write(to: broken)
        #expect(message { try fixture.registry.registrations() }.contains(broken.path))
    }
}
