internal import PawlCore
public import PawlWorkflow

/// The API under `/api/v1`: what the commands that read print with `--json`, and what changes `main`.
public struct API: Handler {
    private let routes: [APIRoute]
    private let registrar: Registrar
    private let events: EventHub

    /// The API over a registry.
    public init(workflow: Workflow) {
        let events = EventHub(registry: workflow.registry)
        let registrar = Registrar(workflow: workflow, events: events)
        let answers = APIAnswers(workflow: workflow, registrar: registrar, events: events)
        let table = answers.readRoutes + answers.listRoutes + answers.changeRoutes
        routes = table + OpenAPI.routes(describing: table)
        self.events = events
        self.registrar = registrar
    }

    /// The table of routes, for tests.
    var table: [APIRoute] { routes }

    /// Ends streams of events, and a running registration so that it can be resumed.
    public func stop() async {
        events.close()
        await registrar.stop()
    }

    public func reply(to call: Call) async throws -> Reply? {
        guard call.path.starts(with: ["api", "v1"]) else { return nil }
        let parts = call.path.dropFirst(2)
        let matches = routes.compactMap { route in route.match(parts).map { (route, $0) } }
        guard !matches.isEmpty else { return nil }
        guard let (route, values) = matches.first(where: { $0.0.method == call.method }) else {
            let methods = Set(matches.map(\.0.method)).union(
                matches.contains { $0.0.method == "GET" } ? ["HEAD"] : [])
            throw Refusal(
                405, "this is asked with \(methods.sorted().joined(separator: " or "))",

                headers: [(name: "allow", value: methods.sorted().joined(separator: ", "))])
        }
        try Access.require(route.role, of: call)
        return try await route.run(APIRequest(call, route, path: values))
    }
}
