internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlRegistry
internal import PawlWorkflow

struct SuiteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suite", abstract: "Suites: what measures a skill or guards an ability.",
        subcommands: [Add.self, List.self, Check.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a general suite: from now on every candidate is judged by it.",
            discussion: """
                Its anchor is the base. A new version of a suite replaces the old one; old results stay in the matrix.

                  pawl suite add ./suites/contracts

                Exit status: 0 done, 1 the folder is not sound or the version is taken, 10 no registry.
                """)

        @OptionGroup var options: GlobalOptions

        @Argument(help: "A suite folder, or the name of a suite.")
        var suite: String

        func run() async throws {
            let workflow = try options.workflow(options.progress())
            try options.output.render(try workflow.addSuite(suite)) { record in
                "\(record.name) \(record.version) guards every candidate from now on (\(record.digest.short))"
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "Suites of the registry.",
            discussion: """
                  pawl suite ls
                  pawl suite ls --folders     suite folders on the search path

                Exit status: 0 done, 10 no registry.
                """)

        @OptionGroup var options: GlobalOptions

        @Flag(help: "List folders on the search path instead.")
        var folders = false

        func run() async throws {
            if folders { return try FolderList.render(.suite, options) }
            let registry = try options.openRegistry()
            try options.output.render(try registry.suites()) { suites in
                var table = Table(
                    ["suite", "version", "of", "family", "metric", "margin", "digest"], right: [5])
                for suite in suites {
                    let margin = suite.margin.double.map { String(format: "%.1f", $0 * 100) } ?? "auto"
                    table.add([
                        suite.name, suite.version, suite.skill ?? "(general)", suite.family, suite.metric,
                        margin,
                        suite.digest.short,
                    ])
                }
                return suites.isEmpty ? "no suites" : table.text
            }
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read a suite folder and say what is wrong with it.",
            discussion: """
                  pawl suite check ./suites/contracts

                Exit status: 0 sound, 1 not: the first mistake is named with file, line and field.
                """)

        @OptionGroup var options: GlobalOptions

        @Argument(help: "A suite folder, or the name of a suite.")
        var suite: String

        /// What --json prints.
        struct Payload: Encodable {
            var manifest: SuiteManifest
            var items: Int
            var sealed: Int
            var digest: Digest
        }

        func run() async throws {
            let folders = PluginFolders(
                searchPath: Workflow.searchPath(registry: Registry.locate(explicit: options.registry)))
            let loaded = try Suite(loading: try Workflow.folder(.suite, suite, in: folders))
            let payload = Payload(
                manifest: loaded.manifest, items: loaded.items.count, sealed: loaded.sealedItems.count,
                digest: loaded.digest)
            try options.output.render(payload) { payload in
                "\(payload.manifest.name) \(payload.manifest.version) is sound: \(payload.items) items, "
                    + (payload.sealed > 0 ? "\(payload.sealed) more sealed, " : "")
                    + (payload.manifest.looks > 1 ? "used in \(payload.manifest.looks) looks, " : "")
                    + "graded by \(payload.manifest.grader.kind)"
            }
        }
    }
}
