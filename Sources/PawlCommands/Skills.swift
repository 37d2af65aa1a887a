internal import ArgumentParser
internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow

struct Skills: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Which skills a checkpoint holds, how well, certified against what, when.",
        discussion: """
            A checkpoint holds a skill when its own verdict, or a later `pawl gate run`, shows that the skill's suite \
            held against its anchor (the checkpoint that acquired it). States: held, regressed, undecided, waived, \
            unmeasured. General suites, which guard what the base could do, are listed below the skills.

              pawl skills
              pawl skills main~1 --json

            Exit status: 0 done, 1 no such checkpoint, 10 no registry.
            """)

    @OptionGroup var options: GlobalOptions

    @Argument(help: "A reference (main, main~2) or a digest prefix.")
    var checkpoint = "main"

    func run() async throws {
        let workflow = try options.workflow(options.progress())
        let report = try workflow.skillsReport(of: workflow.registry.resolve(checkpoint))
        try options.output.render(report) { payload in
            let title = "checkpoint \(payload.checkpoint.short)"
            guard !payload.skills.isEmpty || !payload.general.isEmpty else {
                return title + "\nno skills and no general suites"
            }
            return title + "\n\n" + table(payload.skills + payload.general)
        }
    }

    private func table(_ states: [SkillState]) -> String {
        var table = Table(
            [
                "skill", "suite", "state", "score", "95% interval", "change", "at least", "margin", "anchor",
                "certified",
            ],
            right: [3, 4, 5, 6, 7])
        for state in states {
            let interval = state.scoreLower.flatMap { lower in
                state.scoreUpper.map { "[\(percent(lower)), \(percent($0))]" }
            }
            table.add([
                state.skill ?? "(general)", state.suiteName, StateText.word(state.state),
                state.score.map(percent) ?? "-", interval ?? "-",
                state.difference.map(Format.points) ?? "-", state.lower.map(Format.points) ?? "-",
                state.margin.map { $0 > 0 ? Format.points(-$0) : "gain" } ?? "-", state.anchor?.short ?? "-",
                state.certified.map(Format.time) ?? "-",
            ])
        }
        return table.text
    }
}

/// States of skills as people read them.
enum StateText {
    /// The state as a word in its colour.
    static func word(_ state: HoldState) -> String {
        switch state {
        case .held: Terminal.output.styled("held", .green)
        case .regressed: Terminal.output.styled("regressed", .red)
        case .undecided, .waived: Terminal.output.styled(state.rawValue, .yellow)
        case .unmeasured: Terminal.output.styled("unmeasured", .dim)
        }
    }
}
