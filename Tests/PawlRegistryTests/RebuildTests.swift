import Foundation
import PawlCore
import PawlStore
import Testing

@testable import PawlRegistry

struct RebuildTests {
    @Test("A rebuild gives exactly the rows of the original")
    func sameRows() throws {
        let fixture = try Fixture()
        try fixture.history()
        let original = try fixture.registry.rows()
        #expect(original.allSatisfy { !$0.value.isEmpty }, "a table without rows proves nothing")
        let elsewhere = fixture.directory.appending(path: "rebuilt.db")
        let report = try Registry.rebuild(at: fixture.root, into: elsewhere)
        #expect(
            report.entries == original["journal"]?.count && report.forks.isEmpty && !report.wasHeadMissing)
        #expect(try Registry.rows(inFile: elsewhere) == original)
        #expect(code { try Registry.rebuild(at: fixture.root, into: elsewhere) } == .alreadyExists)
    }

    @Test("A lost or damaged database is made again in place; the former one is kept")
    func inPlace() throws {
        let fixture = try Fixture()
        try fixture.history()
        let original = try fixture.registry.rows()
        let file = Registry.databaseFile(fixture.root)
        try fixture.registry.close()
        for suffix in ["", "-wal", "-shm"] { try Files.remove(URL(filePath: file.path + suffix)) }
        #expect(message { try fixture.reopened() }.contains("pawl verify --rebuild"))
        #expect(try Registry.rebuild(at: fixture.root).former == nil)
        #expect(try fixture.reopened().rows() == original)

        try Data("this is no database, and long enough to be taken for one by its size".utf8).write(to: file)
        for suffix in ["-wal", "-shm"] { try Files.remove(URL(filePath: file.path + suffix)) }
        #expect(code { try fixture.reopened() } == .corrupt)
        let report = try Registry.rebuild(at: fixture.root)
        #expect(try Files.exists(URL(filePath: #require(report.former))))
        #expect(try fixture.reopened().rows() == original)
    }

    @Test("A handle from before a rebuild changes nothing any more")
    func staleHandle() throws {
        let fixture = try Fixture()
        try fixture.base()
        _ = try Registry.rebuild(at: fixture.root)
        #expect(code { try fixture.suite("capitals") } == .conflict)
        fixture.registry = try fixture.reopened()
        try fixture.suite("capitals")
        #expect(try fixture.registry.verify().isSound)
    }

    @Test("A live lease keeps a rebuild away")
    func leased() throws {
        let fixture = try Fixture()
        try fixture.base()
        let lease = try fixture.registry.acquireLease("register tool-use")
        #expect(code { try Registry.rebuild(at: fixture.root) } == .locked)
        lease.release()
        _ = try Registry.rebuild(at: fixture.root)
    }

    @Test("A fork is reported, and the branch that HEAD does not name does not count")
    func fork() throws {
        let fixture = try Fixture()
        try fixture.base()
        // Two registries with one past: a copy of the directory goes its own way.
        let copy = fixture.directory.appending(path: "copy")
        try fixture.registry.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try FileManager.default.copyItem(at: fixture.root, to: copy)
        let other = try Registry(opening: copy)
        let ours = fixture.registry
        fixture.registry = other
        try fixture.suite("one")
        try fixture.suite("two")
        let branch = try other.journal()
        fixture.registry = ours
        try fixture.suite("three")
        for document in branch.flatMap({ [$0.digest] + $0.documents }) {
            _ = try ours.store.putDocument(other.store.document(document))
        }
        let report = try ours.verify()
        #expect(!report.isSound)
        #expect(
            report.forks == [
                Fork(sequence: 2, counted: try ours.journal()[1].digest, other: branch[1].digest)
            ])
        #expect(report.unconfirmed == [branch[2].digest])
        #expect(try Registry.rebuild(at: fixture.root).forks == report.forks)
        #expect(try fixture.reopened().suites().map(\.name) == ["three"])
        // Without HEAD the newest entry that another one names is the last that counts.
        try Files.remove(Registry.headFile(fixture.root))
        let headless = try Registry.rebuild(at: fixture.root)
        #expect(headless.wasHeadMissing && headless.head == branch[1].digest)
    }

    @Test("A journal with a missing entry is not replayed")
    func brokenChain() throws {
        let fixture = try Fixture()
        try fixture.history()
        try fixture.forget(try fixture.registry.journal()[4].digest)
        #expect(code { try Registry.rebuild(at: fixture.root) } == .corrupt)
        #expect(try fixture.registry.verify().problems.contains { $0.kind == .journal })
        #expect(try fixture.reopened().journal().count > 5, "the database it had stays")
    }
}
