internal import Foundation
internal import PawlCore

/// Who may ask what: tokens, the name under which the server was asked, and where a changing request comes from.
struct Access: Sendable {
    let tokens: Tokens
    /// The role of a request without a token; nil where everybody needs one.
    let anonymous: Call.Role?
    /// Whether only names of this machine are answered. A page of somebody else's name that points at this address
    /// would otherwise read what only people at this machine may.
    let isLoopback: Bool

    /// Gives a request its role and the name of its token.
    ///
    /// - Throws: a `Refusal`: 400 without a host, 421 for a name that is not this machine's, 401 for a wrong token or
    ///   none where one is needed, 403 for a change that a page of another origin asks for.
    func admit(_ head: RequestHead, _ call: inout Call) throws {
        guard let host = head.header("host"), !host.isEmpty, !host.contains(",") else {
            throw Refusal(400, "the request has no Host header, or several")
        }
        if isLoopback, !Self.isThisMachine(host) {
            throw Refusal(421, "this server answers for localhost only")
        }
        if !Self.isSafe(call.method) { try checkOrigin(head, host: host) }
        if let secret = try Self.secret(head) {
            guard let token = try tokens.find(secret: secret) else {
                throw Self.unauthorized("the token is not known, or was revoked")
            }
            call.role = token.role
            call.client = token.name
        } else if let anonymous {
            call.role = anonymous
            call.client = nil
        } else {
            throw Self.unauthorized("this needs a token")
        }
    }

    /// Fails unless a request has the role that something needs.
    static func require(_ role: Call.Role, of call: Call) throws {
        guard call.role < role else { return }
        guard call.client == nil else {
            throw Refusal(
                403, "the token \"\(call.client ?? "")\" may not do this",
                hint: "it takes one with the role \(role.rawValue)")
        }
        throw unauthorized("this needs a token with the role \(role.rawValue)")
    }

    /// Methods that change nothing (RFC 9110 9.2.1).
    static func isSafe(_ method: String) -> Bool { ["GET", "HEAD", "OPTIONS", "TRACE"].contains(method) }

    private static func unauthorized(_ detail: String) -> Refusal {
        Refusal(
            401, detail, hint: "pawl token create makes one; send it as Authorization: Bearer TOKEN",
            headers: [
                (name: "www-authenticate", value: "Bearer realm=\"pawl\""),
                (name: "www-authenticate", value: "Basic realm=\"pawl\", charset=\"UTF-8\""),
            ])
    }

    /// The secret of `Bearer SECRET`, or the password of `Basic`, which is how a browser sends one; nil for no token, which
    /// is also what OpenAI's clients mean that send `Bearer` with nothing or `none` because a key must be sent.
    private static func secret(_ head: RequestHead) throws -> String? {
        guard let value = head.header("authorization") else { return nil }
        let parts = value.split(separator: " ", maxSplits: 1)
        let credentials = parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        switch parts.first?.lowercased() {
        case "bearer": return ["", "none"].contains(credentials) ? nil : credentials
        case "basic":
            guard let bytes = Data(base64Encoded: credentials),
                let text = String(validating: bytes, as: UTF8.self), let colon = text.firstIndex(of: ":")
            else { throw unauthorized("the Authorization header is not what Basic writes") }
            return String(text[text.index(after: colon)...])
        default: throw unauthorized("the Authorization header is neither Bearer nor Basic")
        }
    }

    /// A browser says where a request was made; programs say nothing and are not what this guards against.
    private func checkOrigin(_ head: RequestHead, host: String) throws {
        if let site = head.header("sec-fetch-site"), site != "same-origin", site != "none" {
            throw Refusal(403, "a change that a page of another origin asks for is refused")
        }
        guard let origin = head.header("origin") else { return }
        let own = ["http://\(host)", "https://\(host)"]
        guard own.contains(where: { $0.caseInsensitiveCompare(origin) == .orderedSame }) else {
            throw Refusal(403, "a change that a page of another origin asks for is refused")
        }
    }

    private static func isThisMachine(_ host: String) -> Bool {
        let name =
            host.hasPrefix("[") ? String(host.prefix { $0 != "]" }) + "]" : String(host.prefix { $0 != ":" })
        return ["localhost", "127.0.0.1", "[::1]"].contains(name.lowercased())
    }
}
