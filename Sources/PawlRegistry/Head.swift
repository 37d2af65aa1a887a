internal import Foundation
internal import GRDB
internal import PawlCore

/// The file `HEAD`: the name of the newest entry that counts, and a line feed.
enum Head {
    static func read(_ root: URL) throws -> Digest? {
        let file = Registry.headFile(root)
        guard Files.exists(file) else { return nil }
        let text = String(decoding: try Files.read(file), as: UTF8.self)
        guard text.hasSuffix("\n"), let digest = Digest(hex: text.dropLast()) else {
            throw PawlError(
                .corrupt, "\(file.path) is damaged: it must hold the digest of a journal entry",
                hint: "remove that file: the next command makes it again from pawl.db")
        }
        return digest
    }

    static func write(_ digest: Digest, root: URL) throws {
        try Files.writeAtomically(Array("\(digest.hex)\n".utf8), to: Registry.headFile(root))
    }
}

extension Registry {
    /// Moves `HEAD` forward to the last entry of the database; the caller holds the lock.
    ///
    /// `HEAD` lags when a process died between its transaction and the file. It is never ahead, unless the
    /// database lost what it had committed or was replaced by an older copy: then nothing may be built on it.
    func reconcileHead() throws {
        let head = try Head.read(root)
        let (last, isKnown) = try read { db in
            let row = try head.flatMap {
                try Row.fetchOne(db, sql: "SELECT 1 FROM journal WHERE digest = ?", arguments: [$0.hex])
            }
            return (try Self.lastEntry(db)?.digest, row != nil)
        }
        if head == last { return }
        guard let last, head == nil || isKnown else {
            throw PawlError(
                .corrupt,
                "\(Self.databaseFile(root).path) lacks the journal entry \(head?.short ?? "") that HEAD names",
                hint: "pawl verify --rebuild makes the database again from the journal")
        }
        try Head.write(last, root: root)
    }
}
