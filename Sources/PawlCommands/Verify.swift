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
            stored byte. --rebuild makes the database again from the journal; the old file is kept beside it. --repair \
            brings back what is damaged or missing from another registry, whose bytes are checked like our own.

              pawl verify
              pawl verify --rebuild
              pawl verify --rebuild --into copy.db
              pawl verify --repair --from /mnt/backup/.pawl

            Exit status: 0 sound (with --repair: afterwards), 12 something is damaged, 10 no registry, 11 another process \
            is writing.
            """)

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Make the database again from the journal.")
    var rebuild = false

    @Option(help: "With --rebuild: write the database to this new file and touch nothing else.")
    var into: String?

    @Flag(help: "Mend what is damaged or missing; needs --from.")
    var repair = false

    @Option(help: "With --repair: the directory of another registry, which is only read.")
    var from: String?

    @Flag(help: "Check hashes of stored bytes only; do not decode the tensors.")
    var shallow = false

    func validate() throws {
        if into != nil && !rebuild { throw ValidationError("--into goes with --rebuild") }
        if repair != (from != nil) { throw ValidationError("--repair and --from go together") }
        if repair && rebuild { throw ValidationError("--repair and --rebuild are two steps: repair first") }
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
        let (isDeep, source) = (!shallow, from.map { URL(filePath: $0) })
        let report = try await Parallel.blocking {
            if let source {
                try registry.repair(from: source, deep: isDeep, progress: display.handler)
            } else {
                try registry.verify(deep: isDeep, progress: display.handler)
            }
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

    private static func line(_ means: Mended.Means) -> String {
        switch means {
        case .copied: "copied from the other registry"
        case .encoded: "its tensor was taken from the other registry and written anew"
        case .indexed: "made again from the objects"
        }
    }

    private func text(_ report: VerifyReport, _ treeNames: [Digest: String]) -> String {
        var lines = (report.repair?.mended ?? []).map { "mended: \($0.object): \(Self.line($0.means))" }
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
            if let first = damage.blocks.first {
                let numbers = damage.blocks.prefix(5).map { "\($0.block)" }.joined(separator: ", ")
                let more = damage.blocks.count > 5 ? ", ... \(damage.blocks.count - 5) more" : ""
                lines.append("  blocks: \(numbers)\(more) of 0...\(first.count - 1)")
            }
        }
        if let repair = report.repair, !report.damage.isEmpty {
            lines.append("what is still damaged is not in \(repair.source), or not whole there")
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
