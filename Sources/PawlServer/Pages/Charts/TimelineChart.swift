internal import PawlCore
internal import PawlRegistry

/// The line of checkpoints from left to right, what did not become part of it below, and what `main` named at the bottom.
struct TimelineChart: Markup {
    let history: History

    private static let left = 74.0
    /// Room for what the last bar says.
    private static let right = 120.0
    private static let lineY = 44.0
    private static let besideY = 128.0
    private static let laneY = 206.0
    private static let height = 246.0

    /// From one column to the next: names need 104; a short history is not squeezed into a corner.
    private var step: Double { history.columns.count <= 7 ? 142 : 104 }
    private var width: Double { Self.left + Self.right + step * Double(max(0, history.columns.count - 1)) }
    private var onLine: Set<Digest> { Set(history.line.map(\.digest)) }

    /// Where each checkpoint stands.
    private func places(_ onLine: Set<Digest>) -> [Digest: (x: Double, y: Double)] {
        var places: [Digest: (x: Double, y: Double)] = [:]
        for (index, column) in history.columns.enumerated() {
            guard let digest = column.checkpoint?.digest else { continue }
            places[digest] = (
                Self.left + step * Double(index), onLine.contains(digest) ? Self.lineY : Self.besideY
            )
        }
        return places
    }

    var html: HTML {
        let onLine = onLine
        let places = places(onLine)
        return scroller("Timeline of checkpoints; it scrolls sideways") {
            svg(
                .class("timeline"), .px("width", width), .px("height", Self.height), .role("group"),
                .label(
                    "\(Figure.count(history.checkpoints.count, "checkpoint")) in the order in which they came"
                )
            ) {
                branches(places, onLine)
                lane
                for column in history.columns {
                    if let checkpoint = column.checkpoint, let place = places[checkpoint.digest] {
                        node(checkpoint, place, isOnLine: onLine.contains(checkpoint.digest))
                    }
                }
            }
        }
    }

    private func branches(_ places: [Digest: (x: Double, y: Double)], _ onLine: Set<Digest>) -> HTML {
        g(.class("branches")) {
            for checkpoint in history.checkpoints {
                if let parent = checkpoint.parent, let from = places[parent],
                    let to = places[checkpoint.digest]
                {
                    path(
                        .class(onLine.contains(checkpoint.digest) ? "trunk" : "branch"),
                        Attribute("d", Self.curve(from, to)))
                }
            }
        }
    }

    private static func curve(_ from: (x: Double, y: Double), _ to: (x: Double, y: Double)) -> String {
        func at(_ x: Double, _ y: Double) -> String { "\(Figure.coordinate(x)) \(Figure.coordinate(y))" }
        guard from.y != to.y else { return "M\(at(from.x, from.y))L\(at(to.x, to.y))" }
        // Leaves the parent along the line and drops shortly before the child, so that branches do not cross names.
        let bend = to.x - 44
        return "M\(at(from.x, from.y))L\(at(max(from.x, bend), from.y))C\(at(to.x - 8, from.y)) "
            + "\(at(to.x - 36, to.y)) \(at(to.x, to.y))"
    }

    private func node(_ checkpoint: Checkpoint, _ place: (x: Double, y: Double), isOnLine: Bool) -> HTML {
        let isMain = checkpoint.digest == history.main
        let label = Site.label(checkpoint)
        return a(
            .href(.checkpoint(checkpoint.digest)),
            .label("\(label), \(checkpoint.status.rawValue), checkpoint \(checkpoint.digest.short)")
        ) {
            g(
                .class(
                    "node tone-\(checkpoint.status.tone.rawValue)" + (isOnLine ? "" : " beside")
                        + (isMain ? " main" : "")
                )
            ) {
                svgTitle("\(label), \(checkpoint.status.rawValue), \(Figure.time(checkpoint.created))")
                if isMain { circle(.class("halo"), .px("cx", place.x), .px("cy", place.y), .px("r", 17)) }
                circle(.class("disc"), .px("cx", place.x), .px("cy", place.y), .px("r", 12))
                svgText(
                    .class("glyph"), .px("x", place.x), .px("y", place.y + 4.5),
                    Attribute("text-anchor", "middle"),
                    text: checkpoint.status.tone.glyph)
                svgText(
                    .class("label"), .px("x", place.x), .px("y", place.y + 34),
                    Attribute("text-anchor", "middle"),
                    text: Self.cut(label))
                svgText(
                    .class("name"), .px("x", place.x), .px("y", place.y + 49),
                    Attribute("text-anchor", "middle"),
                    text: String(checkpoint.digest.hex.prefix(8)))
            }
        }
    }

    /// What `main` named, from each move to the next.
    private var lane: HTML {
        let moves = history.columns.enumerated().filter { $0.element.move != nil }
        return g(.class("lane")) {
            svgText(.class("axis"), .px("x", 16), .px("y", Self.laneY + 6), text: "main")
            for (index, found) in moves.enumerated() {
                let start = Self.left + step * Double(found.offset)
                let end =
                    index + 1 < moves.count
                    ? Self.left + step * Double(moves[index + 1].offset) - 6 : width - 6
                if let move = found.element.move { bar(move, from: start, to: max(end, start + 20)) }
            }
        }
    }

    private func bar(_ move: JournalEntry, from start: Double, to end: Double) -> HTML {
        let target = move.checkpoint
        return g(.class("bar \(move.kind.rawValue)")) {
            svgTitle(
                "\(MoveText.word(move.kind)): main is \(target?.short ?? "") from \(Figure.time(move.time))"
                    + (move.reason.map { ". \($0)" } ?? ""))
            rect(
                .px("x", start), .px("y", Self.laneY - 10), .px("width", end - start),
                Attribute("height", "24"),
                Attribute("rx", "5"))
            svgText(
                .px("x", start + 8), .px("y", Self.laneY + 6),
                text: MoveText.glyph(move.kind) + " " + String((target?.hex ?? "").prefix(8)))
        }
    }

    /// At most 13 characters, so that names of neighbours do not touch.
    private static func cut(_ text: String) -> String {
        text.count > 14 ? text.prefix(13) + "\u{2026}" : text
    }
}

/// How moves of `main` are told.
enum MoveText {
    static func word(_ kind: JournalEntry.Kind) -> String {
        switch kind {
        case .`init`: "base"
        case .promotion: "promoted"
        case .waiver: "promoted by waiver"
        case .rollback: "rolled back"
        default: kind.rawValue.replacing("_", with: " ")
        }
    }

    static func glyph(_ kind: JournalEntry.Kind) -> String {
        switch kind {
        case .promotion: "\u{2191}"
        case .waiver: "!"
        case .rollback: "\u{21A9}"
        default: "\u{25CF}"
        }
    }
}
