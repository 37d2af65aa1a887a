internal import ArgumentParser
internal import PawlCore
internal import PawlGate
internal import PawlRegistry
internal import PawlWorkflow

extension GateCommand {
    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Show which answers a verdict rests on: the items that changed, both answers side by side.",
            discussion: """
                  pawl gate explain main
                  pawl gate explain 3f2a91c0 --suite chat-facts --limit 50
                  pawl gate explain main --json    every flipped item

                Exit status: 0 shown, 1 never judged or no such verdict, 12 the evidence is damaged.
                """)

        @OptionGroup var options: GlobalOptions

        @Argument(help: "A checkpoint (its newest verdict), or a verdict's digest or first digits.")
        var verdict = "main"

        @Option(name: .customLong("suite"), help: "A suite by name; may be repeated. Default: all.")
        var suites: [String] = []

        @Option(help: "Items to show of each suite, losses first (--json has all).")
        var limit = 10

        func validate() throws {
            if limit < 0 { throw ValidationError("--limit \(limit): give 0 or more") }
        }

        func run() throws {
            let workflow = try options.workflow(options.progress())
            let digest = try workflow.registry.resolveVerdict(verdict)
            let report = try workflow.explain(digest, suites: suites.isEmpty ? nil : suites)
            try options.output.render(report) { report in
                let head =
                    "\(VerdictText.word(report.decision))  verdict \(report.verdict.short) on \(report.candidate.short)"
                return ([head] + report.suites.map(text)).joined(separator: "\n\n")
            }
        }

        private func text(_ part: ExplainReport.Part) -> String {
            var lines = [part.sentence]
            lines += Self.clusters(part.comparison)
            let ordered = part.flips.filter { !$0.isWon } + part.flips.filter(\.isWon)
            for flip in ordered.prefix(limit) { lines.append(Self.text(flip)) }
            if ordered.count > limit {
                lines.append(
                    Terminal.output.styled("\(ordered.count - limit) more (--limit, --json)", .dim))
            }
            return lines.joined(separator: "\n")
        }

        private static func clusters(_ comparison: SuiteComparison) -> [String] {
            guard !comparison.clusters.isEmpty else { return [] }
            var table = Table(["  cluster", "n", "score", "anchor", "lost", "won"], right: [1, 2, 3, 4, 5])
            for cluster in comparison.clusters {
                table.add([
                    "  " + (cluster.name ?? "(none)"), "\(cluster.count)", percent(cluster.candidateScore),
                    percent(cluster.anchorScore), "\(cluster.b)", "\(cluster.c)",
                ])
            }
            return [table.text]
        }

        private static func text(_ flip: Flip) -> String {
            let word =
                flip.isWon
                ? Terminal.output.styled("won ", .green) : Terminal.output.styled("lost", .red)
            return """
                  \(word) \(flip.id)  \(line(flip.question))
                       right      \(flip.targets.map(line).joined(separator: " | "))
                       anchor     \(answer(flip.anchor))
                       candidate  \(answer(flip.candidate))
                """
        }

        private static func answer(_ answer: Flip.Answer) -> String {
            switch answer.status {
            case .ok: line(answer.text ?? "")
            case .truncated: "(cut off at the token limit) " + line(answer.text ?? "")
            case .failed: "(failed: \(line(answer.error ?? "")))"
            case .missing: "(no answer)"
            }
        }

        /// One line of at most 120 characters.
        private static func line(_ text: String) -> String {
            let flat = text.escaped
            return flat.count > 120 ? flat.prefix(117) + "..." : flat
        }
    }
}
