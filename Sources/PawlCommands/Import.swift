internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow

struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take a model that was trained elsewhere as a candidate.",
        discussion: """
            Only what differs from its parent is stored. `pawl gate run CHECKPOINT` judges it, `pawl promote` makes it \
            main when it was accepted.

              pawl import runs/2026-11-20/model --note "run 17 of the support team"

            Exit status: 0 done, 1 failed, 10 no registry, 11 busy.
            """)

    @OptionGroup var options: GlobalOptions

    @Argument(help: "A Hugging Face model directory.")
    var directory: String

    @Option(help: "The checkpoint that it was trained from.")
    var parent = "main"

    @Option(help: "Where it comes from; kept with the checkpoint.")
    var note: String?

    @OptionGroup var encoding: EncodingOptions

    func run() async throws {
        let (source, note, level) = (URL(filePath: directory), note, encoding.level)
        try await Self.take(options, parent) { workflow, parent in
            try workflow.importCheckpoint(source, parent: parent, note: note, level: level)
        }
    }

    /// Runs an import and prints what it made.
    static func take(
        _ options: GlobalOptions, _ parent: String,
        _ body: @escaping @Sendable (Workflow, Digest) throws -> ImportedCheckpoint
    ) async throws {
        let display = options.progress()
        let workflow = try options.workflow(display)
        let parent = try workflow.registry.resolve(parent)
        let report = try await Parallel.blocking { try body(workflow, parent) }
        display.finish()
        try options.output.render(report) { report in
            """
            candidate \(report.checkpoint.short), parent \(report.parent.short)
            stored    \(Format.bytes(Int64(report.storedBytes))) of \(Format.bytes(Int64(report.logicalBytes)))
            next      pawl gate run \(report.checkpoint.short)
            """
        }
    }
}
