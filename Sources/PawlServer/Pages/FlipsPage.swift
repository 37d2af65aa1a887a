internal import PawlCore
internal import PawlGate
internal import PawlRegistry
internal import PawlWorkflow

/// The items of a suite that a checkpoint answers otherwise than its anchor, with both answers.
struct FlipsPage: Markup {
    private let checkpoint: Checkpoint
    private let verdict: Digest
    private let part: ExplainReport.Part
    private let flips: [Flip]
    /// Number of the first that is shown, from 0.
    private let start: Int

    private static let size = 25

    init(_ site: Site, _ name: String, _ query: [String: String]) throws {
        let registry = site.registry
        let digest = try registry.resolve(name)
        checkpoint = try registry.checkpoint(digest)
        guard let suite = query["suite"] else {
            throw PawlError(.invalidArgument, "the address names no suite", hint: "?suite=NAME")
        }
        verdict =
            try query["verdict"].map(registry.resolveVerdict) ?? Self.verdict(on: digest, suite, registry)
        guard let part = try site.workflow.explain(verdict, suites: [suite]).suites.first else {
            throw PawlError(.notFound, "verdict \(verdict.short) has no suite \"\(suite)\"")
        }
        self.part = part
        flips = part.flips.filter { !$0.isWon } + part.flips.filter(\.isWon)
        start = max(0, min(query["from"].flatMap(Int.init) ?? 0, max(0, flips.count - 1)))
    }

    /// The newest verdict on a checkpoint that judges the suite.
    private static func verdict(on checkpoint: Digest, _ suite: String, _ registry: Registry) throws -> Digest
    {
        guard
            let found = try registry.verdicts(of: checkpoint)
                .first(where: { $0.suites.contains { $0.name == suite } })
        else {
            throw PawlError(.notFound, "no verdict on \(checkpoint.short) judges a suite \"\(suite)\"")
        }
        return found.digest
    }

    var page: Page {
        let shown = flips[min(start, flips.count)..<min(start + Self.size, flips.count)]
        return Page(
            title: "\(part.comparison.suite): what changed", place: .skills,
            content: pieces {
                p(.class("decision")) {
                    badge(
                        part.comparison.state == .notGained ? "no gain" : part.comparison.state.rawValue,
                        VerdictTone.of(part.comparison.state))
                    span {
                        checkpointLink(checkpoint.digest)
                        " "
                        name(Site.label(checkpoint))
                        " against "
                        checkpointLink(part.comparison.anchor)
                    }
                }
                p(part.sentence)
                clusters
                if flips.isEmpty {
                    empty("Every item of this suite got the same score from both.")
                } else {
                    h2("\(Figure.count(part.comparison.b, "item")) lost, \(part.comparison.c) won")
                    p(
                        .class("faint"),
                        text: "\(start + 1) to \(start + shown.count) of \(flips.count), losses first")
                    for flip in shown { item(flip) }
                    paging
                }
            })
    }

    private var clusters: HTML {
        pieces {
            if !part.comparison.clusters.isEmpty {
                section(.class("card")) {
                    h2("By cluster")
                    clusterTable.html("Scores by cluster")
                }
            }
        }
    }

    private var clusterTable: DataTable {
        var table = DataTable(
            ["Cluster", "Items", "Score", "Anchor", "Lost", "Won"], numbers: [1, 2, 3, 4, 5])
        for cluster in part.comparison.clusters {
            table.add(
                .html(name(cluster.name ?? "none")), .number("\(cluster.count)"),
                .number(percent(cluster.candidateScore)),
                .number(percent(cluster.anchorScore)), .number("\(cluster.b)"), .number("\(cluster.c)"))
        }
        return table
    }

    private func item(_ flip: Flip) -> HTML {
        article(.class("flip")) {
            h3 {
                badge(flip.isWon ? "won" : "lost", flip.isWon ? .good : .bad)
                name(flip.id)
            }
            pre(.class("question"), Attribute("dir", "auto"), text: flip.question)
            dl {
                dt("Right")
                dd { for target in flip.targets { pre(Attribute("dir", "auto"), text: target) } }
                dt("Anchor")
                dd { answer(flip.anchor) }
                dt("This checkpoint")
                dd { answer(flip.candidate) }
            }
        }
    }

    private func answer(_ answer: Flip.Answer) -> HTML {
        pieces {
            switch answer.status {
            case .ok: HTML()
            case .truncated: span(.class("tag"), text: "cut off at the token limit")
            case .failed: span(.class("tag"), text: "failed: \(answer.error ?? "")")
            case .missing: span(.class("tag"), text: "no answer")
            }
            if let text = answer.text { pre(Attribute("dir", "auto"), text: text) }
        }
    }

    private var paging: HTML {
        p(.class("paging")) {
            if start > 0 { a(.class("button"), .href(link(from: max(0, start - Self.size))), text: "Before") }
            if start + Self.size < flips.count {
                a(.class("button"), .href(link(from: start + Self.size)), text: "Next")
            }
        }
    }

    private func link(from: Int) -> Link {
        Link(
            ["checkpoints", checkpoint.digest.hex, "flips"],
            query: [("suite", part.comparison.suite), ("verdict", verdict.hex), ("from", "\(from)")])
    }
}
