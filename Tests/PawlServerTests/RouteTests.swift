import Foundation
import PawlCore
import Testing

@testable import PawlServer

@Suite("Every route", .serialized)
struct RouteTests {
    /// Values for the parts in braces.
    private static func target(_ route: APIRoute) -> String {
        let parts = route.path.map {
            ["{checkpoint}": "main", "{verdict}": "main", "{registration}": "none"][$0] ?? $0
        }
        return parts.map { "/" + $0 }.joined()
    }

    @Test("asks for the token that its role takes, on this machine and elsewhere")
    func access() async throws {
        let world = try APIWorld()
        let elsewhere = try Front(
            [world.api], anonymous: nil, isLoopback: false, tokens: world.front.tokens,
            registry: world.registry)
        let (reader, writer) = (try world.secret(.read), try world.secret(.operate))
        let revoked = try world.front.tokens.create("gone", role: .operate).secret
        try world.front.tokens.revoke("gone")
        for route in world.api.table where route.path != ["events"] {
            let target = "/api/v1" + Self.target(route)
            func ask(_ front: Front, _ token: String?) async -> Int {
                let type = [(name: "content-type", value: "application/json")]
                return await front.ask(
                    route.method, target, token: token, headers: type, body: Array("[]".utf8)
                ).status
            }
            let name: Comment = "\(route.method) \(target)"
            let refusals: Set<Int> = [401, 403]
            #expect(await ask(elsewhere, nil) == 401, name)
            #expect(await ask(world.front, revoked) == 401, name)
            #expect(await ask(elsewhere, revoked) == 401, name)
            #expect(
                await ask(world.front, nil) == (route.role == .operate ? 401 : ask(world.front, reader)), name
            )
            if route.role == .operate {
                #expect(await ask(world.front, reader) == 403, name)
                #expect(await ask(elsewhere, reader) == 403, name)
            } else {
                #expect(await !refusals.contains(ask(elsewhere, reader)), name)
            }
            #expect(await !refusals.contains(ask(world.front, writer)), name)
        }
    }

    @Test("says which methods it has when it is asked with another")
    func methods() async throws {
        let world = try APIWorld()
        for route in world.api.table {
            let reply = try await world.ask("DELETE", Self.target(route), .operate)
            #expect(reply.status == 405, "\(route.template)")
            #expect(reply.header("allow")?.contains(route.method) == true, "\(route.template)")
        }
    }

    @Test("refuses a change that a page of another origin asks for, whatever its token")
    func origins() async throws {
        let world = try APIWorld()
        let token = try world.secret(.operate)
        for route in world.api.table where route.method == "POST" {
            let reply = await world.front.ask(
                "POST", "/api/v1" + Self.target(route), token: token,
                headers: [(name: "origin", value: "https://evil.example")])
            #expect(reply.status == 403, "\(route.template)")
        }
    }
}

@Suite("The description of the API")
struct OpenAPITests {
    /// All references in a value.
    private static func references(_ value: JSONValue) -> [String] {
        switch value {
        case .object(let members):
            (members["$ref"]?.string.map { [$0] } ?? []) + members.values.flatMap(references)
        case .array(let items): items.flatMap(references)
        default: []
        }
    }

    private static func resolve(_ reference: String, in document: JSONValue) -> JSONValue? {
        reference.split(separator: "/").dropFirst().reduce(document as JSONValue?) { $0?[String($1)] }
    }

    @Test("has every route once, every reference leads somewhere, and nothing is described that is not there")
    func whole() async throws {
        let world = try APIWorld()
        let reply = try await world.ask("GET", "/openapi.json")
        #expect(reply.status == 200)
        let document = try reply.json()
        #expect(document["openapi"]?.string == "3.1.0")
        for reference in Set(Self.references(document)) {
            #expect(Self.resolve(reference, in: document) != nil, "\(reference)")
        }
        let paths = try #require(document["paths"]?.object)
        var operations: [String] = []
        for (path, methods) in paths {
            for (method, operation) in methods.object ?? [:] {
                operations.append(try #require(operation["operationId"]?.string))
                let braces = path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
                    String($0.dropFirst().dropLast())
                }
                let parameters = operation["parameters"]?.array ?? []
                #expect(
                    Set(parameters.filter { $0["in"]?.string == "path" }.compactMap { $0["name"]?.string })
                        == Set(braces))
                #expect(
                    world.api.table.contains {
                        $0.method.lowercased() == method && ($0.template.isEmpty ? "/" : $0.template) == path
                    })
            }
        }
        #expect(Set(operations).count == operations.count)
        #expect(operations.count == world.api.table.count)
    }

    @Test("its schemas are those of schemas/")
    func schemas() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let process = Process()
        process.executableURL = root.appending(path: "tools/fixtures/api-schemas")
        process.arguments = ["--check"]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "run tools/fixtures/api-schemas")
    }
}
