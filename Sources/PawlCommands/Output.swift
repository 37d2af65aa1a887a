internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlRegistry

/// Options that every command takes.
struct GlobalOptions: ParsableArguments {
    @Option(
        help: "The registry's directory. Default: $PAWL_REGISTRY, then .pawl here or above, then ~/.pawl.")
    var registry: String?

    @Flag(help: "Print JSON (schemas in schemas/) instead of text.")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress.")
    var quiet = false

    @Option(
        name: .customLong("progress"),
        help: "How to show progress on stderr: text, or json, an object a line (schemas/progress.json).")
    var progressFormat = ProgressFormat.text

    /// The place for results.
    var output: Output { Output(json: json) }

    /// Progress on stderr: a bar on a terminal, plain lines when piped, or JSON lines; nothing with --quiet.
    func progress() -> ProgressDisplay { ProgressDisplay(enabled: !quiet, format: progressFormat) }

    /// The registry that the options and the environment name.
    func openRegistry() throws -> Registry { try Registry(opening: Registry.locate(explicit: registry)) }
}

/// The one place where results are printed: text for people or JSON for programs, both to stdout.
struct Output {
    let json: Bool

    /// Prints `payload` as JSON, or the text that `describe` makes of it.
    func render<Payload: Encodable>(_ payload: Payload, _ describe: (Payload) throws -> String) throws {
        if json {
            let bytes = try JSON.pretty(payload)
            Terminal.output.writeRaw(String(decoding: bytes, as: UTF8.self))
        } else {
            let text = try describe(payload)
            if !text.isEmpty { Terminal.output.write(text) }
        }
    }
}
