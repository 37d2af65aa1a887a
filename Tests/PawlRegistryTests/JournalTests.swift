import Foundation
import PawlCore
import PawlStore
import Testing

@testable import PawlRegistry

struct Stop: Error {}

struct JournalTests {
    @Test("Entries form a chain that HEAD ends, each in its document")
    func chain() throws {
        let fixture = try Fixture()
        try fixture.history()
        let entries = try fixture.registry.journal()
        #expect(Set(entries.map(\.kind)) == Set(JournalEntry.Kind.allCases))
        for (index, entry) in entries.enumerated() {
            #expect(entry.sequence == index + 1)
            #expect(entry.previous == (index == 0 ? nil : entries[index - 1].digest))
            #expect(
                try JournalEntry(document: fixture.registry.store.document(entry.digest), name: entry.digest)
                    == entry)
            #expect(entry.actor == "tester@here")
        }
        #expect(try Head.read(fixture.root) == entries.last?.digest)
        #expect(try fixture.registry.journal(since: 2, limit: 2).map(\.sequence) == [3, 4])
        #expect(try fixture.registry.recentEntries(1) == entries.suffix(1))
        #expect(try fixture.registry.entry(entries[3].digest) == entries[3])
        let report = try fixture.registry.verify()
        #expect(report.isSound, "\(report)")
        #expect(report.entries == entries.count && report.unconfirmed.isEmpty)
    }

    @Test("A change of any row is noticed")
    func tamperedRow() throws {
        let original = try Fixture()
        try original.history()
        for statement in [
            "UPDATE journal SET reason = 'harmless' WHERE kind = 'waiver'",
            "UPDATE journal SET body = '{\"documents\":[]}' WHERE sequence = 2",
            "DELETE FROM journal WHERE kind = 'registration_abandoned'",
            "UPDATE verdict SET decision = 'accept'",
            "UPDATE verdict_suite SET lower = -0.01 WHERE name = 'capitals'",
            "UPDATE checkpoint SET status = 'accepted' WHERE status = 'rejected'",
            "UPDATE evaluation SET score = 0.99",
            "DELETE FROM attempt",
            "UPDATE journal SET kind = 'miracle' WHERE kind = 'promotion'",
            "UPDATE journal SET time = 'yesterday' WHERE sequence = 3",
            "UPDATE anchor SET anchor = line",
            "UPDATE reference SET checkpoint = (SELECT digest FROM checkpoint WHERE origin = 'base')",
        ] {
            let fixture = try Fixture(copyOf: original)
            try fixture.registry.execute(statement, foreignKeys: false)
            #expect(try !fixture.registry.verifyIndex().problems.isEmpty, "\(statement)")
        }
        #expect(try original.registry.verify().isSound)
    }

    @Test("An entry that was written anew, with its row, breaks the chain")
    func tamperedEntry() throws {
        let fixture = try Fixture()
        try fixture.history()
        let store = fixture.registry.store
        let waiver = try #require(try fixture.registry.journal().first { $0.kind == .waiver })
        let text = String(decoding: try store.document(waiver.digest), as: UTF8.self)
        let forged = try store.putDocument(
            Array(text.replacingOccurrences(of: "good enough", with: "perfect").utf8))
        try fixture.registry.execute(
            "UPDATE journal SET digest = ?, reason = 'perfect' WHERE digest = ?",
            [forged.hex, waiver.digest.hex],
            foreignKeys: false)
        let problems = try fixture.registry.verify().problems
        #expect(problems.contains { $0.kind == .journal && $0.message.contains("does not follow") })
    }

    @Test("A missing document is reported with the entry that needs it")
    func missingDocument() throws {
        let fixture = try Fixture()
        try fixture.history()
        let verdict = try #require(try fixture.registry.journal().first { $0.kind == .verdict })
        let lost = try #require(verdict.verdict)
        try fixture.forget(lost)
        let problems = try fixture.registry.verify().problems
        #expect(
            problems.contains {
                $0.kind == .document && $0.subject == lost.hex && $0.message.contains("verdict")
            })
    }

    @Test("A manifest with another document's bytes touches its checkpoint, whose weights are then corrupt")
    func replacedManifest() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let entry = try #require(try fixture.registry.journal().first)
        func file(_ digest: Digest) -> URL {
            fixture.root.appending(path: "objects/\(digest.hex.prefix(2))/\(digest.hex)")
        }
        try FileManager.default.removeItem(at: file(base))
        try FileManager.default.copyItem(at: file(entry.digest), to: file(base))
        let damage = try fixture.registry.verify().damage
        #expect(damage.map(\.trees) == [[base]])
        #expect(code { try fixture.registry.keptCheckpoint(base) } == .corrupt)
        try FileManager.default.removeItem(at: file(base))
        #expect(code { try fixture.registry.keptCheckpoint(base) } == .corrupt)
        #expect(code { try fixture.registry.keptCheckpoint(entry.digest) } == .notFound)
    }

    @Test(
        "An entry whose transaction died counts nowhere: not now, not after the next change, not in a rebuild"
    )
    func diedBeforeTransaction() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let skill = try fixture.skill("tool-use")
        let candidate = try fixture.attempt(skill, "one", .accept)
        let verdict = try #require(try fixture.registry.verdicts(of: candidate).first)
        let head = try Head.read(fixture.root)
        var dying = fixture.registry
        dying.interruption = { if $0 == .entryWritten { throw Stop() } }
        #expect(throws: Stop.self) { try dying.promote(candidate, expecting: base, by: verdict.digest) }
        #expect(try Head.read(fixture.root) == head)
        let registry = try fixture.reopened()
        #expect(try registry.main() == base)
        #expect(try registry.verify().unconfirmed.count == 1)
        #expect(try registry.verify().isSound)
        try registry.waive(candidate, reason: "second try", expecting: base)
        let report = try Registry.rebuild(at: fixture.root)
        #expect(report.unconfirmed.count == 1 && report.forks.isEmpty)
        let rebuilt = try fixture.reopened()
        #expect(try rebuilt.journal().last?.kind == .waiver)
        #expect(try rebuilt.verify().isSound)
    }

    @Test("A transaction whose HEAD was not written counts: opening moves HEAD on, so does the next change")
    func diedBeforeHead() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let skill = try fixture.skill("tool-use")
        let candidate = try fixture.attempt(skill, "one", .accept)
        let verdict = try #require(try fixture.registry.verdicts(of: candidate).first)
        var dying = fixture.registry
        dying.interruption = { if $0 == .committed { throw Stop() } }
        let head = try Head.read(fixture.root)
        #expect(throws: Stop.self) { try dying.promote(candidate, expecting: base, by: verdict.digest) }
        #expect(try Head.read(fixture.root) == head)
        // Lost with its database, an entry that nothing names does not come back ...
        let elsewhere = fixture.directory.appending(path: "rebuilt.db")
        let report = try Registry.rebuild(at: fixture.root, into: elsewhere)
        #expect(report.unconfirmed.count == 1)
        #expect(try Registry.rows(inFile: elsewhere)["reference"]?.first?.contains(base.hex) == true)
        // ... but the database has it, and whoever opens it says so in HEAD.
        let registry = try fixture.reopened()
        #expect(try registry.main() == candidate)
        #expect(try Head.read(fixture.root) == registry.journal().last?.digest)
        try Head.write(#require(head), root: fixture.root)
        try fixture.suite("capitals")  // a handle that was open all the while
        #expect(try Head.read(fixture.root) == registry.journal().last?.digest)
        #expect(try registry.verify().isSound)
    }

    @Test("A database that lacks what HEAD names is not built on")
    func databaseBehindHead() throws {
        let fixture = try Fixture()
        try fixture.base()
        let old = fixture.directory.appending(path: "old.db")
        try fixture.registry.backUp(to: old)
        try fixture.suite("capitals")
        try fixture.registry.close()
        for suffix in ["", "-wal", "-shm"] {
            try Files.remove(URL(filePath: fixture.root.path + "/pawl.db" + suffix))
        }
        try FileManager.default.copyItem(at: old, to: Registry.databaseFile(fixture.root))
        let text = message { try fixture.reopened() }
        #expect(code { try fixture.reopened() } == .corrupt && text.contains("pawl verify --rebuild"))
        _ = try Registry.rebuild(at: fixture.root)
        #expect(try fixture.reopened().activeSuite("capitals") != nil)
    }

    @Test("A damaged HEAD is an error, a missing one is made again")
    func damagedHead() throws {
        let fixture = try Fixture()
        try fixture.base()
        let head = try #require(try Head.read(fixture.root))
        try Data("nonsense".utf8).write(to: Registry.headFile(fixture.root))
        #expect(code { try fixture.reopened() } == .corrupt)
        try Files.remove(Registry.headFile(fixture.root))
        _ = try fixture.reopened()
        #expect(try Head.read(fixture.root) == head)
    }
}

extension Fixture {
    /// Removes a document from the disk; how the store lays it out does not matter here.
    func forget(_ document: Digest) throws {
        let walk = try #require(FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil))
        var removed = 0
        for case let file as URL in walk where file.lastPathComponent.contains(document.hex.dropFirst(2)) {
            try Files.remove(file)
            removed += 1
        }
        if removed > 0 { return }
        // The store names objects otherwise: keep every document but this one.
        let keep = Set(try registry.store.documents()).subtracting([document])
        _ = try registry.store.collect(
            keepingTrees: registry.neededTrees(), documents: keep, graceSeconds: 0, dryRun: false)
    }
}
