internal import ArgumentParser
internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow

extension GateCommand {
    struct Replay: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compute verdicts again from the stored answers, and compare byte for byte.",
            discussion: """
                No model runs: every stored answer is graded once more, every bound computed once more, and the verdict must \
                come out exactly as it was recorded.

                  pawl gate replay            every verdict of the registry
                  pawl gate replay 3f2a91c0   a verdict, or the newest one of a checkpoint

                Exit status: 0 the same, 5 something differs or the evidence is damaged.
                """)

        @OptionGroup var options: GlobalOptions

        @Argument(help: "A verdict's digest or its first digits, or a checkpoint. Default: all verdicts.")
        var verdicts: [String] = []

        func run() throws {
            let display = options.progress()
            let workflow = try options.workflow(display)
            let chosen = try verdicts.map { try workflow.registry.resolveVerdict($0) }
            let report = try workflow.replay(chosen.isEmpty ? nil : chosen)
            display.finish()
            try options.output.render(report) { report in
                guard !report.verdicts.isEmpty else { return "no verdict yet" }
                var table = Table(["verdict", "candidate", "decision", "suites", "replay"], right: [3])
                for entry in report.verdicts {
                    table.add([
                        entry.verdict.short, entry.candidate.short, VerdictText.word(entry.decision),
                        "\(entry.suites.count)",
                        entry.isIdentical
                            ? Terminal.output.styled("identical", .green)
                            : Terminal.output.styled("differs: ", .red) + (entry.problem ?? ""),
                    ])
                }
                return table.text
            }
            if !report.isIdentical { throw ExitCode(PawlError.Code.evidenceInvalid.exitStatus) }
        }
    }
}
