internal import PawlCore
internal import PawlRegistry
internal import PawlStore
internal import PawlWorkflow

/// What the registry takes on disk, as it grew, beside a zoo of full copies or adapters.
struct StoragePage: Markup {
    private let report: StorageReport?

    init(_ site: Site) throws {
        report = try site.registry.reference(Reference.main) == nil ? nil : site.memory.storage(site.workflow)
    }

    var page: Page {
        Page(
            title: "Storage", place: .storage,
            content: pieces {
                if let report {
                    tiles(report)
                    growth(report)
                    section(.class("card")) {
                        h2("What each checkpoint adds")
                        table(report).html("Bytes that each checkpoint adds to those before it")
                    }
                } else {
                    empty("The registry has no checkpoint yet.", command: "pawl init --base DIR")
                }
            })
    }

    private func tiles(_ report: StorageReport) -> HTML {
        let logical = report.entries.reduce(0) { $0 + $1.use.logicalBytes }
        return div(.class("tiles")) {
            tile(
                "Stored", report.storedBytes,
                "all objects; of it \(Figure.bytes(report.otherBytes)) of evidence and suites")
            tile("Held", logical, "files of \(Figure.count(report.entries.count, "checkpoint")), bit for bit")
            tile("As full copies", report.copiesBytes, "the base and a copy for each skill of main")
            tile("As adapters", report.adaptersBytes, "the base and a rank-16 adapter for each skill of main")
        }
    }

    private func tile(_ title: String, _ bytes: Int, _ note: String) -> HTML {
        div(.class("tile")) {
            h2(title)
            p(.class("value"), text: Figure.bytes(bytes))
            p(.class("note"), text: note)
        }
    }

    private func growth(_ report: StorageReport) -> HTML {
        let growth = Growth(report)
        return figure(.class("card")) {
            figcaption {
                h2("Growth")
                span(.class("faint"), text: "after each checkpoint that is kept, rejected ones too")
            }
            Legend(names: growth.chart.series.map(\.name)).html
            growth.chart.html
            numbers("Growth of the registry", growth.table)
        }
    }

    private func table(_ report: StorageReport) -> DataTable {
        let largest = report.entries.map(\.use.addedBytes).max() ?? 1
        var table = DataTable(
            ["Checkpoint", "Skill", "Status", "Files", "Adds", "Share", "", "Encodings"], numbers: [3, 4, 5])
        for entry in report.entries.reversed() {
            let use = entry.use
            table.add(
                .html(checkpointLink(entry.checkpoint)), .html(name(entry.skill ?? "")),
                .html(badge(entry.status)),
                .number(Figure.bytes(use.logicalBytes)), .number(Figure.bytes(use.addedBytes)),
                .number(percent(Double(use.addedBytes) / Double(max(1, use.logicalBytes)))),
                .html(bar(Double(use.addedBytes) / Double(max(1, largest)))),
                .text(Self.encodings(use.payloadBytes)))
        }
        return table
    }

    private func bar(_ share: Double) -> HTML {
        svg(.hidden, .class("bar"), Attribute("width", "120"), Attribute("height", "12")) {
            rect(
                .class("fill"), Attribute("x", "0"), Attribute("y", "1"), .share("width", share),
                Attribute("height", "10"), Attribute("rx", "2"))
        }
    }

    private static func encodings(_ payload: [String: Int]) -> String {
        let all = Double(max(1, payload.values.reduce(0, +)))
        return payload.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\($0.key) \(percent(Double($0.value) / all))" }.joined(separator: ", ")
    }
}

/// Bytes after each kept checkpoint: as stored, as full copies, as adapters on the base.
struct Growth: Markup {
    private let rows: [(checkpoint: Digest, stored: Int, copies: Int, adapters: Int?)]

    init(_ report: StorageReport) {
        // What the report says an adapter takes: it counts the base and one for each skill on the line, as it does for
        // copies, where each is as large as the base.
        let base = report.entries.first?.use.logicalBytes ?? 0
        let skills = base > 0 ? Int((Double(report.copiesBytes) / Double(base)).rounded()) - 1 : 0
        let adapter = skills > 0 ? (report.adaptersBytes - report.copiesBytes / (1 + skills)) / skills : nil
        var (stored, copies) = (report.otherBytes, 0)
        rows = report.entries.enumerated().map { index, entry in
            stored += entry.use.addedBytes
            copies += entry.use.logicalBytes
            return (entry.checkpoint, stored, copies, adapter.map { base + index * $0 })
        }
    }

    var chart: LineChart {
        func series(_ name: String, _ value: (Int) -> Int?, isArea: Bool = false) -> LineChart.Series {
            LineChart.Series(
                name: name,
                points: rows.indices.compactMap { index in
                    value(index).map {
                        LineChart.Point(
                            x: Double(index), y: Double($0),
                            title: "\(name) at \(rows[index].checkpoint.short): \(Figure.bytes($0))",
                            isMarked: rows.count <= 40)
                    }
                }, isArea: isArea)
        }
        let curves = [
            series("stored by Pawl", { self.rows[$0].stored }, isArea: true),
            series("a full copy of each", { self.rows[$0].copies }),
            series("a rank-16 adapter of each", { self.rows[$0].adapters }),
        ].filter { !$0.points.isEmpty }
        let last = Double(max(1, rows.count - 1))
        return LineChart(
            label: "Stored \(Figure.bytes(rows.last?.stored ?? 0)); full copies would take "
                + "\(Figure.bytes(rows.last?.copies ?? 0))",
            series: curves, x: Scale(from: 0, to: last, ticks: []),
            y: Scale(holding: curves.flatMap { $0.points.map(\.y) } + [0]), height: 240,
            format: { Figure.bytes(Int($0)).replacing(".0 ", with: " ") },
            names: [(0, "base"), (last, "\(rows.count - 1) later")])
    }

    var table: DataTable {
        var table = DataTable(["Checkpoint", "Stored", "Full copies", "Adapters"], numbers: [1, 2, 3])
        for row in rows {
            table.add(
                .html(checkpointLink(row.checkpoint)), .number(Figure.bytes(row.stored)),
                .number(Figure.bytes(row.copies)), row.adapters.map { .number(Figure.bytes($0)) } ?? .none)
        }
        return table
    }
}
