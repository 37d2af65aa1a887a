/// Text in columns.
struct Table {
    private var rows: [[String]]
    private let rightAligned: Set<Int>

    /// Starts a table; columns in `right` are aligned to the right (numbers).
    init(_ header: [String], right: Set<Int> = []) {
        rows = [header.map { Terminal.output.styled($0, .dim) }]
        rightAligned = right
    }

    /// Adds a row.
    mutating func add(_ row: [String]) { rows.append(row) }

    /// The lines, without trailing white space.
    var text: String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { $0.indices.contains(column) ? Self.visibleWidth($0[column]) : 0 }.max() ?? 0
        }
        let lines = rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - Self.visibleWidth(cell))
                return rightAligned.contains(column) ? padding + cell : cell + padding
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
        return lines.joined(separator: "\n")
    }

    /// Number of characters that a terminal shows: escape sequences count nothing.
    private static func visibleWidth(_ text: String) -> Int {
        text.contains("\u{1B}") ? text.replacing(/\u{1B}\[[0-9]*m/, with: "").count : text.count
    }
}
