internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlRegistry
internal import PawlWorkflow

struct SkillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "skill", abstract: "Skill folders: make one, check one, list those at hand.",
        subcommands: [New.self, Check.self, List.self])

    struct New: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a skill folder to fill in.",
            discussion: """
                  pawl skill new greetings

                The folder passes `pawl skill check` as it is; replace its two demonstrations and two items by real ones. \
                Exit status: 0 done, 1 the folder is there already.
                """)

        @Argument(help: "The folder to make; its last part is the skill's name.")
        var folder: String

        func run() async throws {
            let url = URL(filePath: folder).standardizedFileURL
            try SkillTemplate.write(to: url)
            Terminal.output.write("made \(url.path)\nnext: edit its files, then pawl skill check \(folder)")
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read a skill folder and say what is wrong with it.",
            discussion: """
                  pawl skill check ./my-skill

                The first mistake is named with file, line and field. Exit status: 0 sound, 1 not.
                """)

        @OptionGroup var options: GlobalOptions

        @Argument(help: "A skill folder, or the name of a skill.")
        var skill: String

        /// What --json prints.
        struct Payload: Encodable {
            var name: String
            var version: String
            var demonstrations: Int
            var suite: String
            var items: Int
            var contexts: [TeacherContext]
            var recipe: Recipe
        }

        func run() async throws {
            let folders = PluginFolders(
                searchPath: Workflow.searchPath(registry: Registry.locate(explicit: options.registry)))
            let folder = try SkillFolder(loading: try Workflow.folder(.skill, skill, in: folders))
            let payload = Payload(
                name: folder.manifest.name, version: folder.manifest.version,
                demonstrations: folder.demonstrations.count, suite: folder.suite.name,
                items: folder.suite.items.count, contexts: folder.manifest.contexts,
                recipe: folder.manifest.recipe)
            try options.output.render(payload) { payload in
                "\(payload.name) \(payload.version) is sound: \(payload.demonstrations) demonstrations, "
                    + "\(payload.items) suite items, \(payload.contexts.count) teacher contexts"
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "Skill folders on the search path.",
            discussion: """
                Looked up in $PAWL_PLUGINS, the registry's plugins/, then what ships; the first of a name wins.

                  pawl skill ls

                Exit status: 0.
                """)

        @OptionGroup var options: GlobalOptions

        func run() async throws { try FolderList.render(.skill, options) }
    }
}

/// Folders of a kind on the search path.
enum FolderList {
    /// What --json prints (schemas/folders.json).
    struct Entry: Encodable {
        var name: String
        var version: String?
        var description: String?
        /// nil for an engine that is part of the program.
        var folder: String?
        var shadowed: [String]
        var error: String?
    }

    static func render(_ kind: PluginKind, _ options: GlobalOptions, builtIn: [Entry] = []) throws {
        let root = Registry.locate(explicit: options.registry)
        let folders = PluginFolders(searchPath: Workflow.searchPath(registry: root))
        let entries =
            builtIn
            + folders.all(kind).map { match -> Entry in
                var entry = Entry(
                    name: match.name, version: nil, description: nil, folder: match.folder.path,
                    shadowed: match.shadowed.map(\.path), error: nil)
                do {
                    let value = try JSON.parse(Files.read(match.manifest), source: match.manifest.path)
                    entry.version = value["version"]?.string
                    entry.description = value["description"]?.string
                } catch {
                    entry.error = "\(error)"
                }
                return entry
            }
        try options.output.render(entries) { entries in
            var table = Table(["name", "version", "what", "folder"])
            for entry in entries {
                table.add([
                    entry.name, entry.version ?? "-", entry.error ?? entry.description ?? "",
                    entry.folder ?? "(in this program)",
                ])
                for shadowed in entry.shadowed { table.add(["", "", "shadows", shadowed]) }
            }
            return entries.isEmpty
                ? "none on the search path: \(folders.roots.map(\.path).joined(separator: ":"))" : table.text
        }
    }
}
