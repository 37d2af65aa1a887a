internal import ArgumentParser
internal import Foundation
internal import PawlCore

/// The command line of Pawl.
public enum PawlCommand {
    /// Runs the command that the process arguments name, and ends the process with its exit status.
    public static func run() async -> Never {
        // A reader that went away (`| head`) ends a write, not the process.
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        let wantsJSON = arguments.contains("--json")
        do {
            var command = try Root.parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            exit(0)
        } catch let status as ExitCode {
            exit(status.rawValue)
        } catch let error as PawlError {
            report(error, json: wantsJSON)
            exit(error.code.exitStatus)
        } catch is CancellationError {
            report(PawlError(.cancelled, "interrupted"), json: wantsJSON)
            exit(PawlError.Code.cancelled.exitStatus)
        } catch {
            Root.exit(withError: error)  // help, version and usage texts of the argument parser (64)
        }
    }

    /// An error goes to stderr, as one line with a hint, or as JSON for programs.
    private static func report(_ error: PawlError, json: Bool) {
        if json, let bytes = try? JSON.canonical(error) {
            Terminal.error.write(String(decoding: bytes, as: UTF8.self))
        } else {
            Terminal.error.write(Terminal.error.styled("error:", .red) + " " + error.description)
        }
    }
}

/// `pawl` itself: what it is and which commands it has.
struct Root: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pawl",
        abstract: "One language model that only moves forward.",
        discussion: """
            Pawl keeps one base model and the history of skills it acquired. A new skill is trained by \
            self-distillation, judged against every earlier skill, and refused when it regresses one.

              pawl init --base DIR          a Hugging Face model directory becomes the base checkpoint
              pawl register SKILL           train, evaluate, and promote or reject a skill
              pawl generate PROMPT          ask the serving model
              pawl skills                   which skills the serving model holds
              pawl rollback                 go back to the checkpoint before

            Exit status: 0 done or ACCEPT, 1 failed, 3 REJECT, 4 INCONCLUSIVE, 5 evidence invalid, \
            6 conflict, 10 no registry, 11 locked, 12 corrupt, 64 usage, 130 interrupted.
            """,
        version: PawlVersion.current,
        groupedSubcommands: [
            CommandGroup(
                name: "Daily",
                subcommands: [
                    Init.self, Register.self, Promote.self, Rollback.self, Skills.self, Generate.self,
                ]),
            CommandGroup(
                name: "Look", subcommands: [Log.self, Show.self, Diff.self, Matrix.self, Status.self]),
            CommandGroup(
                name: "Measure", subcommands: [Eval.self, Probe.self, GateCommand.self, Bisect.self]),
            CommandGroup(
                name: "Content",
                subcommands: [SkillCommand.self, HarvestCommand.self, SuiteCommand.self, EngineCommand.self]),
            CommandGroup(name: "Serve", subcommands: [Serve.self, TokenCommand.self]),
            CommandGroup(
                name: "Store",
                subcommands: [
                    Import.self, ImportAdapter.self, Export.self, Verify.self, Collect.self, Repack.self,
                    Version.self,
                ]),
        ])
}
