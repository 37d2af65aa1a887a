public import Foundation
public import PawlCore

/// A token that opens the server, without its secret (schemas/tokens.json).
public struct Token: Codable, Sendable, Hashable {
    /// The name that people gave it; the journal shows it.
    public var name: String
    /// What it allows.
    public var role: Call.Role
    /// SHA-256 of the secret. The secret has 256 random bits, so there is nothing that a salt would have to slow down.
    public var sha256: Digest
    /// When it was made.
    public var created: Timestamp

    private enum CodingKeys: String, CodingKey { case name, role, sha256, created }
}

/// The tokens of a registry, in `tokens.json` beside its database: readable by its owner only, replaced as a whole.
public struct Tokens: Sendable {
    private let file: URL
    private let lock: URL

    /// The tokens of the registry in a directory.
    public init(registry root: URL) {
        file = root.appending(path: "tokens.json")
        lock = root.appending(path: "tokens.lock")
    }

    /// What the file holds.
    private struct Content: Codable {
        var tokens: [Token]
    }

    /// All tokens, by name. A missing file is one without tokens.
    public func all() throws -> [Token] {
        guard Files.exists(file) else { return [] }
        return try JSON.decode(Content.self, from: Files.read(file), source: file.path).tokens
    }

    /// Makes a token and returns its secret, which is kept nowhere.
    ///
    /// Fails with `alreadyExists` where one of this name is there.
    public func create(_ name: String, role: Call.Role) throws -> (token: Token, secret: String) {
        try Name.check(name, "name of a token")
        let secret = Self.randomSecret()
        let token = Token(name: name, role: role, sha256: Digest(of: secret), created: .now)
        try change { tokens in
            guard !tokens.contains(where: { $0.name == name }) else {
                throw PawlError(
                    .alreadyExists, "there is a token \"\(name)\" already",
                    hint: "pawl token revoke \(name) takes it back; or choose another name")
            }
            tokens.append(token)
            tokens.sort { $0.name < $1.name }
        }
        return (token, secret)
    }

    /// Takes a token back; a running server refuses it from its next request on.
    @discardableResult
    public func revoke(_ name: String) throws -> Token {
        var revoked: Token?
        try change { tokens in
            guard let index = tokens.firstIndex(where: { $0.name == name }) else {
                throw PawlError(.notFound, "there is no token \"\(name)\"", hint: "pawl token ls lists them")
            }
            revoked = tokens.remove(at: index)
        }
        guard let revoked else {
            throw PawlError(.internalError, "token \"\(name)\" went away while it was revoked")
        }
        return revoked
    }

    /// The token whose secret this is; nil where none is.
    ///
    /// Every stored digest is compared to its end, so the time tells nothing about how much of one was right.
    public func find(secret: String) throws -> Token? {
        let presented = Digest(of: secret).bytes
        var found: Token?
        for token in try all() where Self.areEqual(token.sha256.bytes, presented) { found = token }
        return found
    }

    private static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        var difference: UInt8 = 0
        for (x, y) in zip(a, b) { difference |= x ^ y }
        return difference == 0 && a.count == b.count
    }

    private func change(_ body: (inout [Token]) throws -> Void) throws {
        let lock = try FileLock(lock)
        defer { withExtendedLifetime(lock) {} }
        var tokens = try all()
        try body(&tokens)
        try Files.writeAtomically(JSON.pretty(Content(tokens: tokens)), to: file)
        try Files.setMode(0o600, of: file)
    }

    /// 256 bits from the system's generator, in 64 digits behind a prefix that secret scanners can look for.
    private static func randomSecret() -> String {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return "pawl_" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
