/// How much of everything the server takes before it refuses.
public struct ServerLimits: Sendable {
    /// Largest body of a request, in bytes.
    public var bodyBytes = 4 << 20
    /// Longest path with its query, in bytes.
    public var targetBytes = 8 << 10
    /// Largest header field, and all of a request together, in bytes.
    public var headerBytes = 32 << 10
    /// Most header fields of a request.
    public var headerCount = 100
    /// Most connections; later ones wait in the system's queue.
    public var connections = 1000
    /// Most requests that are answered at the same time, apart from those to models; then 429.
    public var answers = 64
    /// Most requests to models at the same time; then 429.
    public var modelAnswers = 256
    /// Most streams of events at the same time; then 429.
    public var streams = 256
    /// Seconds in which the head of a request must be here, and that a connection may rest between two.
    public var idleSeconds = 30.0
    /// Seconds in which the body of a request must be here.
    public var bodySeconds = 30.0
    /// Seconds in which a client must take a piece of an answer.
    public var writeSeconds = 30.0
    /// Seconds in which an answer must begin, apart from those of models.
    public var answerSeconds = 120.0
    /// Seconds in which the answer of a model must begin; one that is not streamed begins when it is whole.
    public var modelSeconds = 900.0
    /// Seconds that running requests are given to finish when the server is asked to stop.
    public var graceSeconds = 20.0

    /// The usual limits.
    public init() {}
}
