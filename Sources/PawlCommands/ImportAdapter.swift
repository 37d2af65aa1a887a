internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlWorkflow

struct ImportAdapter: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take a LoRA adapter that was trained elsewhere as a candidate.",
        discussion: """
            The adapter (adapter_config.json and adapter_model.safetensors, as PEFT saves them) is folded into the \
            checkpoint that it was trained on: one dense model again, of which only the adapter's factors are stored. \
            `pawl gate run CHECKPOINT` judges it, `pawl promote` makes it main when it was accepted.

              pawl import-adapter runs/2026-11-20/adapter --note "run 17 of the support team"

            Exit status: 0 done, 1 failed, 10 no registry, 11 busy.
            """)

    @OptionGroup var options: GlobalOptions

    @Argument(help: "An adapter's directory.")
    var directory: String

    @Option(help: "The checkpoint that it was trained on.")
    var parent = "main"

    @Option(help: "Where it comes from; kept with the checkpoint.")
    var note: String?

    @OptionGroup var encoding: EncodingOptions

    func run() async throws {
        let (source, note, level) = (URL(filePath: directory), note, encoding.level)
        try await Import.take(options, parent) { workflow, parent in
            try workflow.importAdapter(source, parent: parent, note: note, level: level)
        }
    }
}
