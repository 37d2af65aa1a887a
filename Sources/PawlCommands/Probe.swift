internal import ArgumentParser
internal import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlRegistry
internal import PawlWorkflow

struct Probe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Can the model be its own teacher for a skill?",
        discussion: """
            Self-distillation needs a teacher that is better than the student: the same model with a demonstration in \
            view. This asks a sample of the demonstrations without context and under each context that the skill \
            names, and prints the scores. `register` does it too, before any training.

              pawl probe tool-use

            Exit status: 0 some context beats the student, 1 none does, 10 no registry.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var engine: EngineOptions

    @Argument(help: "A skill folder, or the name of a skill.")
    var skill: String

    @Option(help: "The checkpoint to ask.")
    var checkpoint = "main"

    func run() async throws {
        let display = options.progress()
        let workflow = try options.workflow(display)
        let digest = try workflow.registry.resolve(checkpoint)
        let folder = try SkillFolder(loading: try workflow.folder(.skill, skill))
        let name = engine.name
        let report = try await Interruption.cancelling {
            try await workflow.probe(folder, on: digest, engine: name, seed: folder.manifest.recipe.seed)
        }
        display.finish()
        try options.output.render(report) { report in
            var table = Table(["who", "sees", "score"], right: [2])
            table.add(["student", "the prompt", percent(report.student)])
            for (index, teacher) in report.teachers.enumerated() {
                table.add([
                    "teacher", teacher.context.kind + (index == report.best ? " (best)" : ""),
                    percent(teacher.score),
                ])
            }
            return "\(report.skill) on \(report.checkpoint.short), \(report.count) demonstrations\n\n"
                + table.text
        }
        if report.best == nil {
            throw PawlError(
                .unsupported, "no context beats the student: there is nothing to distil",
                hint: "give the skill another teacher context, or use a larger base model")
        }
    }
}
