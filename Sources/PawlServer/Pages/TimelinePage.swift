internal import PawlCore
internal import PawlRegistry

/// What happened: the line, what was tried beside it, and what `main` named when.
struct TimelinePage: Markup {
    private let history: History

    init(_ site: Site) throws { history = try History(site.registry) }

    var page: Page {
        Page(
            title: "Timeline", place: .timeline,
            content: pieces {
                if history.columns.isEmpty {
                    empty("The registry has no checkpoint yet.", command: "pawl init --base DIR")
                } else {
                    p(
                        .class("lead"),
                        text:
                            "Each circle is a checkpoint. On the line: the ancestors of main and main itself. Below: "
                            + "candidates that were not taken, and what a rollback gave up. The bar says what main named."
                    )
                    figure(.class("card flush")) { TimelineChart(history: history).html }
                    key
                    section {
                        h2("Every step, newest first")
                        events.html("Steps of the registry, newest first")
                    }
                }
            })
    }

    private var key: HTML {
        ul(.class("key"), .label("What the signs mean")) {
            for status in [Checkpoint.Status.base, .accepted, .rejected, .inconclusive, .waived, .candidate] {
                li { badge(status) }
            }
        }
    }

    private var events: DataTable {
        var table = DataTable(["When", "What", "Checkpoint", "Skill", "Parent", "Verdict", "Why"])
        for column in history.columns.reversed() {
            guard let digest = column.checkpoint?.digest ?? column.move?.checkpoint else { continue }
            let checkpoint = history.checkpoint(digest)
            let moved = column.move.map { MoveText.word($0.kind) }
            let came = column.checkpoint.map {
                $0.parent == nil ? "base" : $0.origin == .import ? "imported" : "trained"
            }
            let words = [came, moved].compactMap(\.self)
            table.add(
                .html(when(column.time)),
                .text(
                    (words.count == 2 && words[0] == words[1] ? Array(words.prefix(1)) : words).joined(
                        separator: ", ")),
                .html(checkpointLink(digest)), .html(name(checkpoint.map(Site.label) ?? "")),
                checkpoint?.parent.map { .html(checkpointLink($0)) } ?? .none,
                column.checkpoint.flatMap { history.verdicts[$0.digest] }.map { .html(badge($0.decision)) }
                    ?? .none,
                .prose(column.move?.reason ?? ""))
        }
        return table
    }
}
