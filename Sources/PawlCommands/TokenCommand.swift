internal import ArgumentParser
internal import PawlCore
internal import PawlRegistry
internal import PawlServer

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Tokens that open the server (pawl serve).",
        subcommands: [Create.self, List.self, Revoke.self], defaultSubcommand: nil)

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token and print its secret, which is shown this once and kept nowhere.",
            discussion: """
                  pawl token create ci --role operate
                  SECRET="$(pawl token create dashboard)"

                A read token may ask for everything and use the models; an operate token may register, promote, roll \
                back and cancel as well. A program sends it as "Authorization: Bearer SECRET"; a browser asks for a \
                password, and any name goes with it.

                Exit status: 0 made, 1 there is one of this name, 10 no registry.
                """)

        @OptionGroup var options: GlobalOptions

        @Argument(help: "A name for it; the journal shows it beside what was done with it.")
        var name: String

        @Option(help: "What it allows: read or operate.", transform: Self.role)
        var role = Call.Role.read

        private static func role(_ text: String) throws -> Call.Role {
            guard let role = Call.Role(rawValue: text) else {
                throw ValidationError("--role \(text): give read or operate")
            }
            return role
        }

        /// What --json prints (schemas/token.json).
        struct Payload: Encodable {
            var name: String
            var role: Call.Role
            var secret: String
        }

        func run() throws {
            let registry = try options.openRegistry()
            let (token, secret) = try Tokens(registry: registry.root).create(name, role: role)
            try options.output.render(Payload(name: token.name, role: token.role, secret: secret)) {
                $0.secret
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List the tokens, without their secrets.",
            discussion: """
                  pawl token ls
                  pawl token ls --json

                Exit status: 0 done, 10 no registry.
                """)

        @OptionGroup var options: GlobalOptions

        /// What --json prints (schemas/tokens.json).
        struct Payload: Encodable {
            var tokens: [Token]
        }

        func run() throws {
            let registry = try options.openRegistry()
            let tokens = try Tokens(registry: registry.root).all()
            try options.output.render(Payload(tokens: tokens)) { payload in
                guard !payload.tokens.isEmpty else { return "no token" }
                var table = Table(["name", "role", "made"])
                for token in payload.tokens {
                    table.add([token.name, token.role.rawValue, Format.time(token.created)])
                }
                return table.text
            }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a token back; a running server refuses it from its next request on.",
            discussion: """
                  pawl token revoke ci

                Exit status: 0 done, 1 there is none of this name, 10 no registry.
                """)

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The name of the token.")
        var name: String

        func run() throws {
            let registry = try options.openRegistry()
            let token = try Tokens(registry: registry.root).revoke(name)
            try options.output.render(token) { "revoked \($0.name)" }
        }
    }
}
