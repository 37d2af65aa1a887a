internal import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlRegistry
internal import PawlWorkflow

extension APIAnswers {
    private static let checkpoint = APIParameter.path(
        "checkpoint", .checkpoint, "A reference (main, main~2) or the first digits of a digest.")

    /// What the commands that read print with `--json`, under the names of what it is about.
    var readRoutes: [APIRoute] {
        [
            read(["status"], "status", "Where the registry stands (pawl status).") { _ in
                try Self.json(registry.status())
            },
            read(
                ["checkpoints", "{checkpoint}"], "show", "Everything about a checkpoint (pawl show).",
                [Self.checkpoint]
            ) { request in
                let digest = try resolve(request.required("checkpoint"))
                return try Self.json(workflow.checkpointReport(of: digest))
            },
            read(
                ["checkpoints", "{checkpoint}", "skills"], "skills", "What a checkpoint holds (pawl skills).",
                [Self.checkpoint]
            ) { request in
                let digest = try resolve(request.required("checkpoint"))
                return try Self.json(workflow.skillsReport(of: digest))
            },
            read(["matrix"], "matrix", "Every checkpoint's score on every suite (pawl matrix).") { _ in
                try Self.json(registry.matrix(includingCandidates: true))
            },
            read(["transfer"], "transfer", "What main's line learned and kept (pawl matrix --transfer).") {
                _ in
                try Self.json(workflow.transfer())
            },
            read(["storage"], "storage", "What the registry takes on disk (pawl status --storage).") { _ in
                try Self.json(workflow.storage())
            },
        ] + comparisons
    }

    private var comparisons: [APIRoute] {
        [
            read(
                ["diff"], "diff", "Two checkpoints side by side (pawl diff).",
                [
                    APIParameter(
                        name: "from", kind: .checkpoint, description: "The first checkpoint.",
                        isRequired: true),
                    APIParameter(
                        name: "to", kind: .checkpoint, description: "The second; main unless given."),
                ]
            ) { request in
                let from = try resolve(request.required("from"))
                let to = try resolve(request["to"] ?? Reference.main)
                return try Self.json(workflow.difference(from: from, to: to))
            },
            read(
                ["gate", "plan"], "plan", "What the gate could decide about a candidate (pawl gate plan).",
                [
                    APIParameter(
                        name: "skill", kind: .name, description: "The skill that would be acquired."),
                    APIParameter(
                        name: "on", kind: .checkpoint,
                        description: "What would be trained from; main unless given."),
                ]
            ) { request in
                let skill = try request["skill"].map { try skillFolder($0) }
                return try Self.json(
                    workflow.plan(on: resolve(request["on"] ?? Reference.main), for: skill))
            },
            read(
                ["verdicts", "{verdict}"], "explain",
                "What a verdict rests on, item by item (pawl gate explain).",
                [
                    .path(
                        "verdict", .checkpoint,
                        "A verdict's digest, or a checkpoint, whose newest one is meant."),
                    APIParameter(
                        name: "suites", kind: .names, description: "Suites to explain; all unless given."),
                ]
            ) { request in
                let name = try request.required("verdict")
                let verdict = try Self.notFound { try registry.resolveVerdict(name) }
                let names = request["suites"]?.split(separator: ",").map(String.init)
                return try Self.json(workflow.explain(verdict, suites: names))
            },
        ]
    }

    /// A skill by its name. A path is no name, so none reaches the file system.
    func skillFolder(_ name: String) throws -> SkillFolder {
        try Name.check(name, "skill")
        return try SkillFolder(loading: workflow.folders.require(.skill, name).folder)
    }
}
