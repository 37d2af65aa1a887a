import PawlCore
import Testing

@testable import PawlRegistry

struct SkillStateTests {
    func states(_ registry: Registry, _ checkpoint: Digest) throws -> [String: HoldState] {
        Dictionary(
            uniqueKeysWithValues: try registry.skills(of: checkpoint).map { ($0.skill ?? "", $0.state) })
    }

    @Test("An accepted skill is held by its own verdict, with figures, anchor and date")
    func accepted() throws {
        let fixture = try Fixture()
        try fixture.base()
        let first = try fixture.acquire("tool-use")
        let second = try fixture.acquire("science")
        #expect(try states(fixture.registry, first) == ["tool-use": .held])
        #expect(try states(fixture.registry, second) == ["tool-use": .held, "science": .held])
        let tool = try #require(try fixture.registry.skills(of: second).first)
        let verdict = try #require(try fixture.registry.verdicts(of: second).first)
        #expect(tool.anchor == first && tool.acquired == first && tool.score == 0.8 && tool.margin == 0.05)
        #expect(tool.verdict == verdict.digest && tool.certified == verdict.created && tool.lower == -0.02)
    }

    @Test("Lineage alone makes nothing held")
    func lineage() throws {
        let fixture = try Fixture()
        try fixture.base()
        let first = try fixture.acquire("tool-use")
        let science = try fixture.skill("science")
        let fresh = try fixture.candidate("fresh", parent: first, skill: science)
        #expect(try states(fixture.registry, fresh) == ["tool-use": .unmeasured, "science": .unmeasured])
        let state = try #require(try fixture.registry.skills(of: fresh).first)
        #expect(state.anchor == first && state.certified == nil && state.score == nil)
    }

    @Test("A rejected candidate shows what regressed, and what it gained")
    func rejected() throws {
        let fixture = try Fixture()
        try fixture.base()
        try fixture.acquire("tool-use")
        let science = try fixture.skill("science")
        let bad = try fixture.attempt(science, "bad", .reject, prior: .regressed)
        #expect(try states(fixture.registry, bad) == ["tool-use": .regressed, "science": .held])
        let vain = try fixture.attempt(science, "vain", .reject, state: .notGained)
        #expect(try states(fixture.registry, vain) == ["tool-use": .held, "science": .undecided])
    }

