public import PawlWorkflow

/// The parts of the server over one registry, in the order in which they are asked.
public struct ServerParts: Sendable {
    /// What answers requests.
    public let handlers: [any Handler]

    private let api: API

    /// Makes all parts.
    public init(workflow: Workflow) throws {
        api = API(workflow: workflow)
        let models = OpenAI(workflow.registry, try Serving(workflow.registry))
        handlers = [api, models, Pages(registry: workflow.registry)]
    }

    /// Ends what would not end by itself and hands long work back; called when the server was asked to stop.
    public func stop() async { await api.stop() }
}
