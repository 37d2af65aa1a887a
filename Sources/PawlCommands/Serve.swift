internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlEngines
internal import PawlRegistry
internal import PawlServer
internal import PawlWorkflow

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve pages, the API and the models of the registry over HTTP.",
        discussion: """
            Whoever is on this machine may read without a token; changes take one with the role operate (pawl token \
            create). Any other address than this machine's is refused while the registry has no token. The first \
            ^C or SIGTERM lets running requests finish, the second ends at once. docs/serve.md has the API.

              pawl serve
              pawl serve --port 8080 --log json
              pawl serve --host 0.0.0.0

            Exit status: 0 stopped on request, 1 cannot listen, 10 no registry, 64 no token for another address, \
            130 ended at once.
            """)

    /// How requests are logged.
    enum LogFormat: String, CaseIterable, ExpressibleByArgument { case text, json, none }

    @OptionGroup var options: GlobalOptions

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port; 0 for any that is free.")
    var port = 7295

    @Option(help: "Seconds that a connection may rest.")
    var idle = 30.0

    @Flag(help: "Ask everybody for a token, on this machine too.")
    var requireToken = false

    @Option(
        name: .customLong("log"),
        help: "A line on stderr for each request, never with its body or query: text, json or none.")
    var logFormat = LogFormat.text

    /// What --json prints once connections are taken (schemas/serve.json).
    struct Payload: Encodable {
        var url: String
        var registry: String
    }

    func validate() throws {
        if !(0...65535).contains(port) { throw ValidationError("--port \(port): give 0 to 65535") }
        if !(idle > 0 && idle <= 3600) { throw ValidationError("--idle \(idle): give up to 3600 seconds") }
    }

    func run() async throws {
        let registry = try options.openRegistry()
        let parts = try ServerParts(workflow: Workflow(registry: registry))
        var settings = HTTPServer.Options()
        settings.host = host
        settings.port = port
        settings.needsToken = requireToken
        settings.limits.idleSeconds = idle
        settings.log = logger
        let server = try HTTPServer(
            registry: registry, handlers: parts.handlers, options: settings, onStop: { await parts.stop() })
        let (output, name) = (options.output, host.contains(":") ? "[\(host)]" : host)
        try await Interruption.cancelling {
            try await server.run { port in
                let payload = Payload(url: "http://\(name):\(port)/", registry: registry.root.path)
                try? output.render(payload) { "serving \($0.registry) on \($0.url)" }
            }
        }
    }

    private var logger: @Sendable (RequestLine) -> Void {
        if options.quiet { return { _ in } }
        return switch logFormat {
        case .none: { _ in }
        case .text: { Terminal.error.write($0.description) }
        case .json: { Terminal.error.write(ProgressDisplay.json($0)) }
        }
    }
}
