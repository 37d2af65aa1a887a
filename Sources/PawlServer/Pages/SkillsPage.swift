internal import PawlCore
internal import PawlRegistry

/// Every checkpoint's score on every suite: the matrix of continual learning as a heat map.
struct SkillsPage: Markup {
    private let heatmap: Heatmap?

    init(_ site: Site) throws {
        heatmap = try site.registry.reference(Reference.main) == nil ? nil : Heatmap(site.registry)
    }

    var page: Page {
        Page(
            title: "Skills", place: .skills,
            content: pieces {
                if let heatmap, !heatmap.suites.isEmpty {
                    p(
                        .class("lead"),
                        text:
                            "Each row is a checkpoint, newest first; each column a suite. The figure is the score, the "
                            + "colour its change against the anchor. A hatched cell was never measured.")
                    heatmap.html
                    key
                } else {
                    empty(
                        "No suite is in force yet, so nothing was measured.",
                        command: "pawl suite add registry/suites/NAME")
                }
            })
    }

    private var key: HTML {
        div(.class("key-block")) {
            ul(.class("key"), .label("What the colours mean, in points of change")) {
                for (heat, text) in [
                    ("down3", "\u{2212}15 or less"), ("down2", "\u{2212}15 to \u{2212}5"),
                    ("down1", "\u{2212}5 to \u{2212}1"), ("even", "within 1"), ("up1", "+1 to +5"),
                    ("up2", "+5 to +15"), ("up3", "+15 or more"), ("unmeasured", "not measured"),
                ] {
                    li {
                        span(.class("swatch heat \(heat)"), .hidden)
                        text
                    }
                }
            }
            ul(.class("key"), .label("What the frames mean")) {
                for state in [HoldState.held, .regressed, .undecided, .waived] {
                    li {
                        span(.class("swatch frame-\(state.tone.rawValue)"), .hidden)
                        badge(state)
                    }
                }
            }
        }
    }
}

/// The matrix with what was judged.
struct Heatmap: Markup {
    let suites: [SuiteRecord]
    /// Newest first.
    let checkpoints: [Checkpoint]
    private let main: Digest
    private let cells: [Key: Cell]

    struct Key: Hashable {
        var checkpoint: Digest
        var suite: Digest
    }

    /// A measured cell.
    struct Cell {
        var score: Double
        var interval: ClosedRange<Double>
        var state: HoldState?
        /// Against the anchor that it was judged by, or the one in force; nil where that was never measured.
        var change: Double?
        var isAnchor: Bool
        /// Items that were answered otherwise than by the anchor, in the newest verdict.
        var flips: Int
    }

    init(_ registry: Registry) throws {
        main = try registry.main()
        let matrix = try registry.matrix(includingCandidates: true)
        suites = matrix.suites
        checkpoints = matrix.checkpoints.reversed()
        let anchors = Dictionary(
            try registry.anchors(at: main).map { ($0.suite, $0.anchor) },
            uniquingKeysWith: { first, _ in first })
        let scores = Dictionary(
            matrix.cells.map { (Key(checkpoint: $0.checkpoint, suite: $0.suite), $0.score) },
            uniquingKeysWith: { first, _ in first })
        let judged = try Self.judged(checkpoints, registry)
        let order = Dictionary(uniqueKeysWithValues: matrix.checkpoints.enumerated().map { ($1.digest, $0) })
        var cells: [Key: Cell] = [:]
        for cell in matrix.cells {
            let key = Key(checkpoint: cell.checkpoint, suite: cell.suite)
            let row = judged[key]
            // What came before the anchor has not lost what only the anchor acquired.
            let anchor = anchors[cell.suite]
                .flatMap { (order[$0] ?? 0) < (order[cell.checkpoint] ?? 0) ? $0 : nil }
                .flatMap { scores[Key(checkpoint: $0, suite: cell.suite)] }
            cells[key] = Cell(
                score: cell.score, interval: min(cell.lower, cell.upper)...max(cell.lower, cell.upper),
                state: cell.state, change: row?.difference ?? anchor.map { cell.score - $0 },
                isAnchor: row == nil && anchors[cell.suite] == cell.checkpoint,
                flips: row.map { $0.lost + $0.won } ?? 0)
        }
        self.cells = cells
    }

    /// The newest row of each checkpoint and suite; the new skill's where a verdict has it in both roles.
    private static func judged(_ checkpoints: [Checkpoint], _ registry: Registry) throws -> [Key:
        VerdictSuite]
    {
        var rows: [Key: VerdictSuite] = [:]
        for checkpoint in checkpoints {
            for verdict in try registry.verdicts(of: checkpoint.digest) {
                for row in verdict.suites.sorted(by: { $0.role == .new && $1.role != .new }) {
                    let key = Key(checkpoint: checkpoint.digest, suite: row.suite)
                    if rows[key] == nil { rows[key] = row }
                }
            }
        }
        return rows
    }

    subscript(checkpoint: Digest, suite: Digest) -> Cell? { cells[Key(checkpoint: checkpoint, suite: suite)] }

    var html: HTML {
        scroller("Scores of checkpoints on suites; it scrolls sideways") {
            table(.class("heatmap")) {
                caption(
                    .class("unseen"),
                    text: "Score of each checkpoint on each suite, and its change against the anchor")
                thead {
                    tr {
                        th(.scope("col"), text: "Checkpoint")
                        for suite in suites {
                            th(.scope("col")) {
                                name(suite.name)
                                span(.class("faint"), text: suite.skill == nil ? "general" : "skill")
                            }
                        }
                    }
                }
                tbody { for checkpoint in checkpoints { row(checkpoint) } }
            }
        }
    }

    private func row(_ checkpoint: Checkpoint) -> HTML {
        tr(checkpoint.digest == main ? .class("main") : nil) {
            th(.scope("row")) {
                checkpointLink(checkpoint.digest)
                span(.class("what")) { name(Site.label(checkpoint)) }
                checkpoint.digest == main ? span(.class("tag"), text: "main") : nil
                badge(checkpoint.status)
            }
            for suite in suites { cell(checkpoint, suite) }
        }
    }

    private func cell(_ checkpoint: Checkpoint, _ suite: SuiteRecord) -> HTML {
        guard let cell = self[checkpoint.digest, suite.digest] else {
            return td(.class("heat unmeasured")) { span(.class("unseen"), text: "not measured") }
        }
        let frame = cell.state.map { " frame-\($0.tone.rawValue)" } ?? ""
        let text = pieces {
            span(.class("score"), text: percent(cell.score))
            span(.class("change"), text: cell.isAnchor ? "anchor" : cell.change.map(Figure.points) ?? "")
            if let state = cell.state, state != .unmeasured {
                span(.class("glyph"), .hidden, text: state.tone.glyph)
                span(.class("unseen"), text: state.rawValue)
            }
        }
        return td(.class("heat \(Self.heat(cell))\(frame)")) {
            if cell.flips > 0 {
                a(
                    .href(.flips(checkpoint.digest, suite.name)),
                    Attribute("title", "\(Figure.count(cell.flips, "changed answer")) of \(suite.name)")
                ) { text }
            } else {
                span(.class("cell")) { text }
            }
        }
    }

    /// How much the score changed, as a class of the stylesheet.
    static func heat(_ cell: Cell) -> String {
        guard let change = cell.change, !cell.isAnchor else { return "even" }
        let size = abs(change) >= 0.15 ? 3 : abs(change) >= 0.05 ? 2 : abs(change) >= 0.01 ? 1 : 0
        return size == 0 ? "even" : (change < 0 ? "down" : "up") + "\(size)"
    }
}
