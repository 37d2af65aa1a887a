internal import GRDB
public import PawlCore

extension Registry {
    /// The checkpoint that a text names: a reference, a digest or a prefix of at least four digits of one,
    /// each followed by `~N` for the N-th ancestor.
    ///
    /// Fails with `notFound` for an unknown name and beyond the base, `invalidArgument` for an ambiguous prefix
    /// (with the candidates) and for a text that is no reference.
    public func resolve(_ text: String) throws -> Digest {
        let parts = text.split(separator: "~", maxSplits: 1, omittingEmptySubsequences: false)
        let steps = try parts.count == 2 ? Self.steps(parts[1], text) : 0
        return try read { db in
            let start = try Self.start(String(parts[0]), db)
            if steps == 0 { return start }
            let line = try Self.line(of: start, db)
            guard steps < line.count else {
                throw PawlError(
                    .notFound, "\(text) goes beyond the base: \(start.short) has \(line.count - 1) ancestors")
            }
            return line[steps].digest
        }
    }

    private static func steps(_ digits: Substring, _ text: String) throws -> Int {
        if digits.isEmpty { return 1 }
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let steps = Int(digits) else {
            throw PawlError(
                .invalidArgument, "\"\(text)\" is no reference: \"\(digits)\" after ~ is not a number",
                hint: "write it like main~2")
        }
        return steps
    }

    private static func start(_ name: String, _ db: Database) throws -> Digest {
        if let reference = try reference(name, db) { return reference.checkpoint }
        if name == Reference.main { return try main(db) }
        let prefix = name.lowercased()
        guard !prefix.isEmpty, prefix.count <= 64, prefix.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
            throw PawlError(
                .notFound, "there is no reference \"\(name)\"",
                hint: "main, a digest or its first digits, main~2")
        }
        guard prefix.count >= 4 else {
            throw PawlError(.invalidArgument, "\"\(name)\" is too short: give at least 4 digits of a digest")
        }
        // A prefix of hexadecimal digits, so everything that begins with it sorts before its followed by "g".
        let rows = try Row.fetchAll(
            db, sql: "SELECT digest FROM checkpoint WHERE digest >= ? AND digest < ? ORDER BY digest LIMIT 9",
            arguments: [prefix, prefix + "g"])
        let found = try rows.map { try $0.digest("digest") }
        guard let first = found.first else {
            throw PawlError(
                .notFound, "there is no checkpoint \"\(name)\"", hint: "pawl log lists what there is")
        }
        guard found.count == 1 else {
            let shown = found.prefix(8).map { String($0.hex.prefix(max(12, prefix.count + 4))) }
            throw PawlError(
                .invalidArgument,
                "\"\(name)\" is ambiguous: \(shown.joined(separator: ", "))\(found.count > 8 ? ", ..." : "")",
                hint: "give more digits")
        }
        return first
    }
}
