internal import Foundation
internal import GRDB
internal import PawlCore
internal import PawlStore

/// A point between two steps of a change.
enum CommitStep: Sendable, Hashable { case entryWritten, committed }

/// A change that is about to be made.
struct Draft {
    var kind: JournalEntry.Kind
    var checkpoint: Digest?
    var skill: String?
    var suite: Digest?
    var verdict: Digest?
    var reason: String?
    /// What the entry holds.
    var body: any EntryBody
    /// Documents to write first; the body lists their names.
    var newDocuments: [[UInt8]] = []
}

/// What a look at the database says about a change: still to do, or done before.
enum Plan {
    case write(Draft)
    case done(JournalEntry)
}

extension Registry {
    /// The one way to change the registry.
    ///
    /// `plan` looks at the database and decides. Then: the documents, the entry's document, one transaction
    /// with the rows and the journal row, the file `HEAD`. The transaction checks that the journal still ends
    /// where `plan` saw it end, and every change is an entry, so whatever `plan` saw still holds then.
    func commit(_ plan: (Database) throws -> Plan) throws -> JournalEntry {
        let lock = try FileLock(Self.lockFile(root))
        defer { withExtendedLifetime(lock) {} }
        guard try FileIdentity(Self.databaseFile(root)) == file else {
            throw PawlError(
                .conflict, "\(Self.databaseFile(root).path) was rebuilt by another process",
                hint: "run the same command again")
        }
        try reconcileHead()
        // All writers take the lock, so the second round is for a file system that ignores it.
        for _ in 0..<8 {
            let (last, planned) = try read { db in (try Self.lastEntry(db), try plan(db)) }
            switch planned {
            case .done(let entry): return entry
            case .write(let draft):
                guard let entry = try attempt(draft, after: last) else { continue }
                try interruption?(.committed)
                try Head.write(entry.digest, root: root)
                return entry
            }
        }
        throw PawlError(
            .conflict, "the journal of \(root.path) keeps moving", hint: "run the same command again")
    }

    /// Writes one entry; nil when the journal moved meanwhile.
    private func attempt(_ draft: Draft, after last: JournalEntry?) throws -> JournalEntry? {
        for bytes in draft.newDocuments { _ = try store.putDocument(bytes) }
        var body = draft.body
        body.documents = Set(body.documents).sorted()
        for document in body.documents where !store.hasDocument(document) {
            throw PawlError(
                .notFound, "document \(document.hex), which this change rests on, is not in the store")
        }
        let content = EntryDocument(
            sequence: (last?.sequence ?? 0) + 1, previous: last?.digest, time: .now, actor: actor,
            kind: draft.kind,
            checkpoint: draft.checkpoint, skill: draft.skill, suite: draft.suite, verdict: draft.verdict,
            reason: draft.reason, body: try JSONValue(encoding: body))
        let bytes = try RecordDocument.journalEntry.bytes(content)
        // The rows come from the bytes that were written, as they do in a rebuild.
        let entry = try JournalEntry(document: bytes, name: store.putDocument(bytes))
        try interruption?(.entryWritten)
        return try Self.wrapping(Self.databaseFile(root).path) {
            try pool.write { db in
                guard try Self.lastEntry(db)?.digest == last?.digest else { return nil }
                try Self.apply(entry, to: db) { try store.document($0) }
                return entry
            }
        }
    }
}
