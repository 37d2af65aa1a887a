import Foundation
import PawlCore
import PawlStore
import Testing

@testable import PawlRegistry

struct CollectTests {
    @Test("Rejected and inconclusive candidates go after the grace period; evidence, mains and imports stay")
    func collect() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        try fixture.suite("capitals")
        let first = try fixture.acquire("tool-use")
        let science = try fixture.skill("science")
        let rejected = try fixture.attempt(science, "bad", .reject, prior: .regressed)
        let unclear = try fixture.attempt(science, "unclear", .inconclusive, prior: .undecided)
        let imported = try fixture.manifest("imported", parent: first, skill: nil, origin: .import)
        try fixture.registry.recordImport(imported)
        let registry = fixture.registry
        let entries = try registry.journal().count

        #expect(
            try registry.collect(dryRun: false).checkpoints.isEmpty, "all is younger than the grace period")
        Thread.sleep(forTimeInterval: 0.05)  // a collection keeps what was written within the kernel's tick
        let plan = try registry.collect(graceSeconds: 0)
        #expect(Set(plan.checkpoints) == [rejected, unclear] && plan.dryRun && !plan.store.objects.isEmpty)
        #expect(try registry.journal().count == entries && registry.store.hasTree(rejected))

        let report = try registry.collect(graceSeconds: 0, dryRun: false)
        #expect(Set(report.checkpoints) == [rejected, unclear])
        #expect(!registry.store.hasTree(rejected) && !registry.store.hasTree(unclear))
        for kept in [base, first, imported.digest, science.digest] { #expect(registry.store.hasTree(kept)) }
        let verdict = try #require(try registry.verdicts(of: rejected).first)
        #expect(registry.store.hasDocument(verdict.digest))
        for evaluation in try registry.evaluations(of: rejected) {
            #expect(registry.store.hasDocument(evaluation.evidence))
        }
        #expect(try registry.checkpoint(rejected).collected != nil)
        #expect(code { try registry.waive(rejected, reason: "why", expecting: first) } == .notFound)
        #expect(try registry.verify().isSound)
        #expect(try registry.leaseHolder() == nil)
        // The same training brings it back.
        _ = try fixture.candidate("bad", parent: first, skill: science)
        #expect(try registry.checkpoint(rejected).collected == nil)
    }

    @Test("What an unfinished registration names is kept, and so is a waived former main")
    func reserved() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let science = try fixture.skill("science")
        let rejected = try fixture.attempt(science, "bad", .reject, state: .notGained)
        let waived = try fixture.attempt(science, "unclear", .inconclusive, state: .notGained)
        try fixture.registry.waive(waived, reason: "why", expecting: base)
        try fixture.registry.rollback(to: base, reason: "why", expecting: waived)
        let note = try fixture.registry.store.putDocument(Array("{\"note\":1}".utf8))
        let state: JSONValue = [
            "attempts": [["candidate": .string(rejected.hex), "note": .string(note.hex)]]
        ]
        var registration = try fixture.registry.save(
            Registration(skill: "science", parent: base, phase: "evaluate", state: state))
        #expect(try fixture.registry.collect(graceSeconds: 0, dryRun: false).checkpoints.isEmpty)
        #expect(fixture.registry.store.hasTree(rejected) && fixture.registry.store.hasDocument(note))
        registration.finished = .now
        try fixture.registry.save(registration)
        Thread.sleep(forTimeInterval: 0.05)  // a collection keeps what was written within the kernel's tick
        #expect(try fixture.registry.collect(graceSeconds: 0, dryRun: false).checkpoints == [rejected])
        #expect(!fixture.registry.store.hasDocument(note) && fixture.registry.store.hasTree(waived))
    }

    @Test("A collection waits for nobody: while a registration runs it is refused")
    func leased() throws {
        let fixture = try Fixture()
        try fixture.base()
        let lease = try fixture.registry.acquireLease("register tool-use")
        #expect(code { try fixture.registry.collect(graceSeconds: 0, dryRun: false) } == .locked)
        _ = try fixture.registry.collect(graceSeconds: 0, dryRun: false, under: lease)
        try lease.confirm()
    }
}
