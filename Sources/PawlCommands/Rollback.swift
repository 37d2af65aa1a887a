internal import ArgumentParser
internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow

struct Rollback: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Move main back to a checkpoint that was main before.",
        discussion: """
            Nothing is deleted; the journal keeps the reason. Without a target it goes back by one. --skill S goes to \
            the last main before S was acquired, lists the later skills that this gives up, and asks.

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
        let registry = try options.openRegistry()
        let main = try registry.main()
        let target = try target(registry, main: main)
        let lost = try registry.givenUp(from: main, to: target)
        try confirm(
            target, lost: lost, isBehind: try registry.line(of: main).contains { $0.digest == target })
        let entry = try registry.rollback(to: target, reason: reason, expecting: main)
        try options.output.render(entry) { _ in
            let given = lost.isEmpty ? "" : "; given up: \(lost.map(\.skill).joined(separator: ", "))"
            return "main is now \(target.short) (was \(main.short))\(given)"
        }
    }

    /// Asks before a rollback that gives up skills, or that goes to a checkpoint beside main's line.
    private func confirm(_ target: Digest, lost: [Acquisition], isBehind: Bool) throws {
        let names = lost.map(\.skill).joined(separator: ", ")
        let consequence =
            !isBehind
            ? "\(target.short) was main once but is not on the line of main: a rollback or a waiver left it behind"
            : lost.isEmpty ? nil : "this gives up \(names)"
        guard let consequence, !yes, !Terminal.confirm("Go back to \(target.short)? (\(consequence))") else {
            return
        }
        throw PawlError(
            .usage, "not rolled back: \(consequence), and nobody confirmed",
            hint: "--yes answers the question")
    }

    private func target(_ registry: Registry, main: Digest) throws -> Digest {
        if let to { return try registry.resolve(to) }
        if let skill { return try registry.beforeAcquiring(skill: skill) }
        // Along the line, not in time: after a rollback, the next one must not go forward again.
        for ancestor in try registry.line(of: main).dropFirst() where try registry.wasMain(ancestor.digest) {
            return ancestor.digest
        }
        throw PawlError(.usage, "main is the base: there is nothing to go back to")
    }
}
