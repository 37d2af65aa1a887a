import Foundation
import PawlCore
import PawlRegistry
import PawlWorkflow
import Testing

@testable import PawlServer

@Suite("The API", .serialized)
struct APITests {
    /// A world in which alpha was accepted, beta rejected.
    private static func taught() async throws -> APIWorld {
        let world = try APIWorld()
        let alpha = try await world.register("alpha")
        #expect(alpha.outcome == "accept" && alpha.finished != nil)
        let beta = try await world.register("beta", stub: ["skill": 0.95, "prior": 0.3])
        #expect(beta.outcome == "reject")
        return world
    }

    @Test("registering, reading in pages and whole, moving: from the first request to the journal")
    func whole() async throws {
        let world = try await Self.taught()
        let workflow = Workflow(registry: world.registry)
        let main = try world.registry.main()
        let line = try world.registry.line(of: main)
        #expect(line.count == 2)

        // What a route answers is what the command prints, byte for byte.
        let same: [(String, [UInt8])] = [
            ("/status", try JSON.pretty(world.registry.status())),
            ("/matrix", try JSON.pretty(world.registry.matrix(includingCandidates: true))),
            ("/transfer", try JSON.pretty(workflow.transfer())),
            ("/storage", try JSON.pretty(workflow.storage())),
            ("/checkpoints/main", try JSON.pretty(workflow.checkpointReport(of: main))),
            ("/checkpoints/main~1/skills", try JSON.pretty(workflow.skillsReport(of: line[1].digest))),
            ("/diff?from=main~1", try JSON.pretty(workflow.difference(from: line[1].digest, to: main))),
            ("/gate/plan?on=main", try JSON.pretty(workflow.plan(on: main, for: nil))),
            (
                "/verdicts/main",
                try JSON.pretty(workflow.explain(world.registry.resolveVerdict("main"), suites: nil))
            ),
            ("/journal?limit=1000", try JSON.pretty(LogReport(entries: world.registry.recentEntries(1000)))),
        ]
        for (target, bytes) in same {
            let reply = try await world.ask("GET", target)
            #expect(reply.status == 200, "\(target): \(reply.text)")
            #expect(reply.bytes == bytes, "\(target)")
            let tag = try #require(reply.header("etag"))
            let again = try await world.ask("GET", target, headers: [(name: "if-none-match", value: tag)])
            #expect(again.status == 304, "\(target)")
        }
        let plan = try await world.ask("GET", "/gate/plan?skill=beta")
        #expect(try plan.json()["new"]?["suite"]?.string == "beta")
        let explained = try await world.ask("GET", "/verdicts/main?suites=alpha").json()["suites"]?.array
        #expect(explained?.count == 1)

        try await pages(world)
        try await moves(world, main: main, base: line[1].digest)
    }

    /// Back to the base, forward by a waiver; and what is refused.
    private func moves(_ world: APIWorld, main: Digest, base: Digest) async throws {
        let rejected = try #require(try world.registry.checkpoints().first { $0.status == .rejected })
        let refused = try await world.ask(
            "POST", "/promotions", .operate, ["checkpoint": .string(rejected.digest.short)])
        #expect(refused.status == 409)
        let asked = try await world.ask("POST", "/rollbacks", .operate, ["skill": "alpha"])
        #expect(asked.status == 409)
        #expect(try asked.json()["detail"]?.string?.contains("gives up alpha") == true)
        #expect(try world.registry.main() == main)
        let back = try await world.ask(
            "POST", "/rollbacks", .operate, ["skill": "alpha", "yes": true, "reason": "not needed"])
        #expect(back.status == 200, "\(back.text)")
        #expect(try world.registry.main() == base)
        let entry = try #require(try world.registry.recentEntries(1).first)
        #expect(entry.kind == .rollback && entry.reason == "not needed" && entry.actor.hasSuffix("@api"))
        let forward = try await world.ask(
            "POST", "/promotions", .operate, ["checkpoint": .string(main.hex), "waive": "needed after all"])
        #expect(forward.status == 200, "\(forward.text)")
        #expect(try world.registry.main() == main)
        let wrong = try await world.ask(
            "POST", "/rollbacks", .operate, ["to": .string(rejected.digest.hex), "yes": true])
        #expect(wrong.status == 409)
    }

