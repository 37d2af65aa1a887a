internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlEngines
internal import PawlRegistry
internal import PawlWorkflow

struct EngineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "engine", abstract: "Engines: the programs that train and evaluate.",
        subcommands: [List.self, Describe.self, Test.self])

    /// Engines on the search path; no registry is needed.
    static func directory(_ options: GlobalOptions) -> EngineDirectory {
        EngineDirectory(
            searchPath: Workflow.searchPath(registry: Registry.locate(explicit: options.registry)))
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "The engine in this program, and those on the search path.",
            discussion: """
                  pawl engine ls

                Exit status: 0.
                """)

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let native = NativeEngine.description
            try FolderList.render(
                .engine, options,
                builtIn: [
                    .init(
                        name: native.name, version: native.version, description: native.summary, folder: nil,
                        shadowed: [], error: nil)
                ])
        }
    }

    struct Describe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Start an engine and print what it says it can do.",
            discussion: """
                  pawl engine describe native
                  pawl engine describe trl

                Exit status: 0 done, 1 it does not start, 5 its program is not the one that engine.json names.
                """)

        @OptionGroup var options: GlobalOptions

        @Argument(help: "Name of the engine.")
        var name: String

        func run() async throws {
            let engine = try EngineCommand.directory(options).engine(name)
            let description = try await Interruption.cancelling { try await engine.describe() }
            try options.output.render(description) { description in
                """
                \(description.name) \(description.version)  (protocol \(description.protocol))
                \(description.summary)
                trains by  \(description.capabilities.train.joined(separator: ", "))
                updates    \((description.capabilities.updates ?? [EngineCapabilities.full]).joined(separator: ", "))
                evaluates  \(description.capabilities.evaluate ? "yes" : "no")
                tasks      \(description.capabilities.tasks == true ? "yes" : "no")
                resumes    \(description.capabilities.resume ? "yes" : "no")
                \(Self.identity(description))
                """
            }
        }

        /// What decides its results beside its version: a plug-in's program, or the arithmetic in this process.
        private static func identity(_ description: EngineDescription) -> String {
            if let arithmetic = description.arithmetic {
                let parts = ["revision \(arithmetic.revision)", arithmetic.instructions, arithmetic.products]
                return "arithmetic " + parts.joined(separator: ", ")
            }
            return "program    \(description.program?.short ?? "-")"
        }
    }

    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run the conformance suite of the engine protocol against an engine.",
            discussion: """
                Trains and evaluates a tiny model and checks every rule of the protocol: framing, digests, heartbeat, \
                cancel, repeatability, shutdown.

                  pawl engine test trl

                Exit status: 0 every check passed, 1 one failed.
                """)

        @OptionGroup var options: GlobalOptions

        @Argument(help: "Name of the engine.")
        var name: String

        @Option(help: "A tiny model directory to test with. Default: the one that ships.")
        var model: String?

        func run() async throws {
            let display = options.progress()
            let directory = EngineCommand.directory(options)
            let probe =
                try model.map { EngineProbe(model: URL(filePath: $0)) } ?? .shipped(in: directory.folders)
            let engine = try directory.plugin(name)
            try engine.manifest.checkProgram(in: engine.folder)  // once, not as the reason of every check
            let conformance = Conformance(engine: engine, probe: probe)
            let handler = display.handler
            let report = try await Interruption.cancelling {
                try await conformance.run { handler(Progress($0.name, 1, of: 1, unit: "checks")) }
            }
            display.finish()
            try options.output.render(report) { report in
                var table = Table(["check", "", "seconds", "why"], right: [2])
                for check in report.checks {
                    let style: Terminal.Style =
                        check.outcome == .passed ? .green : check.outcome == .failed ? .red : .dim
                    table.add([
                        check.name, Terminal.output.styled(check.outcome.rawValue, style),
                        String(format: "%.1f", check.seconds), check.reason ?? "",
                    ])
                }
                return table.text
            }
            if !report.passed { throw ExitCode(1) }
        }
    }
}
