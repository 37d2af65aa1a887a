public import PawlCore

/// What went wrong with a request, as RFC 9457 wants it told (`application/problem+json`, schemas/problem.json).
public struct Problem: Codable, Sendable, Hashable {
    /// The media type of a problem.
    static let mediaType = "application/problem+json"

    /// What kind of problem it is: `about:blank`, so the status says it; `code` is finer.
    public var type: String
    /// The status in words.
    public var title: String
    /// HTTP status.
    public var status: Int
    /// What happened to this request, in a sentence.
    public var detail: String
    /// The code of the error (`PawlError.Code`), the same that a command prints with `--json`; the server's own are
    /// `unauthorized`, `forbidden`, `method_not_allowed`, `too_large`, `busy` and `stopping`.
    public var code: String
    /// What to do about it, where there is something to do.
    public var hint: String?

    /// A problem that a status alone describes.
    public init(_ status: Int, _ detail: String, code: String = "invalid_argument", hint: String? = nil) {
        type = "about:blank"
        title = Self.title(status)
        self.status = status
        self.detail = detail
        self.code = code
        self.hint = hint
    }

    /// The problem that an error is, with the status of its code.
    ///
    /// What failed inside (the disk, a bug) is told without the error underneath, which may hold paths.
    public init(_ error: PawlError) {
        self.init(error.code.httpStatus, error.message, code: error.code.name, hint: error.hint)
    }

    /// The problem as an answer.
    public func reply(headers: [(name: String, value: String)] = []) -> Reply {
        let bytes = (try? JSON.pretty(self)) ?? Array("{\"status\":\(status)}".utf8)
        return Reply(status, type: Self.mediaType, headers: headers, .bytes(bytes))
    }

    private static func title(_ status: Int) -> String { titles[status] ?? "Status \(status)" }

    private static let titles = [
        400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
        405: "Method Not Allowed",
        408: "Request Timeout", 409: "Conflict", 411: "Length Required", 413: "Content Too Large",
        414: "URI Too Long", 415: "Unsupported Media Type", 421: "Misdirected Request", 423: "Locked",
        429: "Too Many Requests", 499: "Client Closed Request", 500: "Internal Server Error",
        501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
    ]
}

/// A refusal that no code of ours describes: a status of HTTP itself.
struct Refusal: Error {
    let problem: Problem
    let headers: [(name: String, value: String)]

    init(
        _ status: Int, _ detail: String, code: String? = nil, hint: String? = nil,
        headers: [(name: String, value: String)] = []
    ) {
        problem = Problem(status, detail, code: code ?? Self.codes[status] ?? "invalid_argument", hint: hint)
        self.headers = headers
    }

    /// Codes of what only a server refuses; the rest is a request that is not what it should be.
    private static let codes = [
        401: "unauthorized", 403: "forbidden", 405: "method_not_allowed", 413: "too_large", 429: "busy",
        503: "stopping",
    ]
}
