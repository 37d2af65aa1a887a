internal import Foundation
public import PawlCore
internal import PawlStore

/// The journal as the store has it, without the database.
struct Chain {
    /// The entries that count, oldest first.
    var entries: [JournalEntry]
    /// The newest entry that counts.
    var head: Digest?
    /// Entries that others build on and that are not on the chain, with those that stand at their place in it.
    var forks: [Fork]
    /// Entries that nothing names: their change died before it was made.
    var unconfirmed: [Digest]

    /// Reads the chain that ends in `head`; when there is no HEAD, in the newest entry that another one names.
    ///
    /// - Parameter documents: where to look for entries that do not count; all that the store has.
    init(store: Store, head: Digest?, documents: [Digest]) throws {
        let all = Self.scan(store, documents)
        let head = try head ?? Self.lastNamed(all)
        entries = []
        var next = head
        while let name = next {
            let entry = try all[name] ?? Self.load(name, store)
            entries.append(entry)
            next = entry.previous
        }
        entries.reverse()
        self.head = head
        try Self.checkSequence(entries)
        (forks, unconfirmed) = Self.leftOvers(all, chain: entries)
    }

    private static func load(_ name: Digest, _ store: Store) throws -> JournalEntry {
        do {
            return try JournalEntry(document: store.document(name), name: name)
        } catch let error as PawlError where error.code == .notFound || error.code == .corrupt {
            throw PawlError(
                .corrupt, "the journal is broken: entry \(name.hex) cannot be read", hint: error.hint,
                underlying: error)
        }
    }

    /// Every journal entry that the store holds. Damaged documents are no concern here: an entry that is
    /// needed and cannot be read is an error of the walk.
    private static func scan(_ store: Store, _ documents: [Digest]) -> [Digest: JournalEntry] {
        let mark = Array(#""type":"journal_entry""#.utf8)
        var entries: [Digest: JournalEntry] = [:]
        for name in documents {
            guard let bytes = try? store.document(name), bytes.first == UInt8(ascii: "{"),
                Data(bytes).range(of: Data(mark)) != nil
            else { continue }
            if let entry = try? JournalEntry(document: bytes, name: name) { entries[name] = entry }
        }
        return entries
    }

    private static func lastNamed(_ all: [Digest: JournalEntry]) throws -> Digest? {
        let named = Set(all.values.compactMap(\.previous))
        guard let top = named.compactMap({ all[$0]?.sequence }).max() else { return nil }
        let candidates = named.filter { all[$0]?.sequence == top }.sorted()
        guard let only = candidates.first, candidates.count == 1 else {
            throw PawlError(
                .corrupt,
                "HEAD is missing and the journal forks: \(candidates.map(\.short).joined(separator: ", "))",
                hint: "write the digest of the right entry and a line feed to HEAD")
        }
        return only
    }

    private static func checkSequence(_ entries: [JournalEntry]) throws {
        for (index, entry) in entries.enumerated() {
            guard entry.sequence == index + 1 else {
                throw PawlError(
                    .corrupt,
                    "the journal is broken: entry \(entry.digest.hex) says it is number \(entry.sequence) and stands at \(index + 1)"
                )
            }
        }
    }

    private static func leftOvers(_ all: [Digest: JournalEntry], chain: [JournalEntry]) -> ([Fork], [Digest])
    {
        let counted = Set(chain.map(\.digest))
        let named = Set(all.values.compactMap(\.previous))
        let others = all.values.filter { !counted.contains($0.digest) }
        let forks = others.filter { named.contains($0.digest) }
            .map { other in
                let inChain = other.sequence <= chain.count ? chain[other.sequence - 1].digest : nil
                return Fork(sequence: other.sequence, counted: inChain, other: other.digest)
            }
            .sorted { ($0.sequence, $0.other) < ($1.sequence, $1.other) }
        let loose = others.filter { !named.contains($0.digest) }.map(\.digest).sorted()
        return (forks, loose)
    }
}

/// Two entries at one place of the journal, of which one counts.
public struct Fork: Codable, Sendable, Hashable {
    /// The place.
    public var sequence: Int
    /// The entry that counts; nil when the chain is shorter.
    public var counted: Digest?
    /// The entry that does not, although another entry builds on it.
    public var other: Digest

    private enum CodingKeys: String, CodingKey { case sequence, counted, other }
}
