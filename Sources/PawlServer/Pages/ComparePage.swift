internal import PawlCore
internal import PawlRegistry
internal import PawlStore
internal import PawlWorkflow

/// Two checkpoints side by side: scores, weights, recipes, sizes.
struct ComparePage: Markup {
    private let checkpoints: [Checkpoint]
    private let main: Digest?
    private let comparison: Comparison?
    private let asked: (from: Digest?, to: Digest?)

    /// What is known of the two.
    private struct Comparison {
        var from: Checkpoint
        var to: Checkpoint
        var suites: [(name: String, from: Matrix.Cell?, to: Matrix.Cell?)]
        var weights: WeightView?
        var sizes: [StoredSize?]
    }

    init(_ site: Site, _ query: [String: String]) throws {
        let registry = site.registry
        checkpoints = try registry.checkpoints()
        main = try registry.reference(Reference.main)?.checkpoint
        let to = try query["to"].map(registry.resolve) ?? main
        let from =
            try query["from"].map(registry.resolve) ?? to.flatMap { try registry.checkpoint($0).parent }
        asked = (from, to)
        comparison = try from.flatMap { from in
            try to.map { try Self.compare(registry.checkpoint(from), registry.checkpoint($0), site) }
        }
    }

    private static func compare(_ from: Checkpoint, _ to: Checkpoint, _ site: Site) throws -> Comparison {
        let matrix = try site.registry.matrix(includingCandidates: true)
        let suites = matrix.suites.compactMap { suite -> (String, Matrix.Cell?, Matrix.Cell?)? in
            let cells = (matrix[from.digest, suite.digest], matrix[to.digest, suite.digest])
            return cells.0 == nil && cells.1 == nil ? nil : (suite.name, cells.0, cells.1)
        }
        let isKept = from.collected == nil && to.collected == nil
        return Comparison(
            from: from, to: to, suites: suites,
            weights: isKept && from != to ? try WeightView(site, from: from.digest, to: to.digest) : nil,
            sizes: try [from, to].map {
                $0.collected == nil ? try site.memory.storedSize(of: $0.digest, site.registry) : nil
            })
    }

    var page: Page {
        Page(
            title: "Compare", place: .compare,
            content: pieces {
                if checkpoints.count < 2 {
                    empty(
                        "There are no two checkpoints to compare yet.", command: "pawl register SKILL")
                } else {
                    question
                }
                if let comparison {
                    heads(comparison)
                    scores(comparison)
                    if let weights = comparison.weights {
                        section(.class("card")) {
                            h2("Weights")
                            weights.html
                        }
                    }
                    recipes(comparison)
                }
            })
    }

    private var question: HTML {
        form(.class("question"), Attribute("method", "get"), .action(Link(["compare"]))) {
            choice("from", "From", asked.from)
            choice("to", "To", asked.to)
            button(Attribute("type", "submit"), text: "Compare")
        }
    }

    private func choice(_ id: StaticString, _ text: String, _ chosen: Digest?) -> HTML {
        div {
            label(Attribute("for", id.description), text: text)
            select(.id(id.description), Attribute("name", id.description)) {
                for checkpoint in checkpoints.reversed() {
                    option(
                        Attribute("value", checkpoint.digest.hex),
                        checkpoint.digest == chosen ? Attribute("selected", "") : nil,
                        text:
                            "\(checkpoint.digest.short) \(Site.label(checkpoint)), \(checkpoint.status.rawValue)"
                            + (checkpoint.digest == main ? " (main)" : ""))
                }
            }
        }
    }

    private func heads(_ comparison: Comparison) -> HTML {
        div(.class("tiles two")) {
            for (index, checkpoint) in [comparison.from, comparison.to].enumerated() {
                div(.class("tile")) {
                    h2(index == 0 ? "From" : "To")
                    p(.class("value")) { checkpointLink(checkpoint.digest) }
                    p(.class("note")) {
                        badge(checkpoint.status)
                        name(Site.label(checkpoint))
                        if let size = comparison.sizes[index] {
                            span(
                                text:
                                    "\(Figure.bytes(size.logicalBytes)), stored in \(Figure.bytes(size.storedBytes))"
                            )
                        }
                    }
                }
            }
        }
    }

