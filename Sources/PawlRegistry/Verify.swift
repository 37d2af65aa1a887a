internal import Foundation
internal import GRDB
public import PawlCore
public import PawlStore

/// What a check of a registry found.
public struct VerifyReport: Codable, Sendable, Hashable {
    /// Number of journal entries.
    public var entries: Int
    /// The newest one.
    public var head: Digest?
    /// What is wrong with the registry itself.
    public var problems: [Problem]
    /// What is wrong in the store.
    public var damage: [Damage]
    /// Where the journal splits.
    public var forks: [Fork]
    /// Entries whose change died before it was made: harmless.
    public var unconfirmed: [Digest]
    /// What a repair mended before this was found; nil when none was asked for.
    public var repair: RegistryRepair?

    /// True when nothing is wrong.
    public var isSound: Bool { problems.isEmpty && damage.isEmpty && forks.isEmpty }

    /// One thing that is wrong.
    public struct Problem: Codable, Sendable, Hashable {
        /// What kind of thing.
        public var kind: Kind
        /// What it is about: a digest, a table, a file.
        public var subject: String
        /// What is wrong with it, in one line.
        public var message: String

        /// Kinds of problems.
        public enum Kind: String, Codable, Sendable, CaseIterable {
            /// SQLite says that the file is damaged.
            case database
            /// The rows are not those that the journal gives.
            case rows
            /// The chain of entries is broken or was altered.
            case journal
            /// `HEAD` and the journal disagree.
            case head
            /// A document that the registry needs is missing.
            case document
            /// A tree that the registry needs is missing.
            case tree
        }

        private enum CodingKeys: String, CodingKey { case kind, subject, message }
    }

    private enum CodingKeys: String, CodingKey {
        case entries, head, problems, damage, forks, unconfirmed, repair
    }
}

extension Registry {
    /// Checks everything: the database, the chain of entries, `HEAD`, that every named document and tree is
    /// there, that a replay of the journal gives the rows, and the store itself.
    ///
    /// - Parameter deep: the store also decodes every tensor.
    public func verify(deep: Bool = true, progress: ProgressHandler? = nil) throws -> VerifyReport {
        // What the rows name must not be collected between the look at the rows and the look at the store.
        try store.withoutCollection {
            var report = try verifyIndex()
            // A database that cannot be read is in the report already; the store is looked at all the same.
            let known = (try? read { try Self.roots($0).trees }) ?? []
            report.damage = try store.verify(deep: deep, known: known, progress: progress)
            report.problems += try damagedDocuments(report.damage)
            return report
        }
    }

    /// What the damaged documents are: the store knows no more of them than their names.
    private func damagedDocuments(_ damage: [Damage]) throws -> [VerifyReport.Problem] {
        let entries = try journal()
        return damage.compactMap { item in
            guard let digest = Digest(hex: item.object.split(separator: "/").last ?? ""),
                let entry = entries.first(where: { $0.documents.contains(digest) })
            else { return nil }
            return .init(
                kind: .document, subject: digest.hex,
                message: "a document of journal entry \(entry.sequence) (\(entry.kind.rawValue)) is damaged")
        }
    }

    /// The registry's own part of ``verify(deep:progress:)``.
    func verifyIndex() throws -> VerifyReport {
        let snapshot = try snapshot()
        let entries = snapshot.entries
        let head = entries.last?.digest ?? snapshot.head
        var report = VerifyReport(
            entries: entries.count, head: head, problems: snapshot.problems, damage: [], forks: [],
            unconfirmed: [])
        report.problems += checkEntries(entries)
        report.problems += checkPresence(snapshot)
        do {
            let chain = try Chain(store: store, head: head, documents: snapshot.documents)
            report.forks = chain.forks
            report.unconfirmed = chain.unconfirmed
            report.problems += try checkRows(snapshot, chain.entries)
        } catch let error as PawlError {
            report.problems.append(.init(kind: .journal, subject: "journal", message: Self.line(error)))
        }
        return report
    }

    /// An error without its hints: a report is one line a problem.
    private static func line(_ error: any Error) -> String {
        guard let error = error as? PawlError else { return "\(error)" }
        return error.underlying.map { "\(error.message): \(line($0))" } ?? error.message
    }

    /// What a check looks at, as it was at one moment.
    private struct Snapshot {
        var entries: [JournalEntry] = []
        var head: Digest?
        var rows: [String: [String]] = [:]
        var trees: Set<Digest> = []
        var needed: Set<Digest> = []
        /// Every document that the store had then: an entry that is written later is neither loose nor a fork.
        var documents: [Digest] = []
        var problems: [VerifyReport.Problem] = []
    }

