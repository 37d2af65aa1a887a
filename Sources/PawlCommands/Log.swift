internal import ArgumentParser
internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow

struct Log: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The journal: every change, who made it, when and why.",
        discussion: """
            Entries are hash-chained and never rewritten. Newest first.

              pawl log
              pawl log --limit 5 --json

            Exit status: 0 done, 10 no registry.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: "Number of entries; 0 for all.")
    var limit = 30

    /// The kind of an entry in words; a verdict with what it says.
    private static func what(_ entry: JournalEntry, _ registry: Registry) throws -> String {
        let kind = entry.kind.rawValue.replacing("_", with: " ")
        guard let verdict = entry.verdict, [.verdict, .gateRun].contains(entry.kind) else { return kind }
        return "\(kind): \(try registry.verdict(verdict).decision.rawValue)"
    }

    func run() async throws {
        let registry = try options.openRegistry()
        let entries = try registry.recentEntries(limit == 0 ? Int.max : limit)
        try options.output.render(LogReport(entries: entries)) { payload in
            let suites = Set(payload.entries.compactMap(\.suite))
            let names = try Dictionary(uniqueKeysWithValues: suites.map { ($0, try registry.suite($0).name) })
            var table = Table(["#", "time", "what", "checkpoint", "subject", "who", "why"], right: [0])
            for entry in payload.entries {
                table.add([
                    "\(entry.sequence)", Format.time(entry.time),
                    try Self.what(entry, registry), entry.checkpoint?.short ?? "",
                    entry.skill ?? entry.suite.flatMap { names[$0] } ?? "", entry.actor, entry.reason ?? "",
                ])
            }
            return table.text
        }
    }
}
