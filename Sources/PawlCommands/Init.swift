internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow

struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a registry from a base model.",
        discussion: """
            The base is a Hugging Face directory: config.json, tokenizer.json, *.safetensors. It is stored \
            losslessly; `pawl export` gives the same bytes back. The general suites that ship with Pawl guard it \
            from now on; --suite names others, --no-suites none. The registry is the directory that --registry or \
            $PAWL_REGISTRY names, otherwise ./.pawl.

              pawl init --base models/SmolLM2-135M-Instruct
              pawl init --base DIR --registry /srv/pawl --suite world-facts

            Exit status: 0 done, 1 failed, 11 somebody else is making it, 64 usage.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: "The model directory.")
    var base: String

    @Option(name: .customLong("suite"), help: "A general suite, folder or name; may be repeated.")
    var suites: [String] = []

    @Flag(help: "Start without general suites.")
    var noSuites = false

    @OptionGroup var encoding: EncodingOptions

    func validate() throws {
        if noSuites && !suites.isEmpty { throw ValidationError("--suite and --no-suites exclude each other") }
    }

    func run() async throws {
        let display = options.progress()
        let named = ProcessInfo.processInfo.environment["PAWL_REGISTRY"].flatMap { $0.isEmpty ? nil : $0 }
        let root = URL(
            filePath: options.registry ?? named ?? ".pawl",
            directoryHint: .isDirectory
        ).standardizedFileURL.absoluteURL
        let chosen: [String]? = noSuites ? [] : suites.isEmpty ? nil : suites
        let report = try await Parallel.blocking { [base, level = encoding.level] in
            try Workflow.initialise(
                at: root, base: URL(filePath: base), suites: chosen, level: level, progress: display.handler)
        }
        display.finish()
        try options.output.render(report) { report in
            let ratio = Double(report.storedBytes) / Double(max(1, report.logicalBytes))
            let suites =
                report.suites.isEmpty ? "none yet (pawl suite add)" : report.suites.joined(separator: ", ")
            return """
                base       \(report.base.short)
                registry   \(report.registry)
                stored     \(Format.bytes(Int64(report.storedBytes))) of \(Format.bytes(Int64(report.logicalBytes))) \
                (\(percent(ratio)))
                guarded by \(suites)
                """
        }
    }
}