    @Test("A waiver makes nothing held: undecided is waived, regressed stays regressed")
    func waived() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let first = try fixture.acquire("tool-use")
        let science = try fixture.skill("science")
        let unclear = try fixture.attempt(
            science, "unclear", .inconclusive, state: .notGained, prior: .undecided)
        #expect(try states(fixture.registry, unclear) == ["tool-use": .undecided, "science": .undecided])
        #expect(code { try fixture.registry.waive(unclear, reason: "", expecting: first) } == .usage)
        let entry = try fixture.registry.waive(unclear, reason: "shipping", expecting: first)
        #expect(entry.reason == "shipping")
        #expect(try fixture.registry.checkpoint(unclear).status == .waived)
        #expect(try states(fixture.registry, unclear) == ["tool-use": .waived, "science": .waived])
        let anchors = try fixture.registry.anchors(at: unclear)
        #expect(anchors.map(\.name) == ["science-suite", "tool-use-suite"])
        #expect(anchors.map(\.anchor) == [unclear, first])
        try fixture.registry.rollback(to: base, reason: "start again", expecting: unclear)
        let bad = try fixture.attempt(science, "bad", .reject, prior: .regressed)
        try fixture.registry.waive(bad, reason: "anyway", expecting: base)
        #expect(try states(fixture.registry, bad) == ["science": .held])
    }

    @Test("A waiver without any measurement leaves prior skills unmeasured and its own waived")
    func waivedUnmeasured() throws {
        let fixture = try Fixture()
        try fixture.base()
        let first = try fixture.acquire("tool-use")
        let fresh = try fixture.candidate("fresh", parent: first, skill: fixture.skill("science"))
        try fixture.registry.waive(fresh, reason: "trust me", expecting: first)
        #expect(try states(fixture.registry, fresh) == ["tool-use": .unmeasured, "science": .waived])
    }

    @Test("A later gate run decides anew, in both directions")
    func gateRun() throws {
        let fixture = try Fixture()
        try fixture.base()
        let first = try fixture.acquire("tool-use")
        let suite = try #require(try fixture.registry.skill("tool-use")).suite
        for (found, expected) in [
            (VerdictSuite.State.regressed, HoldState.regressed), (.undecided, .undecided), (.held, .held),
        ] {
            var row = try fixture.row("tool-use-suite", suite, found, anchor: first)
            row.attempt = nil
            let verdict = try fixture.verdict(
                first, parent: nil, .none, [row], kind: .gateRun, registration: nil)
            try fixture.registry.recordGateRun(
                verdict, evaluations: [fixture.evaluation(first, suite, score: 0.6)])
            #expect(try states(fixture.registry, first) == ["tool-use": expected])
        }
        #expect(try fixture.registry.checkpoint(first).status == .accepted)
        #expect(try fixture.registry.main() == first)
        #expect(try fixture.registry.skills(of: first).first?.score == 0.6)
    }

    @Test("After a rollback the skills are those of the line it returned to")
    func rollback() throws {
        let fixture = try Fixture()
        try fixture.base()
        let first = try fixture.acquire("tool-use")
        let second = try fixture.acquire("science")
        try fixture.registry.rollback(to: first, reason: "why", expecting: second)
        #expect(try states(fixture.registry, fixture.registry.main()) == ["tool-use": .held])
        #expect(try states(fixture.registry, second) == ["tool-use": .held, "science": .held])
    }

    @Test("General suites have states of their own, and a skill's later version replaces the earlier")
    func generalAndVersions() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        try fixture.suite("capitals")
        let first = try fixture.acquire("tool-use")
        #expect(try fixture.registry.generalSuites(of: base).map(\.state) == [.unmeasured])
        let general = try fixture.registry.generalSuites(of: first)
        #expect(
            general.map(\.state) == [.held] && general.first?.skill == nil && general.first?.anchor == base)
        let second = try fixture.acquire("tool-use", version: "2.0.0")
        let skills = try fixture.registry.skills(of: second)
        #expect(skills.map(\.version) == ["2.0.0"] && skills.first?.acquired == second)
    }

    @Test("The matrix has the line's cells and leaves blank what was not measured")
    func matrix() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let capitals = try fixture.suite("capitals")
        try fixture.registry.record([fixture.evaluation(base, capitals.digest, score: 0.7)])
        let first = try fixture.acquire("tool-use")
        let suite = try #require(try fixture.registry.skill("tool-use")).suite
        let bad = try fixture.attempt(fixture.skill("science"), "bad", .reject, prior: .regressed)
        let matrix = try fixture.registry.matrix()
        #expect(matrix.checkpoints.map(\.digest) == [base, first])
        #expect(matrix.suites.map(\.name) == ["capitals", "science-suite", "tool-use-suite"])
        #expect(matrix[base, capitals.digest]?.score == 0.7 && matrix[base, capitals.digest]?.state == nil)
        #expect(matrix[base, suite] == nil && matrix[first, suite]?.state == .held)
        let all = try fixture.registry.matrix(includingCandidates: true)
        #expect(all.checkpoints.count == 3 && all[bad, capitals.digest]?.state == .regressed)
        // A newer suite that came with an attempt which failed hides nothing.
        _ = try fixture.attempt(
            fixture.skill("tool-use", version: "2.0.0"), "worse", .reject, state: .notGained)
        #expect(try fixture.registry.matrix()[first, suite]?.state == .held)
        let status = try fixture.registry.status()
        #expect(status.main == first && status.lineLength == 2 && status.skills == ["held": 1])
        #expect(status.checkpoints == ["base": 1, "accepted": 1, "rejected": 2] && status.generalSuites == 1)
    }
}
