internal import PawlCore

extension Jinja {
    /// Why a template cannot be parsed or rendered, before the file is known.
    struct Failure: Error {
        let message: String
        let code: PawlError.Code
        /// Line of the template; nil until somebody who knows it adds it.
        let line: Int?

        init(_ message: String, _ code: PawlError.Code = .invalidArgument, line: Int? = nil) {
            self.message = message
            self.code = code
            self.line = line
        }

        /// Something of Jinja or Python that real chat templates do not use.
        static func unsupported(_ what: String) -> Failure {
            Failure("\(what) is not supported in chat templates here", .unsupported)
        }

        func at(line: Int) -> Failure { self.line == nil ? Failure(message, code, line: line) : self }

        func error(file: String) -> PawlError {
            PawlError(code, "\(file), line \(line ?? 1): \(message)")
        }
    }

    /// Bounds on what one rendering may do, so that a hostile template ends with an error.
    struct Limits: Sendable {
        /// Expressions evaluated, statements run, elements visited; 16 bytes of text read count as one.
        var steps = 20_000_000
        /// Passes through the bodies of all loops together.
        var iterations = 1_000_000
        /// Bytes of all strings and lists that are made, whether or not they are still needed.
        var bytes = 256 << 20
        /// Bytes of the rendered text.
        var output = 16 << 20
        /// Levels of expressions, statements and macros inside each other; each takes up to 8 KiB of stack
        /// in a debug build, where a thread has 8 MiB.
        var depth = 300
        /// Levels of lists inside lists.
        static let nesting = 200
    }

    /// What a rendering has used of its limits.
    final class Budget {
        private let limits: Limits
        private var steps = 0
        private var iterations = 0
        private var bytes = 0
        private var output = 0
        private var depth = 0

        init(_ limits: Limits) { self.limits = limits }

        func step(_ count: Int = 1) throws {
            steps += count
            guard steps <= limits.steps else { throw exceeded("\(limits.steps) steps") }
        }

        func iterate() throws {
            iterations += 1
            guard iterations <= limits.iterations else {
                throw exceeded("\(limits.iterations) passes through loops")
            }
        }

        /// Reading so many bytes of text.
        func scan(_ count: Int) throws { try step(count / 16 + 1) }

        /// Making a string or list of so many bytes; called before it is made.
        func grow(_ count: Int) throws {
            let (sum, overflow) = bytes.addingReportingOverflow(count)
            guard !overflow, sum <= limits.bytes else { throw exceeded("\(limits.bytes) bytes of values") }
            bytes = sum
            try scan(count)
        }

        func write(_ count: Int) throws {
            output += count
            guard output <= limits.output else { throw exceeded("\(limits.output) bytes of text") }
        }

        /// Runs a body one level deeper.
        func nested<T>(_ body: () throws -> T) throws -> T {
            depth += 1
            defer { depth -= 1 }
            guard depth <= limits.depth else { throw exceeded("\(limits.depth) levels of nesting") }
            return try body()
        }

        private func exceeded(_ what: String) -> Failure { Failure("the template needs more than \(what)") }
    }
}
