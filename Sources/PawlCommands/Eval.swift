internal import ArgumentParser
internal import PawlCore
internal import PawlEngines
internal import PawlRegistry
internal import PawlWorkflow

struct Eval: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure a checkpoint on suites; stored results are used where nothing changed.",
        discussion: """
            The scores enter the matrix and the evidence is kept. This judges nothing: `pawl gate run` does.

              pawl eval
              pawl eval main~1 --suite world-facts

            Exit status: 0 done, 1 failed, 5 the engine's answers do not fit the suite, 10 no registry.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var engine: EngineOptions

    @Argument(help: "A reference (main, main~2) or a digest prefix.")
    var checkpoint = "main"

    @Option(name: .customLong("suite"), help: "A suite by name; may be repeated. Default: every suite.")
    var suites: [String] = []

    func run() async throws {
        let display = options.progress()
        let workflow = try options.workflow(display)
        let registry = workflow.registry
        let digest = try registry.resolve(checkpoint)
        let records = suites.isEmpty ? try registry.suites() : try suites.map { try known($0, registry) }
        let name = engine.name
        let measured = try await Interruption.cancelling {
            try await workflow.measure(digest, on: records, engine: name)
        }
        display.finish()
        try options.output.render(measured) { measured in
            var table = Table(["suite", "score", "95% interval", "items", ""], right: [1, 2, 3])
            for item in measured {
                table.add([
                    item.suite.name, percent(item.record.score),
                    "[\(percent(item.record.lower)), \(percent(item.record.upper))]",
                    "\(item.record.count)", item.isCached ? "stored result" : "",
                ])
            }
            return table.text
        }
    }

    private func known(_ name: String, _ registry: Registry) throws -> SuiteRecord {
        guard let suite = try registry.activeSuite(name) else {
            let names = try registry.suites().map(\.name).joined(separator: ", ")
            throw PawlError(.notFound, "the registry has no suite \"\(name)\"", hint: "it has: \(names)")
        }
        return suite
    }
}
