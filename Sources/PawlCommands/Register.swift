internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlRegistry
internal import PawlWorkflow

/// Options of commands that run an engine.
struct EngineOptions: ParsableArguments {
    @Option(help: "The engine that trains and evaluates. Default: $PAWL_ENGINE, else native.")
    var engine: String?

    /// The engine's name.
    var name: String {
        let usual = ProcessInfo.processInfo.environment["PAWL_ENGINE"] ?? ""
        return engine ?? (usual.isEmpty ? NativeEngine.name : usual)
    }
}

struct Register: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Teach main a skill; the gate promotes or rejects the result.",
        discussion: """
            SKILL is a skill folder or the name of one that ships (pawl skill ls). The phases: validate, probe, \
            baseline, train, store, evaluate, verdict, (rescue,) promote. Killed or interrupted in any of them, --resume goes on.

              pawl register tool-use
              pawl register ./my-skill --set learning_rate=1e-5 --set steps=40
              pawl register tool-use --method sft --force
              pawl register tool-use --rescue --attempts 3
              pawl register tool-use --dry-run
              pawl register --resume

            When the gate rejects what was trained because of what it lost, --rescue tries weights between main's and \
            the candidate's and keeps the furthest that the gate accepts; --attempts N trains again, each time at half \
            the learning rate. Every try is a verdict of its own and pays for it: the next is judged more strictly.

            What does not fit in this machine's memory is refused before anything is trained. --resume goes on as the \
            registration was begun; other settings beside it are refused.

            Exit status: 0 ACCEPT and promoted, 3 REJECT, 4 INCONCLUSIVE, 1 failed, 5 the evidence cannot be trusted \
            (a canary, an engine that is not the one its manifest names), 6 main was moved meanwhile, 10 no registry, \
            11 another registration is running, 12 stored bytes are damaged, 64 usage, 130 interrupted.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var engine: EngineOptions
    @OptionGroup var encoding: EncodingOptions

    @Argument(help: "A skill folder, or the name of a skill.")
    var skill: String?

    @Option(help: "How to train: sdft (self-distillation) or sft (supervised fine-tuning, the baseline).")
    var method: String?

    @Option(help: "A JSON file with recipe keys that replace the skill's.")
    var recipe: String?

    @Option(name: .customLong("set"), help: "One recipe key, as KEY=VALUE; may be repeated.")
    var settings: [String] = []

    @Flag(help: "Go on with an unfinished registration; with SKILL, start it when there is none.")
    var resume = false

    @Flag(help: "Give up an unfinished registration.")
    var abandon = false

    @Flag(
        help:
            "Check skill, recipe and memory, show the suites, and estimate the time; train nothing.")
    var dryRun = false

    @Option(help: "Most trainings: after a REJECT, again at half the learning rate.")
    var attempts = 1

    @Flag(help: "After a REJECT, look for an accepted point between main's weights and the candidate's.")
    var rescue = false

    @Flag(help: "Go on where the probe, an automatic margin or a canary says stop.")
    var force = false

    func validate() throws {
        if !(1...10).contains(attempts) { throw ValidationError("--attempts \(attempts): give 1 to 10") }
        if skill == nil && !resume && !abandon { throw ValidationError("name a SKILL, or use --resume") }
    }

    func run() async throws {
        let display = options.progress()
        let workflow = try options.workflow(display)
        if abandon { return try giveUp(workflow) }
        if dryRun { return try await preview(workflow, display) }
        let choices = RegisterOptions(
            engine: engine.name, recipe: try overrides(), force: force, attempts: attempts, rescue: rescue,
            level: encoding.level)
        let report = try await Interruption.cancelling { [skill, resume, engine] in
            if resume {
                let name = try skill.map { try Self.name(of: $0, workflow) }
                let asked = (recipe: choices.recipe, engine: engine.engine)
                if let report = try await workflow.resume(name, recipe: asked.recipe, engine: asked.engine) {
                    return report
                }
            }
            guard let skill else {
                throw PawlError(
                    .notFound, "there is no unfinished registration", hint: "pawl register SKILL starts one")
            }
            let folder = try SkillFolder(loading: try workflow.folder(.skill, skill))
            return try await workflow.register(folder, options: choices)
        }
        display.finish()
        try options.output.render(report) { VerdictText.registration($0) }
        if let status = VerdictText.exitStatus(report.verdict.decision) { throw status }
    }

    private static func name(of skill: String, _ workflow: Workflow) throws -> String {
        try SkillFolder(loading: try workflow.folder(.skill, skill)).manifest.name
    }

    private func giveUp(_ workflow: Workflow) throws {
        let unfinished = try workflow.registry.unfinishedRegistrations()
        guard let registration = unfinished.first(where: { skill == nil || $0.skill == skill }) else {
            throw PawlError(.notFound, "there is no unfinished registration")
        }
        try workflow.abandon(registration.id, reason: "given up on request")
        Terminal.output.write("gave up registration \(registration.id) of \(registration.skill)")
    }

    private func preview(_ workflow: Workflow, _ display: ProgressDisplay) async throws {
        guard let skill else { throw PawlError(.usage, "--dry-run needs a SKILL") }
        let folder = try SkillFolder(loading: try workflow.folder(.skill, skill))
        let choices = RegisterOptions(engine: engine.name, recipe: try overrides())
        let preview = try await Interruption.cancelling {
            try await workflow.preview(folder, options: choices)
        }
        display.finish()
        try options.output.render(preview) { preview in
            """
            \(preview.skill) \(preview.version) on \(preview.parent.short) by engine \(preview.engine)
            \(preview.demonstrations) demonstrations, \(preview.items) suite items
            judged by \(preview.suites.joined(separator: ", "))
            recipe \(String(decoding: try JSON.canonical(preview.recipe), as: UTF8.self))

            \(PlanText.describe(preview.plan))

            \(Self.text(preview.estimate))
            """
        }
    }

    private static func text(_ estimate: WorkEstimate?) -> String {
        guard let estimate else { return "time and memory: this engine cannot tell" }
        var table = Table(["phase", "about", "TFLOP"], right: [1, 2])
        let all = WorkEstimate.Phase(
            phase: "together", seconds: estimate.phases.reduce(0) { $0 + $1.seconds },
            gflop: estimate.phases.reduce(0) { $0 + $1.gflop })
        for phase in estimate.phases + [all] {
            table.add([
                phase.phase, Format.duration(phase.seconds), String(format: "%.1f", phase.gflop / 1000),
            ])
        }
        let memory = [estimate.memoryBytes, estimate.machineMemoryBytes].map { Format.bytes(Int64($0)) }
        return """

            \(table.text)

            measured here: \(String(format: "%.0f", estimate.gflopPerSecond)) GFLOP/s; memory about \(memory[0]) of \(memory[1])
            """
    }

    /// Recipe keys from --recipe, --set and --method, the later ones winning.
    private func overrides() throws -> [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        if let recipe {
            let value = try JSON.parse(Files.read(URL(filePath: recipe)), source: recipe)
            guard let object = value.object else {
                throw PawlError(.invalidArgument, "\(recipe): a recipe is an object")
            }
            members = object
        }
        for setting in settings {
            guard let equals = setting.firstIndex(of: "=") else {
                throw PawlError(
                    .usage, "--set \(setting): write KEY=VALUE", hint: "for example --set steps=40")
            }
            let text = String(setting[setting.index(after: equals)...])
            let value = (try? JSON.parse(Array(text.utf8), source: setting)) ?? .string(text)
            members[String(setting[..<equals])] = value
        }
        if let method { members["method"] = .string(method) }
        return members
    }
}

extension GlobalOptions {
    /// The use cases on the registry that the options name.
    func workflow(_ display: ProgressDisplay) throws -> Workflow {
        Workflow(registry: try openRegistry(), progress: display.handler, notice: { display.note($0) })
    }
}
