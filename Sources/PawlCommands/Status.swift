internal import ArgumentParser
internal import PawlCore
internal import PawlRegistry
internal import PawlStore
internal import PawlWorkflow

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Where the registry stands: main, what it holds, what is running or unfinished.",
        discussion: """
              pawl status
              pawl status --json
              pawl status --storage

            --storage shows what each checkpoint adds on disk, and what copies or adapters in its place would take.

            Exit status: 0 done, 10 no registry.
            """)

    @OptionGroup var options: GlobalOptions

    @Flag(help: "What the registry takes on disk, by checkpoint and encoding.")
    var storage = false

    func run() async throws {
        if storage { return try showStorage() }
        let registry = try options.openRegistry()
        try options.output.render(try registry.status()) { status in
            let checkpoints = status.checkpoints.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
            let skills = status.skills.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
            var lines = [
                "registry     \(status.root)", "main         \(status.main?.short ?? "none")",
                "line         \(Format.count(status.lineLength, "checkpoint"))",
                "checkpoints  \(checkpoints.joined(separator: ", "))",
                "skills       \(skills.isEmpty ? "none" : skills.joined(separator: ", "))",
                "guarded by   \(Format.count(status.generalSuites, "general suite"))",
                "journal      \(status.entries) entries",
            ]
            if let lease = status.lease {
                lines.append(
                    "running      \(lease.operation) by \(lease.owner) since \(Format.time(lease.acquired))")
            }
            for registration in status.unfinished {
                lines.append(
                    "unfinished   \(registration.skill): phase \(registration.phase), since "
                        + "\(Format.time(registration.created)) (pawl register --resume)")
            }
            return lines.joined(separator: "\n")
        }
    }

    private func showStorage() throws {
        let workflow = try options.workflow(options.progress())
        try options.output.render(try workflow.storage()) { report in
            var table = Table(
                ["checkpoint", "status", "skill", "files", "adds", "", "payload", "level"], right: [3, 4, 5])
            for entry in report.entries {
                let use = entry.use
                table.add([
                    entry.checkpoint.short, entry.status.rawValue, entry.skill ?? "",
                    Self.bytes(use.logicalBytes),
                    Self.bytes(use.addedBytes), Self.share(use.addedBytes, of: use.logicalBytes),
                    Self.encodings(use.payloadBytes), Self.levels(use.levelBytes),
                ])
            }
            return [
                table.text, "",
                "stored    \(Self.bytes(report.storedBytes)), of it \(Self.bytes(report.otherBytes)) of suites, evidence and "
                    + "other documents",
                "cache     \(Self.bytes(report.cacheBytes)) of files laid out, may be removed",
                "instead   \(Self.bytes(report.copiesBytes)) for the base and a copy a skill; "
                    + "\(Self.bytes(report.adaptersBytes)) for the base and a rank-16 adapter a skill",
            ].joined(separator: "\n")
        }
    }

    private static func bytes(_ count: Int) -> String { Format.bytes(Int64(count)) }

    private static func share(_ part: Int, of whole: Int) -> String {
        whole > 0 ? percent(Double(part) / Double(whole)) : ""
    }

    /// The levels that payload was written at, the one with most of it first.
    private static func levels(_ bytes: [String: Int]) -> String {
        bytes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key).joined(separator: ", ")
    }

    /// "full 98.2%, raw 1.8%": what the payload consists of, the largest first.
    private static func encodings(_ payload: [String: Int]) -> String {
        let all = payload.values.reduce(0, +)
        return payload.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\($0.key) \(share($0.value, of: all))" }.joined(separator: ", ")
    }
}
