internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlRegistry
internal import PawlStore

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Re-read and re-hash everything; say what is wrong with which checkpoint.",
        discussion: """
            Checks the database, the chain of the journal, that a replay of the journal gives the same rows, and every \
            stored byte. --rebuild makes the database again from the journal; the old file is kept beside it.

              pawl verify
              pawl verify --rebuild
              pawl verify --rebuild --into copy.db

            Exit status: 0 sound, 12 something is damaged, 10 no registry, 11 another process is writing.
            """)

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Make the database again from the journal.")
    var rebuild = false

    @Option(help: "With --rebuild: write the database to this new file and touch nothing else.")
    var into: String?

    @Flag(help: "Check hashes of stored bytes only; do not decode the tensors.")
    var shallow = false

    func validate() throws {
        if into != nil && !rebuild { throw ValidationError("--into goes with --rebuild") }
    }

    func run() async throws {
        if rebuild {
            let root = Registry.locate(explicit: options.registry)
            let report =
                try into.map { try Registry.rebuild(at: root, into: URL(filePath: $0)) }
                ?? Registry.rebuild(at: root)
            return try options.output.render(report) { report in
                "made the database again from \(report.entries) journal entries"
            }
        }
        let display = options.progress()
        let registry = try options.openRegistry()
        let isDeep = !shallow
        let report = try await Parallel.blocking {
            try registry.verify(deep: isDeep, progress: display.handler)
        }
        display.finish()
        try options.output.render(report) { text($0, Self.treeNames(registry)) }
        if !report.isSound { throw ExitCode(PawlError.Code.corrupt.exitStatus) }
    }

    /// What the trees of the store are; as much as the database, which may be damaged, still tells.
    private static func treeNames(_ registry: Registry) -> [Digest: String] {
        var names: [Digest: String] = [:]
        for suite in (try? registry.suites()) ?? [] { names[suite.tree] = "suite \(suite.name)" }
        for skill in (try? registry.skills()) ?? [] { names[skill.digest] = "skill \(skill.name)" }
        for checkpoint in (try? registry.checkpoints()) ?? [] {
            names[checkpoint.digest] = "checkpoint \(checkpoint.digest.short)"
        }
        return names
    }

    private func text(_ report: VerifyReport, _ treeNames: [Digest: String]) -> String {
        var lines: [String] = []
        for problem in report.problems {
            lines.append("\(problem.kind.rawValue): \(problem.subject): \(problem.message)")
        }
        for fork in report.forks {
            let counted = fork.counted.map { "\($0.short) counts" } ?? "the journal is shorter"
            lines.append(
                "fork in the journal at entry \(fork.sequence): \(counted), \(fork.other.short) does not")
        }
        for damage in report.damage {
            lines.append("damaged: \(damage.object): \(damage.reason)")
            if !damage.trees.isEmpty {
                let trees = damage.trees.map { treeNames[$0] ?? "tree \($0.short)" }
                lines.append("  needed by: \(trees.sorted().joined(separator: ", "))")
            }
            if !damage.names.isEmpty {
                let more = damage.names.count > 5 ? ", ... \(damage.names.count - 5) more" : ""
                lines.append("  holds: \(damage.names.prefix(5).joined(separator: ", "))\(more)")
            }
        }
        let sound = Terminal.output.styled("sound", .green)
        let count = report.problems.count + report.damage.count + report.forks.count
        lines.append(
            report.isSound
                ? "\(sound): \(report.entries) journal entries, every stored byte is what it was"
                : "\(count) finding\(count == 1 ? "" : "s")")
        return lines.joined(separator: "\n")
    }
}
