internal import ArgumentParser
internal import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlRegistry
internal import PawlWorkflow

struct Bisect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Find the update after which a suite no longer holds.",
        discussion: """
            Halves the line between a checkpoint that holds the suite and one that does not, comparing with the suite's \
            anchor as the gate does. What was measured before is read, so 64 checkpoints take 7 evaluations at most.

              pawl bisect --suite chat-facts
              pawl bisect --suite chat-facts --good main~20 --bad main~2

            Exit status: 0 found, 1 there is nothing to find, 10 no registry.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var engine: EngineOptions

    @Option(help: "The suite, by name.")
    var suite: String

    @Option(help: "A checkpoint that holds it. Default: the suite's anchor.")
    var good: String?

    @Option(help: "A later checkpoint that does not.")
    var bad = "main"

    func run() async throws {
        let display = options.progress()
        let workflow = try options.workflow(display)
        let known = try good.map { try workflow.registry.resolve($0) }
        let end = try workflow.registry.resolve(bad)
        let (suite, engine) = (suite, engine.name)
        let report = try await Interruption.cancelling {
            try await workflow.bisect(suite, good: known, bad: end, engine: engine)
        }
        display.finish()
        try options.output.render(report) { report in
            var table = Table(
                ["place", "checkpoint", report.suite, "score", "change at least", "at most", ""],
                right: [0, 3, 4, 5])
            for step in report.steps.sorted(by: { $0.place < $1.place }) {
                table.add([
                    "\(step.place)", step.checkpoint.short, step.state.rawValue, percent(step.score),
                    Format.points(step.lower), Format.points(step.upper),
                    step.isCached ? "stored" : "measured",
                ])
            }
            let cause = report.skill.map { "the acquisition of \($0)" } ?? "an import"
            return """
                \(table.text)

                \(report.suite) was lost by \(report.firstBad.short), \(cause); \(report.lastGood.short) before it holds
                \(Format.count(report.evaluations, "evaluation")); pawl show \(report.firstBad.short), \
                pawl rollback --to \(report.lastGood.short)
                """
        }
    }
}
