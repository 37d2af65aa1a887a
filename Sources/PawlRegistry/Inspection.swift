internal import Foundation
internal import GRDB

// A look at the database past the registry's own queries. Only the tests use it: GRDB shows in no module but
// this one, so they cannot import it themselves.
extension Registry {
    /// Runs a statement on the writer as it is; with foreign keys off when asked.
    func execute(_ statement: String, _ values: [String] = [], foreignKeys: Bool = true) throws {
        try pool.writeWithoutTransaction { db in
            if !foreignKeys { try db.execute(sql: "PRAGMA foreign_keys = OFF") }
            defer { if !foreignKeys { try? db.execute(sql: "PRAGMA foreign_keys = ON") } }
            try db.execute(sql: statement, arguments: StatementArguments(values))
        }
    }

    /// The first column of the first row, asked of the writer.
    func value(_ query: String) throws -> String? {
        try pool.writeWithoutTransaction { try String.fetchOne($0, sql: query) }
    }

    /// Every derived row (``Schema/rows(_:)``).
    func rows() throws -> [String: [String]] { try read(Schema.rows) }

    /// The same of a database file.
    static func rows(inFile file: URL) throws -> [String: [String]] {
        try DatabaseQueue(path: file.path).read(Schema.rows)
    }

    /// The migrated schema (``Schema/dump(_:)``).
    func schema() throws -> String { try read(Schema.dump) }

    /// Writes a copy of the database to a new file.
    func backUp(to file: URL) throws { try pool.backup(to: DatabaseQueue(path: file.path)) }

    /// Closes the connections, so that the file can be taken away.
    func close() throws { try pool.close() }
}
