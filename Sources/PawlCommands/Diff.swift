internal import ArgumentParser
internal import PawlCore
internal import PawlRegistry
internal import PawlStore
internal import PawlWorkflow

struct Diff: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Two checkpoints side by side: tensors, share of changed weights, stored bytes, suites.",
        discussion: """
              pawl diff main~1 main
              pawl diff main 3f2a91c0de55 --json

            Exit status: 0 done, 1 no such checkpoint, 10 no registry.
            """)

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The first checkpoint.")
    var from: String

    @Argument(help: "The second checkpoint.")
    var to: String = "main"

    @Flag(help: "List every tensor that differs, not only the ten that changed most.")
    var all = false

    func run() async throws {
        let display = options.progress()
        let workflow = try options.workflow(display)
        let registry = workflow.registry
        let first = try registry.resolve(from)
        let second = try registry.resolve(to)
        let difference = try await Parallel.blocking { try workflow.difference(from: first, to: second) }
        display.finish()
        try options.output.render(difference) { text($0) }
    }

    private func text(_ difference: CheckpointDifference) -> String {
        let share = Double(difference.changedElements) / Double(max(1, difference.elements))
        var lines = [
            "\(difference.from.short) -> \(difference.to.short)",
            "tensors  \(difference.tree.tensors.count) differ, \(difference.tree.equalTensors) equal",
            "weights  \(percent(share)) of \(difference.elements) changed",
            "files    \(difference.tree.files.isEmpty ? "no other file differs" : difference.tree.files.map { "\($0.path) \($0.change.rawValue)" }.joined(separator: ", "))",
            "stored   \(difference.stored.map { Format.bytes(Int64($0.storedBytes)) }.joined(separator: " -> "))",
        ]
        if !difference.suites.isEmpty {
            var table = Table(["suite", "from", "to", "change"], right: [1, 2, 3])
            for suite in difference.suites {
                let change = suite.from.flatMap { a in suite.to.map { Format.points($0 - a) } }
                table.add([
                    suite.name, suite.from.map(percent) ?? "-", suite.to.map(percent) ?? "-",
                    change ?? "-",
                ])
            }
            lines += ["", table.text]
        }
        let byShare = difference.tree.tensors.sorted {
            Double($0.changedElements) / Double(max(1, $0.elements))
                > Double($1.changedElements) / Double(max(1, $1.elements))
        }
        if !byShare.isEmpty {
            var table = Table(["tensor", "", "changed", "of"], right: [2, 3])
            for tensor in all ? byShare : Array(byShare.prefix(10)) {
                let share = Double(tensor.changedElements) / Double(max(1, tensor.elements))
                table.add([tensor.name, tensor.change.rawValue, percent(share), "\(tensor.elements)"])
            }
            lines += ["", table.text]
            if !all && byShare.count > 10 { lines.append("... and \(byShare.count - 10) more (--all)") }
        }
        return lines.joined(separator: "\n")
    }
}
