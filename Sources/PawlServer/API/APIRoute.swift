internal import PawlCore

/// One route of the API: how it is asked, what it needs and gives, and what answers it. The same table dispatches
/// requests and describes them (``OpenAPI``).
struct APIRoute: Sendable {
    let method: String
    /// Parts below `/api/v1`; one in braces takes any value.
    let path: [String]
    /// What a request needs to be allowed.
    let role: Call.Role
    /// What it does, in a line.
    let summary: String
    /// What else somebody should know.
    var description: String?
    var parameters: [APIParameter] = []
    /// The schema of the body; nil where there is none.
    var body: String?
    let answer: Answer
    let run: @Sendable (APIRequest) async throws -> Reply

    /// What a successful answer is.
    enum Answer: Sendable {
        /// JSON of a schema.
        case json(Int, String)
        /// Server-sent events.
        case events
        /// The description of the API.
        case document
    }

    /// The path as the description writes it.
    var template: String { path.map { "/" + $0 }.joined() }

    /// Name of the operation: `getCheckpointsCheckpointSkills`.
    var operation: String {
        let words = path.map { $0.filter { $0.isLetter || $0.isNumber } }
        return method.lowercased() + words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    /// The values of the parts in braces; nil where the path is another.
    func match(_ parts: ArraySlice<String>) -> [String: String]? {
        guard parts.count == path.count else { return nil }
        var values: [String: String] = [:]
        for (pattern, part) in zip(path, parts) {
            if pattern.hasPrefix("{") {
                values[String(pattern.dropFirst().dropLast())] = part
            } else if pattern != part {
                return nil
            }
        }
        return values
    }
}

/// A value in the path or the query of a request.
struct APIParameter: Sendable {
    /// What values it takes.
    enum Kind: Sendable {
        /// A reference, a digest or the first digits of one, with `~N` for ancestors.
        case checkpoint
        /// A name of a skill, suite or engine.
        case name
        /// Names, separated by commas.
        case names
        /// The id of a registration.
        case registration
        /// A whole number.
        case count(ClosedRange<Int>, usual: Int)
        /// Where the page before ended.
        case cursor
    }

    let name: String
    let kind: Kind
    let description: String
    var isRequired = false
    var isInPath = false

    /// A part of the path.
    static func path(_ name: String, _ kind: Kind, _ description: String) -> APIParameter {
        APIParameter(name: name, kind: kind, description: description, isRequired: true, isInPath: true)
    }

    /// The JSON Schema of its values.
    var schema: JSONValue {
        switch kind {
        case .checkpoint:
            ["type": "string", "pattern": "^([a-z0-9][a-z0-9-]{0,62}|[0-9a-fA-F]{4,64})(~[0-9]{0,6})?$"]
        case .name, .registration: ["type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"]
        case .names: ["type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}(,[a-z0-9][a-z0-9-]{0,62})*$"]
        case .count(let range, let usual):
            [
                "type": "integer", "minimum": .int(Int64(range.lowerBound)),
                "maximum": .int(Int64(range.upperBound)), "default": .int(Int64(usual)),
            ]
        case .cursor: ["type": "string", "pattern": "^[0-9a-z-]{1,64}$"]
        }
    }

