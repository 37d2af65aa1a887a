internal import PawlCore
internal import PawlGate

/// The comparisons of a verdict against their margin lines: the change of each suite with its bounds.
///
/// Suites of one role share a scale. The new skill's gain has one of its own: it is often ten times the size of what
/// the margins are about.
struct ForestPlot: Markup {
    let rows: [Row]
    private let scale: Scale

    /// A comparison as it is drawn.
    struct Row {
        var name: String
        var isSealed = false
        var comparison: SuiteComparison
        /// Where the items are that were answered otherwise.
        var flips: Link?
    }

    init(_ rows: [Row]) {
        self.rows = rows
        scale = Scale(
            holding: rows.flatMap {
                [$0.comparison.lower, $0.comparison.upper, -$0.comparison.margin * 1.15, 0]
            }, steps: 5)
    }

    /// The plot, one strip a suite and the axis below.
    var html: HTML {
        div(.class("forest")) {
            for row in rows { strip(row) }
            div(.class("strip axis"), .hidden) {
                svg(Attribute("width", "100%"), .px("height", 22)) {
                    for tick in scale.ticks {
                        let place = scale.place(tick)
                        svgText(
                            .share("x", place), .px("y", 14),
                            Attribute(
                                "text-anchor", place < 0.04 ? "start" : place > 0.96 ? "end" : "middle"),
                            text: Figure.points(tick))
                    }
                }
            }
        }
    }

    /// How a comparison reads: "−2.7 points, between −6.8 and +1.4; the margin is 10.0".
    static func sentence(_ row: SuiteComparison) -> String {
        let change =
            "\(Figure.points(row.difference)) points, between \(Figure.points(row.lower)) and \(Figure.points(row.upper))"
        return row.role == .prior
            ? change + "; the margin is \(Figure.fixed(row.margin * 100, 1))"
            : change + "; it must be above 0"
    }

    private func strip(_ row: Row) -> HTML {
        let comparison = row.comparison
        let tone = VerdictTone.of(comparison.state)
        return div(.class("strip")) {
            div(.class("who")) {
                strong { name(row.name) }
                span(.class("faint"), text: row.isSealed ? "sealed items" : "\(comparison.count) items")
            }
            svg(
                .class("tone-\(tone.rawValue)"), Attribute("width", "100%"), .px("height", 30), .role("img"),
                .label("\(row.name): \(Self.sentence(comparison))")
            ) { drawing(comparison) }
            div(.class("figures")) {
                span(.class("change"), text: Figure.points(comparison.difference))
                span(
                    .class("faint"),
                    text: "[\(Figure.points(comparison.lower)), \(Figure.points(comparison.upper))]")
            }
            div(.class("verdict")) {
                badge(comparison.state == .notGained ? "no gain" : comparison.state.rawValue, tone)
                if let flips = row.flips, comparison.b + comparison.c > 0 {
                    a(
                        .href(flips), .label("Changed answers of \(row.name)"),
                        text: "\(comparison.b) lost, \(comparison.c) won")
                }
            }
        }
    }

    private func drawing(_ row: SuiteComparison) -> HTML {
        let (zero, lower, upper) = (scale.place(0), scale.place(row.lower), scale.place(row.upper))
        return pieces {
            if row.role == .prior {
                let margin = scale.place(-row.margin)
                rect(
                    .class("beyond"), Attribute("x", "0"), Attribute("y", "0"), .share("width", margin),
                    Attribute("height", "30"))
                line(
                    .class("margin"), .share("x1", margin), .share("x2", margin), Attribute("y1", "0"),
                    Attribute("y2", "30"))
            }
            line(
                .class("zero"), .share("x1", zero), .share("x2", zero), Attribute("y1", "0"),
                Attribute("y2", "30"))
            line(
                .class("interval"), .share("x1", lower), .share("x2", upper), Attribute("y1", "15"),
                Attribute("y2", "15"))
            for end in [lower, upper] {
                line(
                    .class("interval"), .share("x1", end), .share("x2", end), Attribute("y1", "10"),
                    Attribute("y2", "20"))
            }
            circle(
                .class("dot"), .share("cx", scale.place(row.difference)), Attribute("cy", "15"), .px("r", 5))
        }
    }

    /// The same in figures.
    var table: DataTable {
        var table = DataTable(
            [
                "Suite", "Found", "Anchor", "Anchor's score", "Score", "Change", "At least", "At most",
                "Margin", "Items",
                "Lost", "Won", "Attempt",
            ],
            numbers: Set(3...12))
        for row in rows {
            let comparison = row.comparison
            table.add(
                .text(row.name + (row.isSealed ? " (sealed)" : "")), .text(comparison.state.rawValue),
                .html(checkpointLink(comparison.anchor)), .number(percent(comparison.anchorScore)),
                .number(percent(comparison.candidateScore)), .number(Figure.points(comparison.difference)),
                .number(Figure.points(comparison.lower)), .number(Figure.points(comparison.upper)),
                comparison.role == .prior ? .number(Figure.fixed(comparison.margin * 100, 1)) : .none,
                .number(Figure.grouped(comparison.count)), .number(Figure.grouped(comparison.b)),
                .number(Figure.grouped(comparison.c)), .number("\(comparison.attempt)"))
        }
        return table
    }
}

/// The tone of what a comparison showed.
enum VerdictTone {
    static func of(_ state: SuiteState) -> Tone {
        switch state {
        case .held, .gained: .good
        case .regressed, .notGained: .bad
        case .undecided: .open
        }
    }
}
