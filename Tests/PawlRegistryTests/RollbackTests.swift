import PawlCore
import Testing

@testable import PawlRegistry

struct RollbackTests {
    @Test("A rollback goes only to a former main; anything else is a usage error that names the way")
    func onlyFormerMains() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let first = try fixture.acquire("tool-use")
        let skill = try fixture.skill("science")
        let rejected = try fixture.attempt(skill, "bad", .reject, prior: .regressed)
        let registry = fixture.registry
        let text = message { try registry.rollback(to: rejected, reason: "why", expecting: first) }
        #expect(text.contains("pawl promote \(rejected.short) --waive"))
        #expect(code { try registry.rollback(to: rejected, reason: "why", expecting: first) } == .usage)
        #expect(code { try registry.rollback(to: first, reason: "why", expecting: first) } == .usage)
        #expect(code { try registry.rollback(to: base, reason: " ", expecting: first) } == .usage)
        #expect(code { try registry.rollback(to: base, reason: "why", expecting: base) } == .conflict)
        let entry = try registry.rollback(to: base, reason: "why", expecting: first)
        #expect(entry.reason == "why" && entry.body["given_up"]?.array?.count == 1)
        #expect(try registry.main() == base)
        // And forward again: it has been main, too.
        try registry.rollback(to: first, reason: "after all", expecting: base)
        #expect(try registry.main() == first)
    }

    @Test("The anchors of the line come back")
    func anchors() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let capitals = try fixture.suite("capitals")
        let first = try fixture.acquire("tool-use")
        let toolSuite = try #require(try fixture.registry.skill("tool-use")).suite
        let before = try fixture.registry.anchors(at: first)
        #expect(before.map(\.name) == ["capitals", "tool-use-suite"])
        #expect(before.map(\.anchor) == [base, first])
        // Shown superior on every prior suite, the next checkpoint takes over as the anchor of both.
        let second = try fixture.acquire("science", priorLower: 0.01)
        #expect(try fixture.registry.anchors(at: second).map(\.anchor) == [second, second, second])
        #expect(try fixture.registry.attempts(suite: capitals.digest, anchor: base).count == 2)
        try fixture.registry.rollback(to: first, reason: "why", expecting: second)
        #expect(try fixture.registry.anchors(at: first) == before)
        #expect(try fixture.registry.attempts(suite: toolSuite, anchor: first).count == 1)
        #expect(try fixture.registry.attempts(suite: toolSuite, anchor: second).isEmpty)
    }

    @Test("A point estimate moves no anchor")
    func noPointEstimate() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        try fixture.suite("capitals")
        let first = try fixture.acquire("tool-use", priorLower: 0)
        #expect(try fixture.registry.anchors(at: first).first { $0.name == "capitals" }?.anchor == base)
    }

    @Test("A general suite guards every line from the moment it is added, in its newest version")
    func lateGeneralSuite() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let first = try fixture.acquire("tool-use")
        try fixture.suite("capitals")
        #expect(try fixture.registry.anchors(at: first).first { $0.name == "capitals" }?.anchor == base)
        #expect(try fixture.registry.anchors(at: base).map(\.name) == ["capitals"])
        let second = try fixture.acquire("science", priorLower: 0.01)
        #expect(try fixture.registry.anchors(at: second).first { $0.name == "capitals" }?.anchor == second)
        let newer = try fixture.suite("capitals", version: "2.0.0")
        let anchor = try fixture.registry.anchors(at: second).first { $0.name == "capitals" }
        #expect(anchor?.suite == newer.digest && anchor?.anchor == base)
    }

    @Test("--skill S goes to the last main before S, and names what is given up")
    func beforeSkill() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let first = try fixture.acquire("tool-use")
        let second = try fixture.acquire("science")
        let third = try fixture.acquire("poetry")
        let registry = fixture.registry
        #expect(try registry.beforeAcquiring(skill: "tool-use") == base)
        #expect(try registry.beforeAcquiring(skill: "science") == first)
        #expect(try registry.beforeAcquiring(skill: "poetry") == second)
        #expect(try registry.givenUp(from: third, to: first).map(\.skill) == ["science", "poetry"])
        #expect(
            message { try registry.beforeAcquiring(skill: "cooking") }.contains("poetry, science, tool-use"))
        // A later version of a skill is given up with the first.
        try fixture.acquire("tool-use", version: "2.0.0")
        #expect(try registry.beforeAcquiring(skill: "tool-use") == base)
    }
}
