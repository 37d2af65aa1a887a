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

    /// The verdict that a text names: a digest or a prefix of at least four digits of one, or a checkpoint
    /// (``resolve(_:)``), whose newest verdict is meant.
    public func resolveVerdict(_ text: String) throws -> Digest {
        if Self.isPrefix(text.lowercased()), let found = try read({ try Self.match(text, in: .verdict, $0) })
        {
            return found
        }
        let checkpoint = try resolve(text)
        guard let verdict = try verdicts(of: checkpoint).first else {
            throw PawlError(
                .notFound, "checkpoint \(checkpoint.short) was never judged",
                hint: "pawl gate run \(checkpoint.short) judges it")
        }
        return verdict.digest
    }

    private static func start(_ name: String, _ db: Database) throws -> Digest {
        if let reference = try reference(name, db) { return reference.checkpoint }
        if name == Reference.main { return try main(db) }
        guard isPrefix(name.lowercased()) else {
            throw PawlError(
                .notFound, "there is no reference \"\(name)\"",
                hint: "main, a digest or its first digits, main~2")
        }
        guard let digest = try match(name, in: .checkpoint, db) else {
            throw PawlError(
                .notFound, "there is no checkpoint \"\(name)\"", hint: "pawl log lists what there is")
        }
        return digest
    }

    /// Tables whose rows are named by a digest.
    private enum Named: String { case checkpoint, verdict }

    private static func isPrefix(_ text: String) -> Bool {
        !text.isEmpty && text.count <= 64 && text.allSatisfy { $0.isASCII && $0.isHexDigit }
    }

    /// The row whose name begins with a prefix; nil when there is none.
    private static func match(_ name: String, in table: Named, _ db: Database) throws -> Digest? {
        let prefix = name.lowercased()
        guard prefix.count >= 4 else {
            throw PawlError(.invalidArgument, "\"\(name)\" is too short: give at least 4 digits of a digest")
        }
        // A prefix of hexadecimal digits, so everything that begins with it sorts before its followed by "g".
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT digest FROM \(table.rawValue) WHERE digest >= ? AND digest < ? ORDER BY digest LIMIT 9
                """,
            arguments: [prefix, prefix + "g"])
        let found = try rows.map { try $0.digest("digest") }
        guard found.count > 1 else { return found.first }
        let shown = found.prefix(8).map { String($0.hex.prefix(max(12, prefix.count + 4))) }
        throw PawlError(
            .invalidArgument,
            "\"\(name)\" is ambiguous: \(shown.joined(separator: ", "))\(found.count > 8 ? ", ..." : "")",
            hint: "give more digits")
    }
}
