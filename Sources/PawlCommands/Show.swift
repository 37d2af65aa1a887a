internal import ArgumentParser
internal import PawlCore
internal import PawlGate
internal import PawlRegistry
internal import PawlStore
internal import PawlWorkflow

struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Everything about a checkpoint: parent, recipe, provenance, verdicts, size.",
        discussion: """
              pawl show main
              pawl show 3f2a91c0de55 --json

            Exit status: 0 done, 1 no such checkpoint, 10 no registry.
            """)

    @OptionGroup var options: GlobalOptions

    @Argument(help: "A reference (main, main~2) or a digest prefix.")
    var checkpoint = "main"

    func run() async throws {
        let display = options.progress()
        let workflow = try options.workflow(display)
        let payload = try workflow.checkpointReport(of: workflow.registry.resolve(checkpoint))
        try options.output.render(payload) { text($0) }
    }

    private func text(_ payload: CheckpointReport) -> String {
        let record = payload.checkpoint
        var lines = [
            "checkpoint  \(record.digest.hex)", "status      \(record.status.rawValue)",
            "parent      \(record.parent?.short ?? "none: this is the base")",
            "created     \(Format.time(record.created))",
        ]
        if let acquisition = record.acquisition {
            lines.append("acquired    \(acquisition.skill) \(acquisition.version)")
        }
        if let engine = record.engine { lines.append("engine      \(engine.name) \(engine.version)") }
        if let recipe = record.recipe, let bytes = try? JSON.canonical(recipe) {
            lines.append("recipe      \(String(decoding: bytes, as: UTF8.self))")
        }
        if let stored = payload.stored {
            lines.append(
                "size        \(Format.bytes(Int64(stored.logicalBytes))), stored in "
                    + "\(Format.bytes(Int64(stored.storedBytes)))")
        } else {
            lines.append("size        the weights were collected (pawl gc)")
        }
        for skill in payload.skills {
            lines.append("suite       \(skill.suiteName): \(StateText.word(skill.state))")
        }
        for verdict in payload.verdicts { lines += ["", VerdictText.verdict(verdict)] }
        return lines.joined(separator: "\n")
    }
}
