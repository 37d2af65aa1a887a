internal import PawlCore
internal import PawlGate
internal import PawlRegistry
internal import PawlWorkflow

/// How far each suite has moved from its anchor along main's line, and what the line kept and passed on.
struct DriftPage: Markup {
    private let drifts: [Drift]
    private let transfer: TransferReport?

    init(_ site: Site) throws {
        let isReady = try site.registry.reference(Reference.main) != nil
        drifts = isReady ? try Drift.all(site.registry) : []
        transfer = isReady ? try site.workflow.transfer() : nil
    }

    var page: Page {
        Page(
            title: "Drift", place: .drift,
            content: pieces {
                p(
                    .class("lead"),
                    text:
                        "Small losses add up. Each suite is judged against its anchor, never against the step before, so "
                        + "the line below is the whole change. It must stay above the dashed margin.")
                if let transfer { metrics(transfer) }
                if drifts.isEmpty {
                    empty(
                        "Nothing on main's line was judged against an anchor yet.",
                        command: "pawl register SKILL")
                } else {
                    section {
                        h2("Each suite against its anchor")
                        div(.class("panels")) { for drift in drifts { panel(drift) } }
                    }
                }
            })
    }

    private func metrics(_ report: TransferReport) -> HTML {
        section {
            h2("Over all skills of the line")
            div(.class("tiles")) {
                tile(
                    "Average accuracy", report.metrics.averageAccuracy.map { percent($0) },
                    "mean score on its skills")
                tile(
                    "Backward transfer", report.metrics.backwardTransfer.map(Figure.points),
                    "what later skills did to earlier ones")
                tile(
                    "Forward transfer", report.metrics.forwardTransfer.map(Figure.points),
                    "what earlier skills did for later ones")
                tile("Forgetting", report.metrics.forgetting.map(Figure.points), "below the best so far")
            }
            if !report.general.isEmpty {
                div(.class("card narrow")) {
                    general(report).html("General suites since the base", isCaptionShown: true)
                }
            }
            if !report.unmeasured.isEmpty {
                p(.class("faint"), text: "Never measured: " + report.unmeasured.joined(separator: ", "))
            }
        }
    }

    private func tile(_ title: String, _ value: String?, _ note: String) -> HTML {
        div(.class("tile")) {
            h3(title)
            p(.class("value")) {
                if let value { value } else { span(.class("faint"), text: "not yet") }
            }
            p(.class("note"), text: note)
        }
    }

    private func general(_ report: TransferReport) -> DataTable {
        var table = DataTable(["Suite", "Since the base"], numbers: [1])
        for delta in report.general {
            table.add(.html(name(delta.suite)), .number(Figure.points(delta.change)))
        }
        return table
    }

    private func panel(_ drift: Drift) -> HTML {
        figure(.class("card")) {
            figcaption {
                strong { name(drift.suite) }
                span(.class("faint"), text: "points against " + drift.anchors)
            }
            drift.chart.html
            numbers("Drift of \(drift.suite)", drift.table)
        }
    }
}

/// The judgements of one suite along main's line.
struct Drift: Markup {
    /// A checkpoint of the line that was judged on the suite.
    struct Step {
        var checkpoint: Checkpoint
        /// Place on the line, 0 for the base.
        var place: Int
        var row: VerdictSuite
    }

    let suite: String
    let steps: [Step]
    /// The anchor and its place, when it is on the line: the change is 0 there.
    let start: (place: Int, digest: Digest)?
    /// Checkpoints of the line.
    let length: Int

    /// A drift for each suite that was judged as a prior one on the line.
    static func all(_ registry: Registry) throws -> [Drift] {
        let line = try Array(registry.line(of: registry.main()).reversed())
        var steps: [String: [Step]] = [:]
        for (place, checkpoint) in line.enumerated() {
            var seen: Set<String> = []
            for verdict in try registry.verdicts(of: checkpoint.digest) {
                for row in verdict.suites where row.role == .prior && seen.insert(row.name).inserted {
                    steps[row.name, default: []].append(Step(checkpoint: checkpoint, place: place, row: row))
                }
            }
        }
        return steps.sorted { $0.key < $1.key }.map { name, steps in
            let anchor = steps.first?.row.anchor
            let place = anchor.flatMap { anchor in line.firstIndex { $0.digest == anchor } }
            return Drift(
                suite: name, steps: steps, start: place.flatMap { place in anchor.map { (place, $0) } },
                length: line.count)
        }
    }

    /// The anchors that it was judged against, the oldest first.
    var anchors: String {
        var names: [String] = []
        for step in steps where names.last != step.row.anchor.short { names.append(step.row.anchor.short) }
        return (names.count > 1 ? "its anchors " : "its anchor ") + names.joined(separator: ", then ")
    }

    var chart: LineChart {
        var points = steps.map { step in
            LineChart.Point(
                x: Double(step.place), y: step.row.difference * 100,
                interval: min(step.row.lower, step.row.upper) * 100...max(step.row.lower, step.row.upper)
                    * 100,
                title: "\(Site.label(step.checkpoint)) \(step.checkpoint.digest.short): "
                    + "\(Figure.points(step.row.difference)), between \(Figure.points(step.row.lower)) and "
                    + "\(Figure.points(step.row.upper)); \(step.row.state.word)",
                tone: step.row.state.tone)
        }
        if let start, !steps.contains(where: { $0.place == start.place }) {
            points.insert(
                LineChart.Point(
                    x: Double(start.place), y: 0, title: "anchor \(start.digest.short)", tone: .plain), at: 0)
        }
        let margin = steps.last?.row.margin ?? 0
        let values = points.flatMap {
            [$0.y, $0.interval?.lowerBound ?? $0.y, $0.interval?.upperBound ?? $0.y]
        }
        return LineChart(
            label: sentence, series: [LineChart.Series(name: suite, points: points)],
            levels: [
                LineChart.Level(
                    y: -margin * 100, name: "margin \(Figure.points(-margin))", isMargin: true)
            ],
            x: Scale(from: -0.4, to: Double(length) - 0.6, ticks: []),
            y: Scale(holding: values + [0, -margin * 100 * 1.2]),
            format: { Figure.signed($0, $0 == $0.rounded() ? 0 : 1) },
            names: names)
    }

    private var names: [(x: Double, text: String)] {
        let last = steps.last.map { (Double($0.place), Site.label($0.checkpoint)) }
        let first = start.map { (Double($0.place), $0.place == 0 ? "base" : "anchor") }
        return [first, last?.0 == first?.0 ? nil : last].compactMap(\.self)
    }

    private var sentence: String {
        guard let last = steps.last else { return suite }
        return
            "\(suite): \(Figure.points(last.row.difference)) points against its anchor at \(last.checkpoint.digest.short), "
            + "at least \(Figure.points(last.row.lower)); the margin is \(Figure.points(-last.row.margin))"
    }

    var table: DataTable {
        var table = DataTable(
            ["Checkpoint", "Skill", "Found", "Change", "At least", "At most", "Margin", "Anchor"],
            numbers: [3, 4, 5, 6])
        for step in steps {
            table.add(
                .html(checkpointLink(step.checkpoint.digest)), .html(name(Site.label(step.checkpoint))),
                .html(badge(step.row.state.word, step.row.state.tone)),
                .number(Figure.points(step.row.difference)),
                .number(Figure.points(step.row.lower)), .number(Figure.points(step.row.upper)),
                .number(Figure.points(-step.row.margin)), .html(checkpointLink(step.row.anchor)))
        }
        return table
    }
}
