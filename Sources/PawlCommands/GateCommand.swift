internal import ArgumentParser
internal import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlRegistry
internal import PawlWorkflow

struct GateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gate", abstract: "The evaluation gate.",
        subcommands: [Plan.self, Run.self, Explain.self, Replay.self], defaultSubcommand: nil)

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Judge a checkpoint against the anchors of its line.",
            discussion: """
                On an imported candidate this is its verdict, and ACCEPT allows `pawl promote`. On a checkpoint that is \
                or was main it certifies anew what it holds, and moves nothing.

                  pawl gate run
                  pawl gate run 3f2a91c0de55
                  pawl gate run main --suite world-facts

                Where main is rejected, the rollback that would cure it is shown, as far as stored results tell.

                A suite that could not tell the anchor from a model that does not read the question is refused.

                Exit status: 0 ACCEPT, 3 REJECT, 4 INCONCLUSIVE, 1 failed, 5 evidence invalid, 11 busy.
                """)

        @OptionGroup var options: GlobalOptions
        @OptionGroup var engine: EngineOptions

        @Argument(help: "A reference (main, main~2) or a digest prefix.")
        var checkpoint = "main"

        @Option(
            name: .customLong("suite"),
            help: "A suite by name; may be repeated. Default: every suite of the line.")
        var suites: [String] = []

        @Flag(help: "Go on where a suite cannot tell a good model from a bad one.")
        var force = false

        func run() async throws {
            let display = options.progress()
            let workflow = try options.workflow(display)
            let digest = try workflow.registry.resolve(checkpoint)
            let (name, force) = (engine.name, force)
            let chosen = suites.isEmpty ? nil : suites
            let report = try await Interruption.cancelling {
                try await workflow.gateRun(digest, suites: chosen, engine: name, force: force)
            }
            display.finish()
            try options.output.render(report) { report in
                VerdictText.verdict(report.verdict)
                    + (report.isPromotable
                        ? "\n\npawl promote \(digest.short) makes it main"
                        : "\n\nmain stays where it is: this run certifies, it promotes nothing")
                    + (report.cure.map { "\n\n" + Self.text($0) } ?? "")
            }
            if let status = VerdictText.exitStatus(report.verdict.decision) { throw status }
        }

        /// The rollback as a command to copy, with what it costs.
        private static func text(_ cure: Cure) -> String {
            let suites = cure.suites.joined(separator: " and ")
            var lines = ["\(cure.checkpoint.short) was main before and holds \(suites); to go back to it:"]
            lines.append(
                "  pawl rollback --to \(cure.checkpoint.short) --reason \"main does not hold \(suites)\"")
            if !cure.givesUp.isEmpty {
                lines.append("this gives up: \(cure.givesUp.joined(separator: ", "))")
            }
            if cure.unmeasured > 0 {
                lines.append(
                    "\(Format.count(cure.unmeasured, "later checkpoint")) without a stored result; to measure:"
                )
                lines += cure.suites.map { "  pawl bisect --suite \($0)" }
            }
            return lines.joined(separator: "\n")
        }
    }
}
