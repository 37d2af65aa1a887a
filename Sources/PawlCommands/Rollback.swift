internal import ArgumentParser
internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow

struct Rollback: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Move main back to a checkpoint that was main before.",
        discussion: """
            Nothing is deleted; the journal keeps the reason. Without a target it goes back by one. --skill S goes to \
            the last main before S was acquired.

            Whenever skills are given up, it names them and asks; where nobody can answer (no terminal) and --yes is \
            not given, nothing is done and the exit status is 64.

              pawl rollback
              pawl rollback --to 3f2a91c0de55 --reason "slow on long prompts"
              pawl rollback --skill tool-use --yes

            Exit status: 0 done, 1 failed, 6 main was moved meanwhile, 64 the target has never been main, or not confirmed.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: "The checkpoint to go back to.")
    var to: String?

    @Option(help: "Go back to before this skill was acquired.")
    var skill: String?

    @Option(help: "Why; the journal keeps it.")
    var reason = "rolled back on request"

    @Flag(help: "Do not ask.")
    var yes = false

    func validate() throws {
        if to != nil && skill != nil { throw ValidationError("--to and --skill exclude each other") }
    }

    func run() async throws {
        let workflow = try options.workflow(options.progress())
        let plan = try workflow.rollbackPlan(to: to, skill: skill)
        try confirm(plan)
        let entry = try workflow.rollback(plan, reason: reason)
        try options.output.render(entry) { _ in
            let lost = plan.givenUp.map(\.skill).joined(separator: ", ")
            let given = lost.isEmpty ? "" : "; given up: \(lost)"
            return "main is now \(plan.target.short) (was \(plan.main.short))\(given)"
        }
    }

    /// Asks before a rollback that gives up skills, or that goes to a checkpoint beside main's line.
    private func confirm(_ plan: RollbackPlan) throws {
        guard let consequence = plan.consequence, !yes,
            !Terminal.confirm("Go back to \(plan.target.short)? (\(consequence))")
        else { return }
        throw PawlError(
            .usage, "not rolled back: \(consequence), and nobody confirmed",
            hint: "--yes answers the question")
    }
}
