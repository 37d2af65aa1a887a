internal import Foundation
internal import GRDB
internal import PawlCore

extension Registry {
    /// Runs a read on a snapshot of the database.
    func read<T>(_ body: (Database) throws -> T) throws -> T {
        try Self.wrapping(Self.databaseFile(root).path) { try pool.read(body) }
    }

    /// Runs `body` and turns an error of SQLite into one of ours.
    static func wrapping<T>(_ what: String, _ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let error as DatabaseError {
            throw translated(error, what)
        }
    }

    private static func translated(_ error: DatabaseError, _ what: String) -> PawlError {
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            PawlError(
                .locked, "\(what) is busy: another process is writing", hint: "try again in a moment",
                underlying: error)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_SCHEMA:
            PawlError(
                .corrupt, "\(what) is damaged", hint: "pawl verify --rebuild makes it again from the journal",
                underlying: error)
        case .SQLITE_FULL:
            PawlError(
                .io, "the disk is full: cannot write \(what)",
                hint: "free some space on that disk, then run the same command again", underlying: error)
        case .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM:
            PawlError(.io, "cannot use \(what)", underlying: error)
        default:
            PawlError(.internalError, "the database \(what) refused a statement", underlying: error)
        }
    }
}

/// Values as SQL text; nil becomes NULL.
func sql(_ digest: Digest?) -> String? { digest?.hex }
func sql(_ time: Timestamp?) -> String? { time?.description }
func sql(_ value: JSONValue?) throws -> String? {
    try value.map { String(decoding: try JSON.canonical($0), as: UTF8.self) }
}

extension Row {
    func digest(_ column: String) throws -> Digest {
        guard let digest = try optionalDigest(column) else { throw damaged(column) }
        return digest
    }

    func optionalDigest(_ column: String) throws -> Digest? {
        guard let text: String = self[column] else { return nil }
        guard let digest = Digest(hex: text) else { throw damaged(column) }
        return digest
    }

    func timestamp(_ column: String) throws -> Timestamp {
        guard let time = try optionalTimestamp(column) else { throw damaged(column) }
        return time
    }

    func optionalTimestamp(_ column: String) throws -> Timestamp? {
        guard let text: String = self[column] else { return nil }
        guard let time = Timestamp(text) else { throw damaged(column) }
        return time
    }

    func json(_ column: String) throws -> JSONValue? {
        guard let text: String = self[column] else { return nil }
        do {
            return try JSON.parse(Array(text.utf8), source: column)
        } catch {
            throw damaged(column)
        }
    }

    func choice<T: RawRepresentable>(_ column: String, _ type: T.Type = T.self) throws -> T
    where T.RawValue == String {
        guard let text: String = self[column], let value = T(rawValue: text) else { throw damaged(column) }
        return value
    }

    private func damaged(_ column: String) -> PawlError {
        let value: String? = self[column]
        return PawlError(
            .corrupt,
            "column \(column) of the registry's database holds \(value.map { "\"\($0)\"" } ?? "nothing")",
            hint: "pawl verify --rebuild makes the database again from the journal")
    }
}
