internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlRegistry
internal import PawlStore
internal import PawlWorkflow

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a checkpoint as a directory, byte for byte what was stored.",
        discussion: """
              pawl export main out/model

            The directory must not exist. --json prints what was written where.

            Exit status: 0 done, 1 failed, 10 no registry, 12 stored bytes are damaged.
            """)

    @OptionGroup var options: GlobalOptions

    @Argument(help: "A reference (main, main~2) or a digest prefix.")
    var checkpoint: String

    @Argument(help: "The directory to make.")
    var directory: String

    func run() async throws {
        let display = options.progress()
        let registry = try options.openRegistry()
        let digest = try registry.resolve(checkpoint)
        let target = URL(filePath: directory)
        try await Parallel.blocking {
            _ = try registry.keptCheckpoint(digest)
            try registry.store.exportTree(digest, to: target, progress: display.handler)
        }
        display.finish()
        if options.json {
            try options.output.render(Written(checkpoint: digest, directory: target.path)) { _ in "" }
        } else if !options.quiet {
            Terminal.error.write("\(digest.short) -> \(target.path)")
        }
    }

    /// What --json prints (schemas/export.json).
    private struct Written: Encodable {
        let checkpoint: Digest
        /// The directory's absolute path.
        let directory: String
    }
}
