/// What a handler answers.
public struct Reply: Sendable {
    /// HTTP status.
    public var status: Int
    /// Names and values, `content-type` among them.
    public var headers: [(name: String, value: String)]
    /// What follows them.
    public var content: Content

    /// Bytes that are there, or come one piece after another.
    public enum Content: Sendable {
        case bytes([UInt8])
        /// Ends early, and is cancelled, when the client goes away.
        case stream(AsyncThrowingStream<[UInt8], any Error>)
    }

    /// Makes an answer.
    public init(
        _ status: Int = 200, type: String, headers: [(name: String, value: String)] = [], _ content: Content
    ) {
        self.status = status
        self.headers = [(name: "content-type", value: type)] + headers
        self.content = content
    }
}

/// A part of the server: the API, the pages, the models.
public protocol Handler: Sendable {
    /// The answer, or nil where the path is none of this part's.
    ///
    /// - Throws: `PawlError`, which the server answers as problem details (RFC 9457) with the status of its code.
    func reply(to call: Call) async throws -> Reply?
}