    private func scores(_ comparison: Comparison) -> HTML {
        section(.class("card")) {
            h2("Scores")
            if comparison.suites.isEmpty {
                empty("Neither was measured on a suite.")
            } else {
                scoreTable(comparison).html("Scores of both on each suite")
            }
        }
    }

    private func scoreTable(_ comparison: Comparison) -> DataTable {
        var table = DataTable(
            ["Suite", "From \u{25CB} to \u{25CF}", "From", "To", "Change"], numbers: [2, 3, 4])
        for suite in comparison.suites {
            let change = suite.from.flatMap { from in suite.to.map { $0.score - from.score } }
            table.add(
                .html(name(suite.name)), .html(dumbbell(suite.name, suite.from, suite.to)),
                suite.from.map { .number(percent($0.score)) } ?? .none,
                suite.to.map { .number(percent($0.score)) } ?? .none,
                change.map { .number(Figure.points($0)) } ?? .none)
        }
        return table
    }

    /// Both scores on one track from 0 to 100%.
    private func dumbbell(_ suite: String, _ from: Matrix.Cell?, _ to: Matrix.Cell?) -> HTML {
        let text =
            "\(from.map { percent($0.score) } ?? "not measured") to \(to.map { percent($0.score) } ?? "not measured")"
        return svg(
            .class("score tone-plain"), Attribute("width", "160"), Attribute("height", "14"), .role("img"),
            .label("\(suite): \(text)")
        ) {
            rect(
                .class("track"), Attribute("x", "0"), Attribute("y", "5"), Attribute("width", "100%"),
                Attribute("height", "4"), Attribute("rx", "2"))
            if let from, let to {
                line(
                    .class("interval"), .share("x1", from.score), .share("x2", to.score),
                    Attribute("y1", "7"),
                    Attribute("y2", "7"))
            }
            from.map { circle(.class("dot hollow"), .share("cx", $0.score), .px("cy", 7), .px("r", 4)) }
            to.map { circle(.class("dot"), .share("cx", $0.score), .px("cy", 7), .px("r", 4)) }
        }
    }

    private func recipes(_ comparison: Comparison) -> HTML {
        section(.class("card")) {
            h2("Recipes")
            if let from = comparison.from.recipe, let to = comparison.to.recipe {
                let rows = Self.differences(from, to)
                if rows.isEmpty {
                    p("They are the same.")
                } else {
                    recipeTable(rows).html("Settings that differ")
                }
            } else {
                let untrained = [comparison.from, comparison.to].filter { $0.recipe == nil }
                empty(
                    untrained.map { "\($0.digest.short) was not trained here, so it has no recipe." }.joined(
                        separator: " "))
            }
        }
    }

    private func recipeTable(_ rows: [(key: String, from: String?, to: String?)]) -> DataTable {
        var table = DataTable(["Setting", "From", "To"])
        for row in rows {
            table.add(.text(row.key), row.from.map { .text($0) } ?? .none, row.to.map { .text($0) } ?? .none)
        }
        return table
    }

    /// Settings that differ, by path.
    static func differences(_ from: JSONValue, _ to: JSONValue) -> [(key: String, from: String?, to: String?)]
    {
        let old = Dictionary(Fields(from).rows.map { ($0.key, $0.value) }, uniquingKeysWith: { a, _ in a })
        let new = Dictionary(Fields(to).rows.map { ($0.key, $0.value) }, uniquingKeysWith: { a, _ in a })
        return Set(old.keys).union(new.keys).sorted().filter { old[$0] != new[$0] }.map {
            ($0, old[$0], new[$0])
        }
    }
}
