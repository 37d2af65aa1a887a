internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow

/// What answers the routes of the API.
struct APIAnswers: Sendable {
    let workflow: Workflow
    let registrar: Registrar
    let events: EventHub

    var registry: Registry { workflow.registry }

    /// The checkpoint that a request names. What names none is not found, also where it could name none or several.
    func resolve(_ text: String) throws -> Digest {
        try Self.notFound { try registry.resolve(text) }
    }

    /// Work in which a text that is no reference counts as one that was not found.
    static func notFound<T>(_ work: () throws -> T) throws -> T {
        do {
            return try work()
        } catch let error as PawlError where error.code == .invalidArgument {
            throw PawlError(.notFound, error.message, hint: error.hint)
        }
    }

    /// JSON as commands print it.
    static func json(
        _ payload: some Encodable, status: Int = 200, headers: [(name: String, value: String)] = []
    )
        throws -> Reply
    {
        Reply(status, type: "application/json", headers: headers, .bytes(try JSON.pretty(payload)))
    }

    /// A route that reads. It runs on a thread of its own: the database and the files make it wait.
    func read(
        _ path: [String], _ schema: String, _ summary: String, _ parameters: [APIParameter] = [],
        description: String? = nil, _ run: @escaping @Sendable (APIRequest) throws -> Reply
    ) -> APIRoute {
        APIRoute(
            method: "GET", path: path, role: .read, summary: summary, description: description,
            parameters: parameters, answer: .json(200, schema)
        ) { request in try await Parallel.blocking { try run(request) } }
    }

    /// A page of a list, newest first, with the address of the next one in a Link header (RFC 8288).
    ///
    /// - Parameter next: the cursor of the next page; nil where this was the last.
    static func page(_ payload: some Encodable, of request: APIRequest, next: String?) throws -> Reply {
        let path = "/" + request.call.path.joined(separator: "/")
        let limit = request["limit"].map { "&limit=\($0)" } ?? ""
        let link = next.map { [(name: "link", value: "<\(path)?cursor=\($0)\(limit)>; rel=\"next\"")] } ?? []
        return try json(payload, headers: link)
    }

    static let limit = APIParameter(
        name: "limit", kind: .count(1...1000, usual: 50), description: "Most entries of this page.")
    static let cursor = APIParameter(
        name: "cursor", kind: .cursor,
        description: "Where the page before ended: copied from its Link header. The first page has none.")
}
