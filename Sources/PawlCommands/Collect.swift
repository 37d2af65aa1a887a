internal import ArgumentParser
internal import PawlCore
internal import PawlRegistry
internal import PawlStore

struct Collect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Show, or free, the space of rejected candidates and left-overs.",
        discussion: """
            A dry run unless --delete is given. It never touches what a reference, the journal within the grace period \
            or a running training needs, nor the evidence of a verdict.

              pawl gc
              pawl gc --delete --grace 30

            Exit status: 0 done, 10 no registry, 11 a registration is running.
            """)

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Really delete.")
    var delete = false

    @Option(help: "Days that a candidate stays after its verdict.")
    var grace = 14.0

    func run() async throws {
        let registry = try options.openRegistry()
        let (seconds, isDryRun) = (grace * 86400, !delete)
        let report = try await Parallel.blocking {
            try registry.collect(graceSeconds: seconds, dryRun: isDryRun)
        }
        try options.output.render(report) { report in
            let verb = isDryRun ? "would free" : "freed"
            let names = report.checkpoints.map(\.short).joined(separator: ", ")
            return "\(verb) \(Format.bytes(Int64(report.store.bytes + report.store.temporaryBytes))) in "
                + "\(report.store.objects.count) objects"
                + (names.isEmpty ? "" : "; weights of \(names)") + (isDryRun ? " (--delete does it)" : "")
        }
    }
}
