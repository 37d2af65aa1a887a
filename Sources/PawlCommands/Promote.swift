internal import ArgumentParser
internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow

struct Promote: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make an accepted candidate main, or overrule the gate with a reason.",
        discussion: """
            `register` promotes by itself. This is for a candidate that was accepted without being promoted (an \
            import), and for a waiver: main moves although the gate did not accept, the journal keeps who did it and \
            why, and the suites that did not hold are shown as not held.

              pawl promote 3f2a91c0de55
              pawl promote 3f2a91c0de55 --waive "needed for the demo, retraining on Monday"

            Exit status: 0 done, 1 no such checkpoint, 6 main was moved or the verdict does not allow it, 64 usage.
            """)

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The candidate: a digest or a prefix of one.")
    var checkpoint: String

    @Option(help: "Promote without an ACCEPT, for this REASON.")
    var waive: String?

    func run() async throws {
        let workflow = try options.workflow(options.progress())
        let candidate = try workflow.registry.resolve(checkpoint)
        let main = try workflow.registry.main()
        let entry = try workflow.promote(checkpoint, waiver: waive)
        try options.output.render(entry) { _ in "main is now \(candidate.short) (was \(main.short))" }
    }
}
