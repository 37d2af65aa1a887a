import Foundation
import PawlCore
import Testing

/// The help of every command, word for word, in `Snapshots/`. After a change that is meant:
///
///     PAWL_RECORD_SNAPSHOTS=1 swift test --filter HelpTests
///
/// writes them again (and removes those of commands that are gone); then read the difference in git.
@Suite("Help", .tags(.program))
struct HelpTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Snapshots")
    private static let isRecording = ProcessInfo.processInfo.environment["PAWL_RECORD_SNAPSHOTS"] == "1"

    /// The words of every command, `pawl` itself first.
    private func commands(_ place: Place) throws -> [[String]] {
        let dump = try place.pawl("--experimental-dump-help").json
        func walk(_ command: JSONValue, _ path: [String]) -> [[String]] {
            let children = command["subcommands"]?.array ?? []
            return [path]
                + children.flatMap { child -> [[String]] in
                    let name = child["commandName"]?.string ?? ""
                    return name == "help" ? [] : walk(child, path + [name])
                }
        }
        return walk(try #require(dump["command"]), [])
    }

    private func file(_ command: [String]) -> URL {
        Self.folder.appending(path: (["pawl"] + command).joined(separator: ".") + ".txt")
    }

    @Test("every command's help is the recorded one")
    func snapshots() throws {
        let place = try Place(empty: true)
        let commands = try commands(place)
        #expect(commands.count > 25)
        for command in commands {
            let answer = try place.run(Checkout.pawl, command + ["--help"])
            #expect(answer.status == 0)
            if Self.isRecording {
                try Files.createDirectory(Self.folder)
                try Content.write(answer.output, file(command))
            } else {
                let recorded = try? String(contentsOf: file(command), encoding: .utf8)
                #expect(answer.output == recorded, "pawl \(command.joined(separator: " ")) --help")
            }
        }
        let expected = Set(commands.map { file($0).lastPathComponent })
        for name in try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        where !expected.contains(name) {
            if Self.isRecording {
                try Files.remove(Self.folder.appending(path: name))
            } else {
                Issue.record("\(name) is the help of no command")
            }
        }
    }

    @Test("every command that does something says which exit statuses it has and gives an example")
    func contents() throws {
        let place = try Place(empty: true)
        for command in try commands(place) {
            let help = try place.run(Checkout.pawl, command + ["--help"]).output
            // A group of commands only lists them.
            guard command.isEmpty || !help.contains("SUBCOMMANDS:") else { continue }
            #expect(help.contains("Exit status"), "pawl \(command.joined(separator: " "))")
            let example = "  pawl " + command.joined(separator: " ")
            #expect(help.contains(example), "pawl \(command.joined(separator: " "))")
        }
    }
}
