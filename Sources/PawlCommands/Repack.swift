internal import ArgumentParser
internal import PawlCore
internal import PawlEngines
internal import PawlStore
internal import PawlWorkflow

/// How tensors are written, as it stands on the command line.
enum EncodingChoice: String, Sendable, CaseIterable, ExpressibleByArgument {
    case standard = "default"
    case smallest
    case fastReading = "fast-read"

    var level: EncodingLevel {
        switch self {
        case .standard: .standard
        case .smallest: .smallest
        case .fastReading: .fastReading
        }
    }
}

/// How tensors are written.
struct EncodingOptions: ParsableArguments {
    @Option(
        name: .customLong("level"),
        help: "How weights are written: default, smallest, or fast-read (opens faster, each skill adds more)."
    )
    var choice = EncodingChoice.standard

    var level: EncodingLevel { choice.level }
}

struct Repack: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the history again so that it takes the least room.",
        discussion: """
            Every tensor is written on its own or as the difference to that tensor of an ancestor (parent, anchor or \
            base) that makes the whole line smallest, in chains of at most four. No name changes. Each new encoding is \
            restored and compared before it counts, and former ones go only then, so there is room on disk for both \
            meanwhile. Models can be read, skills registered and `pawl gc` run at the same time; one repack at a time. \
            Interrupted or killed, it leaves everything readable, and the next call goes on from there.

            Levels: smallest; default, what registering writes; fast-read, with chains of two at most: a checkpoint \
            several skills deep opens in about half the time, and each skill adds up to twice as much.

              pawl repack
              pawl repack --level fast-read
              nice pawl repack --quiet --json

            Exit status: 0 done, 10 no registry, 11 another repack is running, 12 something cannot be read (the rest \
            is done; pawl verify says more), 130 interrupted.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: "What matters most: smallest, default or fast-read.")
    var level = EncodingChoice.smallest

    func run() async throws {
        let display = options.progress()
        let workflow = try options.workflow(display)
        let report = try await Interruption.cancelling { [level] in
            try await workflow.repack(level: level.level)
        }
        display.finish()
        try options.output.render(report) { Self.text($0) }
        if !report.unreadable.isEmpty { throw ExitCode(PawlError.Code.corrupt.exitStatus) }
    }

    private static func text(_ report: RepackReport) -> String {
        let (before, now) = (Format.bytes(Int64(report.bytesBefore)), Format.bytes(Int64(report.bytesNow)))
        var lines = [
            "looked at  \(Format.count(report.tensors, "tensor")) of \(Format.count(report.trees, "checkpoint"))"
                + (report.finishedBefore > 0 ? ", \(report.finishedBefore) finished before" : ""),
            "written    \(report.rewritten) again, \(report.relinked) with another encoding of their base",
        ]
        if report.bytesBefore > 0 {
            let share = percent(Double(report.bytesNow) / Double(report.bytesBefore))
            lines.append("tensors    \(before) before, \(now) now (\(share))")
        }
        lines.append(
            report.isCleaned
                ? "removed    \(report.removedObjects) former objects, \(Format.bytes(Int64(report.removedBytes)))"
                : "former encodings stay, since the store was in use or is damaged; pawl gc removes them later"
        )
        lines += report.unreadable.map { "unreadable \($0)" }
        return lines.joined(separator: "\n")
    }
}
