internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlGate
internal import PawlRegistry
internal import PawlWorkflow

struct Matrix: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Every checkpoint's score on every suite, with 95% intervals.",
        discussion: """
            A cell that was never measured is blank; nothing is carried forward. Rejected candidates are shown too: \
            they are evidence.

              pawl matrix
              pawl matrix --json
              pawl matrix --transfer          what main's line learned and kept, in the usual figures
              pawl matrix --plot scores.svg   the scores along main's line

            Exit status: 0 done, 10 no registry.
            """)

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Average accuracy, backward and forward transfer and forgetting of main's line instead.")
    var transfer = false

    @Option(help: "Write the scores along main's line as an SVG image, too.")
    var plot: String?

    func run() async throws {
        let registry = try options.openRegistry()
        if let plot {
            let image = ScorePlot(try registry.matrix()).svg
            try Files.writeAtomically(Array(image.utf8), to: URL(filePath: plot))
        }
        if transfer { return try showTransfer() }
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

    private func showTransfer() throws {
        let workflow = try options.workflow(options.progress())
        try options.output.render(try workflow.transfer()) { report in
            let figures = [
                ("average accuracy", report.metrics.averageAccuracy.map { percent($0) }),
                ("backward transfer", report.metrics.backwardTransfer.map(Format.points)),
                ("forward transfer", report.metrics.forwardTransfer.map(Format.points)),
                ("forgetting", report.metrics.forgetting.map(Format.points)),
            ]
            var table = Table(["", ""], right: [1])
            for (name, value) in figures { table.add([name, value ?? "-"]) }
            for delta in report.general {
                table.add(["\(delta.suite) since the base", Format.points(delta.change)])
            }
            var lines = [
                "skills: " + (report.skills.isEmpty ? "none" : report.skills.joined(separator: ", ")),
                table.text,
            ]
            if !report.unmeasured.isEmpty {
                lines.append("never measured: " + report.unmeasured.joined(separator: ", "))
            }
            return lines.joined(separator: "\n")
        }
    }
}
