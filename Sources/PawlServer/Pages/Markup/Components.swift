internal import PawlCore
internal import PawlRegistry

// The parts that pages share. What a colour means is said here once, and never by the colour alone.

/// What a word means for the reader: good, bad, open, an exception, or nothing of the kind. Each has a colour, a
/// glyph and a border of its own.
enum Tone: String, CaseIterable {
    case good, bad, open, exception, plain, none

    /// Stands beside the word, so that nothing rests on the colour.
    var glyph: String {
        switch self {
        case .good: "\u{2713}"
        case .bad: "\u{2715}"
        case .open: "?"
        case .exception: "!"
        case .plain: "\u{25CF}"
        case .none: "\u{2013}"
        }
    }
}

extension HoldState {
    var tone: Tone {
        switch self {
        case .held: .good
        case .regressed: .bad
        case .undecided: .open
        case .waived: .exception
        case .unmeasured: .none
        }
    }
}

extension VerdictRecord.Decision {
    var tone: Tone {
        switch self {
        case .accept: .good
        case .reject: .bad
        case .inconclusive: .open
        case .none: .none
        }
    }

    /// As the gate says it.
    var word: String { self == .none ? "measured" : rawValue.uppercased() }
}

extension Checkpoint.Status {
    var tone: Tone {
        switch self {
        case .base: .plain
        case .candidate: .none
        case .accepted: .good
        case .rejected: .bad
        case .inconclusive: .open
        case .waived: .exception
        }
    }
}

extension VerdictSuite.State {
    var tone: Tone {
        switch self {
        case .held, .gained: .good
        case .regressed, .notGained: .bad
        case .undecided: .open
        }
    }

    var word: String { self == .notGained ? "no gain" : rawValue }
}

extension Markup {
    /// A word with its colour and glyph.
    func badge(_ word: String, _ tone: Tone) -> HTML {
        span(.class("badge tone-\(tone.rawValue)")) {
            span(.hidden, .class("glyph"), text: tone.glyph)
            word
        }
    }

    func badge(_ state: HoldState) -> HTML { badge(state.rawValue, state.tone) }
    func badge(_ decision: VerdictRecord.Decision) -> HTML { badge(decision.word, decision.tone) }
    func badge(_ status: Checkpoint.Status) -> HTML { badge(status.rawValue, status.tone) }

    /// A checkpoint by its short name, leading to its page.
    func checkpointLink(_ digest: Digest) -> HTML {
        a(.href(.checkpoint(digest)), .class("digest"), text: digest.short)
    }

    /// A digest that leads nowhere.
    func digest(_ digest: Digest) -> HTML { code(.class("digest"), text: digest.short) }

    /// A name that somebody chose, kept apart from the direction of the text around it.
    func name(_ text: String) -> HTML { bdi(text) }

    /// A moment in UTC, to the minute.
    func when(_ timestamp: Timestamp) -> HTML {
        time(Attribute("datetime", timestamp.description), text: Figure.time(timestamp))
    }

    /// Where there is nothing to show: what would stand there and what makes it.
    func empty(_ text: String, command line: String? = nil) -> HTML {
        div(.class("empty")) {
            p(text)
            if let line { command(line) }
        }
    }

    /// A command for the terminal, with a button that copies it where scripts run.
    func command(_ text: String) -> HTML {
        div(.class("command")) {
            code(text)
            button(
                Attribute("type", "button"), Attribute("data-copy", text), Attribute("hidden", ""),
                .label("Copy the command \(text)"), text: "Copy")
        }
    }

    /// A wide thing that scrolls by itself, also by the keyboard, so that the page never does.
    func scroller(_ label: String, @HTMLBuilder _ content: () throws -> HTML) rethrows -> HTML {
        try div(
            .class("scroller"), .role("region"), .label(label), Attribute("tabindex", "0"), content: content)
    }

    /// The numbers behind a chart.
    func numbers(_ caption: String, _ table: DataTable) -> HTML {
        details(.class("numbers")) {
            summary("The numbers")
            table.html(caption)
        }
    }

    /// A definition list of facts.
    func facts(_ list: [(String, HTML)]) -> HTML {
        dl(.class("facts")) {
            for (term, value) in list {
                div {
                    dt(term)
                    dd { value }
                }
            }
        }
    }
}

extension Link {
    static func checkpoint(_ digest: Digest, fragment: String? = nil) -> Link {
        Link(["checkpoints", digest.hex], fragment: fragment)
    }
    /// The items of a suite that a checkpoint answers otherwise than its anchor.
    static func flips(_ checkpoint: Digest, _ suite: String, verdict: Digest? = nil) -> Link {
        Link(["checkpoints", checkpoint.hex, "flips"], query: [("suite", suite), ("verdict", verdict?.hex)])
    }
}

/// A table of text and figures: figures are set right, and it scrolls by itself where the screen is narrow.
struct DataTable: Markup {
    /// A cell.
    enum Cell {
        case text(String)
        case number(String)
        case html(HTML)
        /// Words of somebody, which may take several lines.
        case prose(String)
        /// A piece of markup that is set right like a number.
        case figure(HTML)
        case none
    }

    private let columns: [(title: String, isNumber: Bool)]
    /// Rows under a common heading; the first group has none.
    private var groups: [(title: String?, rows: [[Cell]])] = [(nil, [])]

    /// - Parameters:
    ///   - columns: titles from left to right; the first one's cells head their rows.
    ///   - numbers: places of the columns that hold figures.
    init(_ columns: [String], numbers: Set<Int> = []) {
        self.columns = columns.enumerated().map { ($1, numbers.contains($0)) }
    }

    mutating func add(_ cells: Cell...) { add(cells) }
    mutating func add(_ cells: [Cell]) { groups[groups.count - 1].rows.append(cells) }

    /// Begins a group of rows with a heading of its own.
    mutating func begin(_ title: String) { groups.append((title, [])) }

    /// The table, in a region that scrolls.
    func html(_ caption: String, isCaptionShown: Bool = false) -> HTML {
        scroller(caption) {
            table(.class("data")) {
                self.caption(isCaptionShown ? nil : .class("unseen"), text: caption)
                thead {
                    tr {
                        for column in columns {
                            th(.scope("col"), column.isNumber ? .class("n") : nil, text: column.title)
                        }
                    }
                }
                for group in groups where !group.rows.isEmpty { self.group(group.title, group.rows) }
            }
        }
    }

    private func group(_ title: String?, _ rows: [[Cell]]) -> HTML {
        tbody {
            if let title {
                tr(.class("group")) {
                    th(.scope("rowgroup"), Attribute("colspan", "\(columns.count)"), text: title)
                }
            }
            for row in rows { tr { for (place, cell) in row.enumerated() { self.cell(cell, place) } } }
        }
    }

    private func cell(_ cell: Cell, _ place: Int) -> HTML {
        let tag = place == 0 ? th : td
        let scope: Attribute? = place == 0 ? .scope("row") : nil
        return switch cell {
        case .text(let text): tag(scope, text: text)
        case .number(let text): tag(scope, .class("n"), text: text)
        case .prose(let text): tag(scope, .class("prose"), text: text)
        case .html(let html): tag(scope) { html }
        case .figure(let html): tag(scope, .class("n")) { html }
        case .none:
            tag(scope, .class(columns[place].isNumber ? "n nothing" : "nothing")) {
                span(.hidden, text: "\u{2013}")
            }
        }
    }
}
