internal import ArgumentParser
internal import PawlCore
internal import PawlRegistry

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Where the registry stands: main, what it holds, what is running or unfinished.",
        discussion: """
              pawl status
              pawl status --json

            Exit status: 0 done, 10 no registry.
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
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
}
