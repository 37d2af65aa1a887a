import Foundation
import PawlCore
import PawlStore
import Testing

@testable import PawlRegistry

struct ResolveTests {
    @Test("main, its ancestors, digests and prefixes resolve; what goes beyond the base does not")
    func references() throws {
        let fixture = try Fixture()
        let registry = fixture.registry
        #expect(message { try registry.resolve("main") }.contains("pawl init"))
        let base = try fixture.base()
        let first = try fixture.acquire("tool-use")
        let second = try fixture.acquire("science")
        #expect(try registry.resolve("main") == second)
        #expect(try registry.resolve("main~") == first)
        #expect(try registry.resolve("main~0") == second)
        #expect(try registry.resolve("main~2") == base)
        #expect(try registry.resolve(first.hex) == first)
        #expect(try registry.resolve(first.short.uppercased()) == first)
        #expect(try registry.resolve("\(first.short)~1") == base)
        #expect(code { try registry.resolve("main~3") } == .notFound)
        #expect(message { try registry.resolve("main~3") }.contains("2 ancestors"))
        #expect(code { try registry.resolve("abc") } == .invalidArgument)
        #expect(code { try registry.resolve("main~x") } == .invalidArgument)
        #expect(code { try registry.resolve("main~-1") } == .invalidArgument)
        #expect(code { try registry.resolve("nothing") } == .notFound)
        #expect(code { try registry.resolve("") } == .notFound)
        #expect(code { try registry.resolve(first.hex + "0") } == .notFound)
        // After a rollback ~N follows the line that main returned to.
        try registry.rollback(to: first, reason: "why", expecting: second)
        #expect(try registry.resolve("main~1") == base)
    }

    @Test("An ambiguous prefix is an error that lists the candidates")
    func ambiguous() throws {
        let fixture = try Fixture()
        let base = try fixture.base()
        let first = try fixture.candidate("one", parent: base, skill: nil)
        // Two digests that share their first digits cannot be had from real bytes in reasonable time.
        let twin = String(first.hex.prefix(14)) + String(repeating: "0", count: 50)
        try fixture.registry.execute(
            """
            INSERT INTO checkpoint (digest, parent, origin, status, manifest, created, sequence)
            SELECT ?, parent, origin, status, manifest, created, sequence FROM checkpoint WHERE digest = ?
            """, [twin, first.hex])
        let text = message { try fixture.registry.resolve(first.short) }
        #expect(text.contains("ambiguous") && text.contains(String(first.hex.prefix(16))))
        #expect(text.contains(String(twin.prefix(16))))
        #expect(code { try fixture.registry.resolve(first.short) } == .invalidArgument)
        #expect(try fixture.registry.resolve(first.hex) == first)
    }

    @Test("The registry is the named one, the environment's, the nearest .pawl, or the one at home")
    func locate() throws {
        let top = scratch("locate")
        defer { try? FileManager.default.removeItem(at: top) }
        let deep = top.appending(path: "a/b")
        try Files.createDirectory(deep)
        let home = top.appending(path: "home")
        func located(_ explicit: String?, _ variable: String?) -> String {
            Registry.locate(
                explicit: explicit, environment: variable.map { ["PAWL_REGISTRY": $0] } ?? [:],
                workingDirectory: deep,
                home: home
            ).path
        }
        #expect(located(nil, nil) == home.appending(path: ".pawl").path)
        try Files.createDirectory(top.appending(path: "a/.pawl"))
        #expect(located(nil, nil) == top.appending(path: "a/.pawl").path)
        #expect(located(nil, "/somewhere") == "/somewhere")
        #expect(located(nil, "") == top.appending(path: "a/.pawl").path)
        #expect(located("/there", "/somewhere") == "/there")
        #expect(located("../x", nil) == top.appending(path: "a/x").path)
    }
}
