internal import ArgumentParser
internal import PawlCore
internal import PawlRegistry

struct Matrix: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Every checkpoint's score on every suite, with 95% intervals.",
        discussion: """
            A cell that was never measured is blank; nothing is carried forward. Rejected candidates are shown too: \
            they are evidence.

              pawl matrix
              pawl matrix --json

            Exit status: 0 done, 10 no registry.
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let registry = try options.openRegistry()
        let main = try registry.main()
        try options.output.render(try registry.matrix(includingCandidates: true)) { matrix in
            var table = Table(
                ["checkpoint", "status", "skill"] + matrix.suites.map(\.name),
                right: Set(3..<(3 + matrix.suites.count)))
            for checkpoint in matrix.checkpoints {
                let name = checkpoint.digest.short + (checkpoint.digest == main ? " (main)" : "")
                let cells = matrix.suites.map { suite -> String in
                    guard let cell = matrix[checkpoint.digest, suite.digest] else { return "" }
                    return
                        "\(percent(cell.score)) [\(percent(cell.lower)), \(percent(cell.upper))]"
                }
                table.add([name, checkpoint.status.rawValue, checkpoint.acquisition?.skill ?? ""] + cells)
            }
            return table.text
        }
    }
}