    /// Lists come page by page, each entry once, and a foreign cursor is refused.
    private func pages(_ world: APIWorld) async throws {
        for (list, key) in [
            ("journal", "entries"), ("checkpoints", "checkpoints"), ("registrations", "registrations"),
        ] {
            let all = try #require(try await world.ask("GET", "/\(list)?limit=1000").json()[key]?.array)
            #expect(all.count > 1)
            for size in [1, 2, all.count] {
                var found: [JSONValue] = []
                var target: String? = "/\(list)?limit=\(size)"
                while let next = target {
                    let reply = try await world.ask("GET", next)
                    let page = try #require(try reply.json()[key]?.array)
                    #expect(!page.isEmpty && page.count <= size)
                    found += page
                    target = reply.header("link").map { link in
                        String(link.dropFirst("</api/v1".count).prefix { $0 != ">" })
                    }
                    try #require(found.count <= all.count)
                }
                #expect(found == all, "\(list) by \(size)")
            }
            #expect(try await world.ask("GET", "/\(list)?cursor=nonsense").status == 404)
        }
    }

    @Test("what is wrong with a request is told before anything is recorded")
    func refusals() async throws {
        let world = try APIWorld()
        let before = try world.registry.recentEntries(1).first?.sequence
        let wrong: [(String, JSONValue, Int)] = [
            ("/registrations", ["skill": "nobody"], 404), ("/registrations", [:], 400),
            ("/registrations", ["skill": "../alpha"], 400), ("/registrations", ["skill": "/etc/passwd"], 400),
            ("/registrations", ["skill": "alpha", "engine": "../stub"], 400),
            ("/registrations", ["skill": "alpha", "engine": "nobody"], 404),
            ("/registrations", ["skill": "alpha", "engine": "stub", "recipe": ["steps": -1]], 400),
            ("/registrations", ["skill": "alpha", "attempts": 11], 400),
            ("/registrations", ["skill": "alpha", "speed": 1], 400),
            ("/registrations", ["resume": true], 404),
            ("/promotions", ["checkpoint": "main"], 409), ("/promotions", ["checkpoint": "../x"], 400),
            ("/promotions", ["checkpoint": "abcdef"], 404), ("/promotions", ["checkpoint": 1], 400),
            ("/promotions", [], 400), ("/rollbacks", [:], 409),
            ("/rollbacks", ["to": "main", "skill": "alpha"], 400),
            ("/rollbacks", ["skill": "alpha"], 404), ("/registrations/nobody/cancel", [:], 404),
        ]
        for (target, body, status) in wrong {
            let reply = try await world.ask("POST", target, .operate, body)
            #expect(reply.status == status, "\(target) \(body): \(reply.text)")
            #expect(reply.header("content-type") == "application/problem+json")
        }
        let noType = await world.front.ask(
            "POST", "/api/v1/rollbacks", token: try world.secret(.operate), body: Array("{}".utf8))
        #expect(noType.status == 415)
        let read: [(String, Int)] = [
            ("/checkpoints/nobody", 404), ("/checkpoints/..%2f..", 400), ("/checkpoints/main~x", 400),
            ("/diff", 400), ("/diff?from=main&to=ffff", 404), ("/journal?limit=0", 400),
            ("/journal?limit=x", 400),
            ("/journal?limit=1001", 400), ("/journal?offset=1", 400), ("/gate/plan?skill=nobody", 404),
            ("/gate/plan?skill=..", 400), ("/verdicts/main", 404), ("/nothing", 404),
            ("/registrations/x", 404),
        ]
        for (target, status) in read {
            let reply = try await world.ask("GET", target)
            #expect(reply.status == status, "\(target): \(reply.text)")
        }
        #expect(try world.registry.recentEntries(1).first?.sequence == before)
        #expect(try world.registry.unfinishedRegistrations().isEmpty)
    }