    /// Takes the snapshot under the lock, which is short; the checks themselves stop nobody.
    private func snapshot() throws -> Snapshot {
        let lock = try FileLock(Self.lockFile(root))
        defer { withExtendedLifetime(lock) {} }
        var snapshot = Snapshot()
        /// A value that cannot be read is a finding, not the end of the check.
        func look(_ kind: VerifyReport.Problem.Kind, _ subject: String, _ body: () throws -> Void) throws {
            do {
                try body()
            } catch let error as PawlError where error.code == .corrupt || error.code == .internalError {
                snapshot.problems.append(.init(kind: kind, subject: subject, message: error.description))
            }
        }
        var isHeadRead = false
        try look(.database, "pawl.db") { snapshot.problems += try checkDatabase() }
        try look(.head, "HEAD") {
            snapshot.head = try Head.read(root)
            isHeadRead = true
        }
        try look(.database, "journal") { snapshot.entries = try journal() }
        try look(.database, "pawl.db") { snapshot.rows = try read(Schema.rows) }
        try look(.database, "pawl.db") { (snapshot.trees, snapshot.needed) = try read { try Self.roots($0) } }
        snapshot.documents = try store.documents()
        if let last = snapshot.entries.last?.digest, isHeadRead, snapshot.head != last {
            snapshot.problems.append(
                .init(
                    kind: .head, subject: "HEAD",
                    message: "names \(snapshot.head?.hex ?? "nothing"); the journal ends in \(last.hex)"))
        }
        return snapshot
    }

    private func checkDatabase() throws -> [VerifyReport.Problem] {
        try read { db in
            let damage = try String.fetchAll(db, sql: "PRAGMA integrity_check").filter { $0 != "ok" }
            let broken = try Row.fetchAll(db, sql: "PRAGMA foreign_key_check")
            return damage.map { .init(kind: .database, subject: "pawl.db", message: $0) }
                + broken.map { row in
                    let table: String = row[0]
                    let parent: String = row[2]
                    return .init(
                        kind: .database, subject: table, message: "a row names a \(parent) that is not there")
                }
        }
    }

    /// Each row against its document, and the links between them.
    private func checkEntries(_ entries: [JournalEntry]) -> [VerifyReport.Problem] {
        var problems: [VerifyReport.Problem] = []
        var previous: JournalEntry?
        for entry in entries {
            if entry.previous != previous?.digest || entry.sequence != (previous?.sequence ?? 0) + 1 {
                problems.append(
                    .init(
                        kind: .journal, subject: entry.digest.hex,
                        message: "entry \(entry.sequence) does not follow the entry before it"))
            }
            do {
                if try JournalEntry(document: store.document(entry.digest), name: entry.digest) != entry {
                    problems.append(
                        .init(
                            kind: .journal, subject: entry.digest.hex,
                            message: "entry \(entry.sequence) in the database is not the one that was written"
                        ))
                }
            } catch {
                problems.append(
                    .init(
                        kind: .journal, subject: entry.digest.hex,
                        message: "entry \(entry.sequence) cannot be read: \(Self.line(error))"))
            }
            previous = entry
        }
        return problems
    }

    private func checkPresence(_ snapshot: Snapshot) -> [VerifyReport.Problem] {
        let missingDocuments = snapshot.needed.filter { !store.hasDocument($0) }.sorted()
        let missingTrees = snapshot.trees.filter { !store.hasTree($0) }.sorted()
        return missingDocuments.map { document in
            let entry = snapshot.entries.first { $0.documents.contains(document) }
            let place = entry.map { "journal entry \($0.sequence) (\($0.kind.rawValue))" } ?? "the journal"
            return .init(kind: .document, subject: document.hex, message: "a document of \(place) is missing")
        }
            + missingTrees.map { tree in
                .init(
                    kind: .tree, subject: tree.hex, message: "a tree that is needed is missing or damaged")
            }
    }

    private func checkRows(_ snapshot: Snapshot, _ entries: [JournalEntry]) throws -> [VerifyReport.Problem] {
        let queue = try DatabaseQueue()
        do {
            try Self.wrapping("the replayed database") { try Self.replay(entries, store: store, into: queue) }
        } catch let error as PawlError {
            return [.init(kind: .journal, subject: "journal", message: Self.line(error))]
        }
        let replayed = try Self.wrapping("the replayed database") { try queue.read(Schema.rows) }
        return Schema.derivedTables.flatMap { table -> [VerifyReport.Problem] in
            let expected = Set(replayed[table] ?? [])
            let found = Set(snapshot.rows[table] ?? [])
            let extra = found.subtracting(expected).sorted().map { ("is not what the journal gives", $0) }
            let lost = expected.subtracting(found).sorted().map { ("is missing", $0) }
            return (extra + lost).prefix(20).map {
                .init(kind: .rows, subject: table, message: "the row (\($0.1.prefix(120))) \($0.0)")
            }
        }
    }
}
