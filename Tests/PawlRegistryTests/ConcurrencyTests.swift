import Foundation
import PawlCore
import PawlStore
import Synchronization
import Testing

@testable import PawlRegistry

private typealias Outcomes<T> = [Result<T, any Error>]

/// Runs `body` on `count` threads of its own and gives what each returned or threw.
private func threads<T: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (Int) throws -> T
) -> Outcomes<T> {
    let results = Mutex<Outcomes<T>>([])
    let group = DispatchGroup()
    for index in 0..<count {
        group.enter()
        Thread.detachNewThread {
            let result = Result { try body(index) }
            results.withLock { $0.append(result) }
            group.leave()
        }
    }
    group.wait()
    return results.withLock { $0 }
}

struct ConcurrencyTests {
    @Test("Six that open a fresh registry at once all succeed")
    func freshOpening() throws {
        for _ in 0..<4 {
            let root = scratch("fresh")
            defer { try? FileManager.default.removeItem(at: root) }
            _ = try Store.create(at: root)
            try Data().write(to: Registry.databaseFile(root))  // no table yet
            let results = threads(6) { _ in try Registry(opening: root).journal().count }
            for result in results { #expect(try result.get() == 0) }
        }
    }

    @Test("Six that create a registry at once get the same empty one; once it has a base none does")
    func creation() throws {
        let root = scratch("create")
        defer { try? FileManager.default.removeItem(at: root) }
        let results = threads(6) { _ in try Registry.create(at: root).root }
        for result in results { _ = try result.get() }
        let source = root.appending(path: "work/source")
        try Files.createDirectory(source)
        let registry = try Registry(opening: root)
        let tree = try registry.store.importTree(source).tree
        try registry.initialise(CheckpointManifest(digest: tree, parent: nil, origin: .base))
        #expect(code { try Registry.create(at: root) } == .alreadyExists)
    }

    @Test("Writers on handles of their own lose nothing and keep the chain")
    func writers() throws {
        let fixture = try Fixture()
        try fixture.base()
        let root = fixture.root
        let tree = try fixture.tree("suites")
        let results = threads(4) { writer in
            let registry = try Registry(opening: root, actor: "writer-\(writer)")
            for number in 0..<5 {
                let name = "suite-\(writer)-\(number)"
                try registry.addSuite(
                    SuiteRecord(
                        name: name, version: "1.0.0", digest: Digest(of: name), tree: tree, skill: nil,
                        family: "family", metric: "accuracy", margin: 0.05))
            }
        }
        for result in results { try result.get() }
        #expect(try fixture.registry.journal().count == 21)
        let report = try fixture.registry.verify()
        #expect(report.isSound && report.unconfirmed.isEmpty, "\(report)")
    }

    @Test("Of two handles that move main from the same place one gets a conflict")
    func conflict() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let skill = try fixture.skill("tool-use")
        let one = try fixture.attempt(skill, "one", .accept)
        let two = try fixture.attempt(skill, "two", .accept)
        let first = try fixture.reopened()
        let second = try fixture.reopened()
        let verdicts = try [one, two].map { try #require(try first.verdicts(of: $0).first).digest }
        let results = threads(2) { index in
            try (index == 0 ? first : second).promote(
                [one, two][index], expecting: base, by: verdicts[index])
        }
        let failures = results.compactMap { result in
            if case .failure(let error) = result { (error as? PawlError)?.code } else { nil }
        }
        #expect(failures == [.conflict])
        #expect(try first.main() == second.main())
        #expect(try fixture.registry.verify().isSound)
    }

    @Test("A verdict that was planned on a main that is gone does not promote")
    func staleVerdict() throws {
        let fixture = try Fixture()
        try fixture.base()
        let skill = try fixture.skill("tool-use")
        let late = try fixture.attempt(skill, "late", .accept)
        let verdict = try #require(try fixture.registry.verdicts(of: late).first)
        let first = try fixture.acquire("science")
        #expect(
            code { try fixture.registry.promote(late, expecting: first, by: verdict.digest) } == .conflict)
    }
}

struct LeaseTests {
    @Test("A second one is told who holds the lease, for what and since when; after the release it gets it")
    func locked() throws {
        let fixture = try Fixture()
        let lease = try fixture.registry.acquireLease("register tool-use")
        let other = try fixture.reopened()
        let text = message { try other.acquireLease("gc") }
        #expect(code { try other.acquireLease("gc") } == .locked)
        let holder = try #require(try other.leaseHolder())
        #expect(text.contains("register tool-use") && text.contains(holder.owner))
        #expect(text.contains(holder.acquired.description))
        try lease.confirm()
        lease.release()
        lease.release()
        #expect(code { try lease.confirm() } == .conflict)
        let next = try other.acquireLease("gc")
        #expect(try other.leaseHolder()?.operation == "gc")
        next.release()
        #expect(try other.leaseHolder() == nil)
    }

    @Test("A lease ends with its value")
    func scope() throws {
        let fixture = try Fixture()
        do {
            let lease = try fixture.registry.acquireLease("a")
            try lease.confirm()
        }
        _ = try fixture.registry.acquireLease("b")
    }

    @Test("The lease of a dead process is taken over, also when its pid is in use again")
    func deadOwner() throws {
        let fixture = try Fixture()
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sleep")
        process.arguments = ["0"]
        try process.run()
        let pid = process.processIdentifier
        process.waitUntilExit()
        let own = ProcessIdentity.current
        for owner in [
            ProcessIdentity(host: own.host, pid: pid, start: 1),
            ProcessIdentity(host: own.host, pid: own.pid, start: 1),
        ] {
            let dead = try fixture.registry.acquireLease("register", owner: owner)
            #expect(try fixture.registry.leaseHolder() == nil)
            let next = try fixture.reopened().acquireLease("register")
            #expect(code { try dead.confirm() } == .conflict)
            dead.release()  // must not remove its successor's
            try next.confirm()
            next.release()
        }
    }

    @Test("A silent lease of another host is taken over after its time; a live one is not")
    func staleHeartbeat() throws {
        let fixture = try Fixture()
        let far = ProcessIdentity(host: "far:away", pid: 1, start: 7)
        #expect(ProcessIdentity(far.description) == far)
        let lease = try fixture.registry.acquireLease("register", owner: far, interval: 3600)
        #expect(code { try fixture.registry.acquireLease("gc") } == .locked)
        let old = Timestamp(milliseconds: Timestamp.now.milliseconds - 61_000).description
        try fixture.registry.execute("UPDATE lease SET heartbeat = ?", [old])
        let next = try fixture.registry.acquireLease("gc")
        #expect(code { try lease.confirm() } == .conflict)
        try next.confirm()
    }

    @Test("The thread keeps the heartbeat going")
    func heartbeat() throws {
        let fixture = try Fixture()
        let lease = try fixture.registry.acquireLease("register", owner: .current, interval: 0.02)
        let before = try #require(try fixture.registry.leaseHolder()).heartbeat
        let limit = Date().addingTimeInterval(5)
        var now = before
        while now == before, Date() < limit {
            Thread.sleep(forTimeInterval: 0.02)
            now = try #require(try fixture.registry.leaseHolder()).heartbeat
        }
        #expect(now > before)
        lease.release()
    }
}