    @Test("while somebody else works on the registry a registration is 423, and while one is unfinished 409")
    func busy() async throws {
        let world = try APIWorld()
        let lease = try world.registry.acquireLease("something else")
        let locked = try await world.ask("POST", "/registrations", .operate, APIWorld.order("alpha"))
        #expect(locked.status == 423)
        #expect(locked.header("retry-after") != nil)
        lease.release()
        // Slow enough to be met in the middle.
        let slow = APIWorld.order("alpha", stub: ["skill": 0.95, "delay_ms": 3000])
        let started = try await world.ask("POST", "/registrations", .operate, slow)
        #expect(started.status == 202, "\(started.text)")
        let id = try #require(try started.json()["id"]?.string)
        #expect(started.header("location") == "/api/v1/registrations/\(id)")
        #expect(try await world.ask("POST", "/registrations", .operate, slow).status == 423)
        #expect(try await world.ask("POST", "/registrations/\(id)/cancel", .operate).status == 202)
        let cancelled = try await world.finished(id)
        #expect(cancelled.finished == nil, "it can be resumed")
        #expect(try await world.ask("POST", "/registrations/\(id)/cancel", .operate).status == 409)
        #expect(try await world.ask("POST", "/registrations", .operate, APIWorld.order("beta")).status == 409)
        let resumed = try await world.ask("POST", "/registrations", .operate, ["resume": true])
        #expect(resumed.status == 202, "\(resumed.text)")
        let ended = try await world.finished(id)
        #expect(ended.outcome == "accept", "\(ended)")
    }

    @Test(
        "those who watch are told of phases, steps and entries, also of what other processes do; then it ends"
    )
    func events() async throws {
        let world = try APIWorld()
        let watched = try await world.ask("GET", "/events")
        #expect(watched.header("content-type") == "text/event-stream")
        async let text = watched.streamed()
        try await Task.sleep(for: .milliseconds(300))
        try await world.register("alpha")
        // Another process adds to the journal.
        let other = try Registry(opening: world.registry.root, actor: "other@here")
        try other.rollback(
            to: world.registry.line(of: world.registry.main())[1].digest, reason: "elsewhere",
            expecting: other.main())
        try await Task.sleep(for: .seconds(2.5))
        await world.api.stop()
        let seen = try await text
        for part in [
            "event: registration", "\"phase\":\"train\"", "event: progress", "\"unit\":\"steps\"",
            "event: journal", "\"reason\":\"elsewhere\"",
        ] {
            #expect(seen.contains(part), "\(part)")
        }
        let blocks = seen.components(separatedBy: "\n\n").filter { !$0.isEmpty }
        #expect(blocks.dropFirst().allSatisfy { $0.hasPrefix("event: ") || $0.hasPrefix(": ") })
        let after = try await world.ask("GET", "/events", headers: [(name: "last-event-id", value: "1")])
            .streamed()
        #expect(after.contains("event: journal\nid: 2\n"))
    }

    @Test("asked to stop, it cancels what it runs so that it can be resumed")
    func stopping() async throws {
        let world = try APIWorld()
        let reply = try await world.ask(
            "POST", "/registrations", .operate,
            APIWorld.order("alpha", stub: ["skill": 0.95, "delay_ms": 5000]))
        let id = try #require(try reply.json()["id"]?.string)
        await world.api.stop()
        #expect(!(try await world.finished(id, seconds: 1).isRunning))
        #expect(try world.registry.unfinishedRegistrations().map(\.id) == [id])
        #expect(try world.registry.leaseHolder() == nil)
    }
}
