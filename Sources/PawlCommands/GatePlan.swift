internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlRegistry
internal import PawlWorkflow

extension GateCommand {
    struct Plan: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what the gate can decide, before anything is trained.",
            discussion: """
                For each suite that would judge the next candidate: its size, how many answers are expected to change (from \
                earlier verdicts, or assumed), the smallest loss that it can rule out, and how likely a model that is no \
                worse is shown to hold. Nothing runs and nothing is recorded.

                  pawl gate plan
                  pawl gate plan tool-use
                  pawl gate plan --on main~1 --json

                Exit status: 0 a candidate can be accepted, 4 none could.
                """)

        @OptionGroup var options: GlobalOptions

        @Argument(help: "A skill folder, or the name of a skill, that would be acquired.")
        var skill: String?

        @Option(name: .customLong("on"), help: "The checkpoint that would be trained from.")
        var checkpoint = "main"

        func run() throws {
            let workflow = try options.workflow(options.progress())
            let folder = try skill.map { try SkillFolder(loading: try workflow.folder(.skill, $0)) }
            let plan = try workflow.plan(on: try workflow.registry.resolve(checkpoint), for: folder)
            try options.output.render(plan, PlanText.describe)
            if !plan.obstacles.isEmpty { throw ExitCode(4) }
        }
    }
}

/// Plans as people read them.
enum PlanText {
    static func describe(_ plan: GatePlan) -> String {
        var parts: [String] = []
        if let new = plan.new {
            let gain =
                new.smallestGain.map { "a true gain of \(percent($0)) or more is shown with power 0.8" }
                ?? "its \(new.units) items can show no gain"
            parts.append("\(new.suite) (new, \(new.count) items, attempt \(new.attempt)): \(gain)")
        }
        parts.append(plan.priors.isEmpty ? "no prior suite" : priors(plan))
        parts += plan.obstacles.map { Terminal.output.styled("cannot succeed: ", .red) + $0 }
        return parts.joined(separator: "\n\n")
    }

    private static func priors(_ plan: GatePlan) -> String {
        var table = Table(
            ["suite", "items", "flips", "attempt", "margin", "smallest", "unchanged holds", "items needed"],
            right: [1, 2, 3, 4, 5, 6, 7])
        for prior in plan.priors {
            table.add([
                prior.suite, "\(prior.count)",
                percent(prior.flipRate.rate) + (prior.flipRate.isMeasured ? "" : "?"), "\(prior.attempt)",
                points(prior.margin) + (prior.isDeclared ? "" : " auto"),
                prior.smallestMargin.map(points) ?? "none", percent(prior.unchangedHolds),
                prior.unitsNeeded.map(String.init) ?? "over 1000000",
            ])
            guard let sealed = prior.sealed else { continue }
            table.add([
                prior.suite + " (sealed)", "\(sealed.count)", "", "\(sealed.opening)", points(prior.margin),
                "",
                percent(sealed.unchangedHolds), "",
            ])
        }
        let notes = """
            flips: share of answers expected to change, with ? where no verdict has measured it; margin and smallest (the \
            smallest that can be certified) in points; items needed for that margin. Power 0.8 for all suites together.
            """
        return """
            \(table.text)

            an unchanged model passes \(plan.priors.count == 1 ? "it" : "all of them") with probability \
            \(percent(plan.unchangedPasses))
            \(Terminal.output.styled(notes, .dim))
            """
    }

    private static func points(_ fraction: Double) -> String { String(format: "%.1f", fraction * 100) }
}
