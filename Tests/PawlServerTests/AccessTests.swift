import Foundation
import PawlCore
import PawlRegistry
import Testing

@testable import PawlServer

@Suite("Who may ask what")
struct AccessTests {
    /// Answers with the role and the name that a request was given.
    private static let whoami = Answering { call in
        Reply(type: "text/plain", .bytes(Array("\(call.role.rawValue) \(call.client ?? "-")".utf8)))
    }

    @Test(
        "on this machine everybody may read; a token gives its role and name; a wrong one is never read as none"
    )
    func loopback() async throws {
        let front = try Front([Self.whoami])
        let (_, reader) = try front.tokens.create("dash", role: .read)
        let (_, operator_) = try front.tokens.create("ci", role: .operate)
        #expect(await front.ask("GET", "/").text == "read -")
        #expect(await front.ask("GET", "/", token: reader).text == "read dash")
        #expect(await front.ask("GET", "/", token: operator_).text == "operate ci")
        for wrong in ["x", reader + "0", String(reader.dropLast()), reader.uppercased()] {
            let reply = await front.ask("GET", "/", token: wrong)
            #expect(reply.status == 401)
            #expect(reply.header("www-authenticate") != nil)
        }
        try front.tokens.revoke("ci")
        #expect(await front.ask("GET", "/", token: operator_).status == 401)
        #expect(await front.ask("GET", "/", token: reader).status == 200)
    }

    @Test("elsewhere nobody may do anything without a token, and any name of the server is answered")
    func elsewhere() async throws {
        let front = try Front([Self.whoami], anonymous: nil, isLoopback: false)
        let (_, reader) = try front.tokens.create("dash", role: .read)
        #expect(await front.ask("GET", "/", host: "models.example:7295").status == 401)
        #expect(await front.ask("GET", "/healthz", host: "models.example").status == 401)
        #expect(await front.ask("GET", "/", host: "models.example:7295", token: reader).text == "read dash")
    }

    @Test("what clients send that must send a key where none is needed is no token", arguments: ["none", ""])
    func noToken(key: String) async throws {
        let here = try Front([Self.whoami])
        #expect(await here.ask("GET", "/", token: key).text == "read -")
        let elsewhere = try Front([Self.whoami], anonymous: nil, isLoopback: false)
        #expect(await elsewhere.ask("GET", "/", token: key).status == 401)
    }

    @Test("a browser sends a token as the password of Basic")
    func basic() async throws {
        let front = try Front([Self.whoami])
        let (_, secret) = try front.tokens.create("dash", role: .read)
        func ask(_ value: String) async -> Reply {
            await front.ask("GET", "/", headers: [(name: "authorization", value: value)])
        }
        let good = Data("anybody:\(secret)".utf8).base64EncodedString()
        #expect(await ask("Basic \(good)").text == "read dash")
        #expect(await ask("basic \(Data("a:b".utf8).base64EncodedString())").status == 401)
        #expect(await ask("Basic ???").status == 401)
        #expect(await ask("Digest x").status == 401)
        #expect(await ask("Basic").status == 401)
    }

    @Test("a name that is not this machine's is not answered, so that no page can borrow its address")
    func rebinding() async throws {
        let front = try Front([Self.whoami])
        for host in ["localhost", "LOCALHOST:7295", "127.0.0.1:1", "[::1]:7295"] {
            #expect(await front.ask("GET", "/", host: host).status == 200)
        }
        for host in [
            "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:7295", "[::2]", "0.0.0.0",
        ] {
            #expect(await front.ask("GET", "/", host: host).status == 421)
        }
        #expect(await front.ask("GET", "/", host: "").status == 400)
    }

    @Test("a change that a page of another origin asks for is refused; a read, and a program, are not")
    func origins() async throws {
        let front = try Front([Self.whoami])
        func ask(_ method: String, _ headers: [(name: String, value: String)]) async -> Int {
            await front.ask(method, "/", host: "localhost:7295", headers: headers).status
        }
        #expect(await ask("POST", []) == 200)
        #expect(await ask("POST", [(name: "origin", value: "http://localhost:7295")]) == 200)
        #expect(await ask("POST", [(name: "sec-fetch-site", value: "same-origin")]) == 200)
        for origin in ["http://evil.example", "null", "http://localhost:1", "http://localhost", ""] {
            #expect(await ask("POST", [(name: "origin", value: origin)]) == 403)
        }
        for site in ["cross-site", "same-site"] {
            #expect(await ask("DELETE", [(name: "sec-fetch-site", value: site)]) == 403)
        }
        #expect(await ask("GET", [(name: "origin", value: "http://evil.example")]) == 200)
    }

    @Test("what a role may not do says whether a token is missing or too little")
    func roles() throws {
        #expect(throws: Never.self) { try Access.require(.read, of: Call("GET", [])) }
        #expect(throws: Never.self) { try Access.require(.operate, of: Call("GET", [], role: .operate)) }
        let none = #expect(throws: Refusal.self) { try Access.require(.operate, of: Call("GET", [])) }
        #expect(none?.problem.status == 401 && none?.problem.code == "unauthorized")
        let little = #expect(throws: Refusal.self) {
            try Access.require(.operate, of: Call("GET", [], client: "dash"))
        }
        #expect(little?.problem.status == 403 && little?.problem.code == "forbidden")
    }
}

@Suite("Tokens")
struct TokenTests {
    @Test("the file has no secret, is its owner's only, and forgets what was revoked")
    func file() throws {
        let place = try Place()
        let (token, secret) = try place.tokens.create("ci", role: .operate)
        #expect(secret.hasPrefix("pawl_") && secret.count == 69)
        #expect(token.sha256 == Digest(of: secret))
        let file = place.registry.root.appending(path: "tokens.json")
        #expect(!String(decoding: try Files.read(file), as: UTF8.self).contains(secret.dropFirst(5)))
        let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try place.tokens.find(secret: secret) == token)
        #expect(throws: PawlError.self) { try place.tokens.create("ci", role: .read) }
        #expect(throws: PawlError.self) { try place.tokens.create("No Name", role: .read) }
        try place.tokens.revoke("ci")
        #expect(try place.tokens.find(secret: secret) == nil)
        #expect(try place.tokens.all().isEmpty)
        #expect(throws: PawlError.self) { try place.tokens.revoke("ci") }
    }

    @Test("many made at once are all there, each with a secret of its own")
    func together() throws {
        let place = try Place()
        try Parallel.forEach(16) { _ = try place.tokens.create("t\($0)", role: .read) }
        let all = try place.tokens.all()
        #expect(all.count == 16)
        #expect(Set(all.map(\.sha256)).count == 16)
    }

    @Test("an address that others reach is refused while there is no token")
    func addresses() throws {
        let place = try Place()
        var options = HTTPServer.Options()
        options.host = "0.0.0.0"
        let refused = #expect(throws: PawlError.self) {
            _ = try HTTPServer(registry: place.registry, handlers: [], options: options)
        }
        #expect(refused?.code == .usage)
        _ = try place.tokens.create("dash", role: .read)
        _ = try HTTPServer(registry: place.registry, handlers: [], options: options)
    }
}