    /// Fails with `invalidArgument` for a value that its kind does not take.
    func check(_ value: String) throws {
        switch kind {
        case .checkpoint:
            let parts = value.split(separator: "~", maxSplits: 1, omittingEmptySubsequences: false)
            try Name.check(String(parts[0]).lowercased(), "parameter \(name)", upTo: 64)
            if parts.count == 2, !parts[1].allSatisfy({ $0.isASCII && $0.isNumber }) || parts[1].count > 6 {
                throw problem(value, "what follows ~ is no number")
            }
        case .name, .registration: try Name.check(value, "parameter \(name)")
        case .names:
            for part in value.split(separator: ",", omittingEmptySubsequences: false) {
                try Name.check(String(part), "parameter \(name)")
            }
        case .count(let range, _):
            guard let number = Int(value), range.contains(number),
                value.allSatisfy({ $0.isASCII && $0.isNumber })
            else {
                throw problem(value, "give a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
        case .cursor:
            guard (1...64).contains(value.utf8.count),
                value.allSatisfy({ $0.isASCII && ($0.isNumber || $0.isLowercase || $0 == "-") })
            else { throw problem(value, "it does not come from a Link header of this list") }
        }
    }

    private func problem(_ value: String, _ reason: String) -> PawlError {
        PawlError(
            .invalidArgument, "parameter \(name) \"\(value.prefix(80).description.escaped)\": \(reason)")
    }
}

extension Name {
    /// Checks a name that may be longer: a digest is one as well.
    fileprivate static func check(_ name: String, _ what: String, upTo length: Int) throws {
        if name.utf8.count == length, Digest(hex: name) != nil { return }
        try check(name, what)
    }
}

/// A request to a route, its parameters checked.
struct APIRequest: Sendable {
    let call: Call
    private let values: [String: String]
    private let usual: [String: Int]

    /// - Throws: `invalidArgument` for a value that its parameter does not take, a missing one, and a name that the route
    ///   does not know: a misspelt filter must not look like one that found everything.
    init(_ call: Call, _ route: APIRoute, path: [String: String]) throws {
        let known = Set(route.parameters.filter { !$0.isInPath }.map(\.name))
        if let other = call.query.keys.sorted().first(where: { !known.contains($0) }) {
            throw PawlError(
                .invalidArgument, "there is no parameter \"\(other.prefix(80).description.escaped)\" here",
                hint: known.isEmpty
                    ? "this takes none" : "there are: \(known.sorted().joined(separator: ", "))")
        }
        var values = path
        var usual: [String: Int] = [:]
        for parameter in route.parameters {
            if case .count(_, let value) = parameter.kind { usual[parameter.name] = value }
            if !parameter.isInPath { values[parameter.name] = call.query[parameter.name] }
            guard let value = values[parameter.name] else {
                guard !parameter.isRequired else {
                    throw PawlError(.invalidArgument, "the parameter \(parameter.name) is missing")
                }
                continue
            }
            try parameter.check(value)
        }
        self.call = call
        self.values = values
        self.usual = usual
    }

    /// A parameter's value; nil where it was left out.
    subscript(_ name: String) -> String? { values[name] }

    /// A parameter that is there whatever was asked: one of the path, or one that is required.
    func required(_ name: String) throws -> String {
        guard let value = values[name] else {
            throw PawlError(.internalError, "the route has no parameter \(name)")
        }
        return value
    }

    /// A number, or what it usually is.
    func count(_ name: String) -> Int { values[name].flatMap { Int($0) } ?? usual[name] ?? 0 }

    /// The body as JSON of a type. Names that the type does not have are refused.
    func body<T: APIBody>(_ type: T.Type) throws -> T {
        let mediaType = call.headers["content-type"]?.prefix { $0 != ";" }.lowercased()
        guard mediaType?.trimmingPrefix(" ") == "application/json" else {
            throw Refusal(
                415, "the body of this is application/json", hint: "send Content-Type: application/json")
        }
        let value = try JSON.parse(call.body, source: "the body")
        guard let members = value.object else {
            throw PawlError(.invalidArgument, "the body is a JSON object")
        }
        if let other = members.keys.sorted().first(where: { !T.names.contains($0) }) {
            throw PawlError(
                .invalidArgument,
                "the body has a member \"\(other.prefix(80).description.escaped)\" that this does not know",
                hint: "there are: \(T.names.sorted().joined(separator: ", "))")
        }
        let body = try JSON.decode(type, from: call.body, source: "the body")
        try body.check()
        return body
    }
}

/// The body of a request.
protocol APIBody: Decodable, Sendable {
    /// Names that its object may have.
    static var names: Set<String> { get }
    /// Fails with `invalidArgument` for values that no schema alone excludes.
    func check() throws
}
