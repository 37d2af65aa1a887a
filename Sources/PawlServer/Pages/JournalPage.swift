internal import PawlCore
internal import PawlRegistry

/// Every change, who made it, when and why; with a search.
struct JournalPage: Markup {
    private let site: Site
    private let search: JournalSearch
    private let entries: [JournalEntry]
    private let rows: JournalTable
    /// Sequence number before which the next page begins; nil on the last one.
    private let next: Int?

    private static let size = 50
    private static let longestText = 200

    init(_ site: Site, _ query: [String: String]) throws {
        self.site = site
        search = JournalSearch(
            text: String((query["q"] ?? "").prefix(Self.longestText)),
            kind: query["kind"].flatMap(JournalEntry.Kind.init(rawValue:)),
            before: query["before"].flatMap(Int.init), limit: Self.size + 1)
        let found = try site.registry.search(search)
        entries = Array(found.prefix(Self.size))
        rows = try JournalTable(site, entries)
        next = found.count > Self.size ? entries.last?.sequence : nil
    }

    var page: Page {
        Page(
            title: "Journal", place: .journal,
            content: pieces {
                p(
                    .class("lead"),
                    text:
                        "Every change, newest first. Each entry names the one before it, and none is ever rewritten."
                )
                question
                section(.class("card")) {
                    h2(.class("unseen"), text: "Entries")
                    if entries.isEmpty {
                        empty("No entry fits.")
                    } else {
                        rows.html("Entries of the journal")
                    }
                    if let next { p { a(.class("button"), .href(older(next)), text: "Older entries") } }
                }
            })
    }

    private var question: HTML {
        form(.class("question"), .role("search"), Attribute("method", "get"), .action(Link(["journal"]))) {
            div {
                label(Attribute("for", "q"), text: "Find")
                input(
                    .id("q"), Attribute("name", "q"), Attribute("type", "search"),
                    Attribute("value", search.text),
                    Attribute("placeholder", "skill, suite, digest, person, reason"))
            }
            div {
                label(Attribute("for", "kind"), text: "Kind")
                select(.id("kind"), Attribute("name", "kind")) {
                    option(Attribute("value", ""), text: "all")
                    for kind in JournalEntry.Kind.allCases {
                        option(
                            Attribute("value", kind.rawValue),
                            kind == search.kind ? Attribute("selected", "") : nil,
                            text: kind.rawValue.replacing("_", with: " "))
                    }
                }
            }
            button(Attribute("type", "submit"), text: "Search")
        }
    }

    private func older(_ sequence: Int) -> Link {
        Link(
            ["journal"],
            query: [
                ("q", search.text.isEmpty ? nil : search.text), ("kind", search.kind?.rawValue),
                ("before", "\(sequence)"),
            ])
    }
}

/// Entries of the journal as rows.
struct JournalTable: Markup {
    private let entries: [JournalEntry]
    private let suites: [Digest: String]
    private let decisions: [Digest: VerdictRecord.Decision]

    init(_ site: Site, _ entries: [JournalEntry]) throws {
        self.entries = entries
        let registry = site.registry
        suites = try Dictionary(
            uniqueKeysWithValues: Set(entries.compactMap(\.suite)).map { ($0, try registry.suite($0).name) })
        let judged = entries.filter { [.verdict, .gateRun].contains($0.kind) }.compactMap(\.verdict)
        decisions = try Dictionary(
            uniqueKeysWithValues: Set(judged).map { ($0, try registry.verdict($0).decision) })
    }

    func html(_ caption: String) -> HTML {
        var table = DataTable(["#", "When", "What", "Checkpoint", "About", "Who", "Why"], numbers: [0])
        for entry in entries {
            table.add(
                .number("\(entry.sequence)"), .html(when(entry.time)), .html(what(entry)),
                entry.checkpoint.map { .html(checkpointLink($0)) } ?? .none,
                .html(name(entry.skill ?? entry.suite.flatMap { suites[$0] } ?? "")),
                .html(name(entry.actor)),
                .prose(entry.reason ?? ""))
        }
        return table.html(caption)
    }

    private func what(_ entry: JournalEntry) -> HTML {
        pieces {
            entry.kind.rawValue.replacing("_", with: " ") + " "
            if [.verdict, .gateRun].contains(entry.kind) {
                entry.verdict.flatMap { decisions[$0] }.map { badge($0) }
            }
        }
    }
}
