internal import ArgumentParser
internal import PawlCore

struct Version: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The version of this program.",
        discussion: """
              pawl version --json

            Exit status: 0.
            """)

    @OptionGroup var options: GlobalOptions

    /// What --json prints.
    struct Payload: Encodable {
        var name = "pawl"
        var version = PawlVersion.current
    }

    func run() async throws {
        try options.output.render(Payload()) { "\($0.name) \($0.version)" }
    }
}
