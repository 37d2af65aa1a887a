/// One HTTP request as handlers see it: nothing of the HTTP library, so that they are tested without a socket.
public struct Call: Sendable {
    /// `GET`, `POST` and so on.
    public var method: String
    /// Parts of the path, percent-decoded: `/api/v1/skills` is `["api", "v1", "skills"]`.
    public var path: [String]
    /// Names and values of the query, decoded; the last of equal names.
    public var query: [String: String]
    /// Names in lower case.
    public var headers: [String: String]
    /// The whole body; its size was checked.
    public var body: [UInt8]
    /// What whoever asks may do.
    public var role: Role
    /// Name of the token that came with it, for the journal; nil for somebody without one.
    public var client: String?

    /// What a token allows. A later role includes the earlier one.
    public enum Role: String, Sendable, Codable, CaseIterable, Comparable {
        /// Ask: pages, the read API, answers of models.
        case read
        /// Change: register, promote, roll back, cancel.
        case operate

        public static func < (left: Role, right: Role) -> Bool { left == .read && right == .operate }
    }

    /// Makes a request.
    public init(
        _ method: String, _ path: [String], query: [String: String] = [:], headers: [String: String] = [:],
        body: [UInt8] = [], role: Role = .read, client: String? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.role = role
        self.client = client
    }
}
