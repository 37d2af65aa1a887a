internal import GRDB
internal import PawlCore

/// What to look for in the journal; nil and empty members do not narrow it.
public struct JournalSearch: Sendable, Hashable {
    /// Stands somewhere in the entry: its kind, skill, suite, reason or who wrote it; or the first digits of the
    /// checkpoint, the verdict or the entry.
    public var text: String
    /// Kind of the entries.
    public var kind: JournalEntry.Kind?
    /// Only entries before this sequence number.
    public var before: Int?
    /// Most entries to give.
    public var limit: Int

    /// Makes a question.
    public init(text: String = "", kind: JournalEntry.Kind? = nil, before: Int? = nil, limit: Int = 50) {
        self.text = text
        self.kind = kind
        self.before = before
        self.limit = limit
    }
}

extension Registry {
    /// Entries that a search finds, newest first.
    public func search(_ search: JournalSearch) throws -> [JournalEntry] {
        // % and _ mean themselves, so that somebody who looks for "50%" finds it.
        let quoted = search.text.replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing(
            "_", with: "\\_")
        return try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM journal
                    WHERE (?1 IS NULL OR sequence < ?1) AND (?2 IS NULL OR kind = ?2)
                      AND (?3 = '' OR replace(kind, '_', ' ') LIKE ?4 ESCAPE '\\' OR kind LIKE ?4 ESCAPE '\\'
                           OR skill LIKE ?4 ESCAPE '\\' OR reason LIKE ?4 ESCAPE '\\' OR actor LIKE ?4 ESCAPE '\\'
                           OR checkpoint LIKE ?5 ESCAPE '\\' OR verdict LIKE ?5 ESCAPE '\\' OR digest LIKE ?5 ESCAPE '\\'
                           OR suite IN (SELECT digest FROM suite WHERE name LIKE ?4 ESCAPE '\\'))
                    ORDER BY sequence DESC LIMIT ?6
                    """,
                arguments: [
                    search.before, search.kind?.rawValue, search.text, "%\(quoted)%", "\(quoted)%",
                    search.limit,
                ]
            ).map(JournalEntry.init)
        }
    }
}
