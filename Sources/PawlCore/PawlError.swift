/// The one error type of Pawl: what was wrong, where, and what to do about it.
///
/// Errors of libraries (SQLite, zstd, errno) are wrapped in it at the edge of the module that uses them.
public struct PawlError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is; decides the exit status.
    public var code: Code
    /// One line: the bad value and where it stands (file, line, field).
    public var message: String
    /// What to do about it, when there is something to do.
    public var hint: String?
    /// The error of a library underneath.
    public var underlying: (any Error)?

    /// Makes an error.
    public init(_ code: Code, _ message: String, hint: String? = nil, underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
        self.underlying = underlying
    }

    public var description: String {
        var text = message
        if let underlying { text += " (\(underlying))" }
        if let hint { text += "\n  hint: \(hint)" }
        return text
    }

    /// An extensible set of codes: a new one breaks no `switch`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The name that JSON shows.
        public let name: String
        /// Exit status of a command that fails with it.
        public let exitStatus: Int32
        /// HTTP status of a request that fails with it.
        public let httpStatus: Int

        /// Bad input: a file, a field, an argument.
        public static let invalidArgument = Code(name: "invalid_argument", exitStatus: 1, httpStatus: 400)
        /// The command line itself is wrong.
        public static let usage = Code(name: "usage", exitStatus: 64, httpStatus: 400)
        /// A named thing does not exist.
        public static let notFound = Code(name: "not_found", exitStatus: 1, httpStatus: 404)
        /// A name is taken.
        public static let alreadyExists = Code(name: "already_exists", exitStatus: 1, httpStatus: 409)
        /// Stored evidence or an engine's answer does not fit what was asked.
        public static let evidenceInvalid = Code(name: "evidence_invalid", exitStatus: 5, httpStatus: 409)
        /// Somebody else moved it first.
        public static let conflict = Code(name: "conflict", exitStatus: 6, httpStatus: 409)
        /// There is no registry here.
        public static let noRegistry = Code(name: "no_registry", exitStatus: 10, httpStatus: 404)
        /// Somebody else holds the lease.
        public static let locked = Code(name: "locked", exitStatus: 11, httpStatus: 423)
        /// Stored bytes are damaged.
        public static let corrupt = Code(name: "corrupt", exitStatus: 12, httpStatus: 500)
        /// Something Pawl or an engine cannot do.
        public static let unsupported = Code(name: "unsupported", exitStatus: 1, httpStatus: 501)
        /// Stopped on request.
        public static let cancelled = Code(name: "cancelled", exitStatus: 130, httpStatus: 499)
        /// A time limit passed.
        public static let timedOut = Code(name: "timed_out", exitStatus: 1, httpStatus: 504)
        /// More is asked at once than there is room for; the same may be asked again later.
        public static let overloaded = Code(name: "overloaded", exitStatus: 1, httpStatus: 429)
        /// The operating system refused.
        public static let io = Code(name: "io", exitStatus: 1, httpStatus: 500)
        /// An engine failed or broke the protocol.
        public static let engine = Code(name: "engine", exitStatus: 1, httpStatus: 502)
        /// A bug in Pawl.
        public static let internalError = Code(name: "internal", exitStatus: 1, httpStatus: 500)

        public static func == (a: Code, b: Code) -> Bool { a.name == b.name }
        public func hash(into hasher: inout Hasher) { hasher.combine(name) }
        public var description: String { name }
    }
}

extension PawlError: Encodable {
    private enum Keys: String, CodingKey { case error }
    private enum Fields: String, CodingKey { case code, message, hint }

    /// `{"error":{"code","message","hint"}}`, the same on the command line and over HTTP (schemas/error.json).
    public func encode(to encoder: any Encoder) throws {
        var outer = encoder.container(keyedBy: Keys.self)
        var fields = outer.nestedContainer(keyedBy: Fields.self, forKey: .error)
        try fields.encode(code.name, forKey: .code)
        try fields.encode(underlying.map { "\(message) (\($0))" } ?? message, forKey: .message)
        try fields.encodeIfPresent(hint, forKey: .hint)
    }
}
