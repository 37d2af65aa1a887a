internal import Foundation
internal import GRDB
public import PawlCore
public import PawlStore

/// What a collection gave up, or would give up.
public struct CollectionReport: Codable, Sendable, Hashable {
    /// True when nothing was changed.
    public var dryRun: Bool
    /// Candidates whose trees go. Their rows, verdicts and evidence stay.
    public var checkpoints: [Digest]
    /// What the store removes.
    public var store: CollectReport

    private enum CodingKeys: String, CodingKey {
        case checkpoints, store
        case dryRun = "dry_run"
    }
}

extension Registry {
    /// Gives up the trees of rejected, inconclusive and unjudged candidates, and what else nothing needs.
    ///
    /// Kept: everything that has been main, imports without a verdict, every anchor, every skill and suite, every
    /// document of the journal (so the evidence of every verdict), whatever an unfinished registration names,
    /// and any checkpoint that the journal mentions within the grace period.
    ///
    /// - Parameter lease: the caller's, when it holds one; otherwise this takes its own.
    public func collect(
        graceSeconds: Double = 14 * 86400, dryRun: Bool = true, under lease: Lease? = nil
    ) throws -> CollectionReport {
        guard graceSeconds >= 0, graceSeconds.isFinite else {
            throw PawlError(.invalidArgument, "\(graceSeconds) is not a number of seconds to wait")
        }
        let ours = try dryRun || lease != nil ? nil : acquireLease("gc")
        defer { ours?.release() }
        let graceSeconds = min(graceSeconds, 1e12)  // more would overflow, and means the same
        let limit = Timestamp(milliseconds: Timestamp.now.milliseconds - Int64(graceSeconds * 1000))
        let reserved = try reservedDigests()
        var checkpoints = try read { try Self.collectable($0, before: limit, reserved: reserved) }
        if !dryRun, !checkpoints.isEmpty {
            // The journal first: if the removal dies, a later collection removes what nothing needs any more.
            let entry = try commit { db in
                let checkpoints = try Self.collectable(db, before: limit, reserved: reserved)
                return .write(
                    Draft(kind: .collection, body: CollectionBody(checkpoints: checkpoints, documents: [])))
            }
            checkpoints = try entry.body(as: CollectionBody.self).checkpoints
            for checkpoint in checkpoints { try store.evict(checkpoint) }
        }
        let rootsRead = Timestamp.now
        let roots = try read { try Self.roots($0) }
        let report = try store.collect(
            keepingTrees: roots.trees.subtracting(dryRun ? checkpoints : []).union(
                reserved.filter(store.hasTree)),
            documents: roots.documents.union(reserved), graceSeconds: graceSeconds,
            rootsRead: rootsRead, dryRun: dryRun)
        return CollectionReport(dryRun: dryRun, checkpoints: checkpoints, store: report)
    }

    /// Every tree and document that the registry needs; a collection keeps them.
    public func neededTrees() throws -> Set<Digest> {
        let reserved = try reservedDigests()
        return try read { try Self.roots($0) }.trees.union(reserved.filter(store.hasTree))
    }

    /// What unfinished registrations name: their parents and every digest in their state.
    private func reservedDigests() throws -> Set<Digest> {
        var digests = Set<Digest>()
        for registration in try unfinishedRegistrations() {
            digests.insert(registration.parent)
            Self.addDigests(in: registration.state, to: &digests)
        }
        return digests
    }

    private static func addDigests(in value: JSONValue, to digests: inout Set<Digest>) {
        switch value {
        case .string(let text): if let digest = Digest(hex: text) { digests.insert(digest) }
        case .array(let elements): for element in elements { addDigests(in: element, to: &digests) }
        case .object(let members): for member in members.values { addDigests(in: member, to: &digests) }
        default: break
        }
    }

    static func roots(_ db: Database) throws -> (trees: Set<Digest>, documents: Set<Digest>) {
        let trees = try Row.fetchAll(
            db,
            sql: """
                SELECT digest FROM checkpoint WHERE collected IS NULL
                UNION SELECT tree FROM suite UNION SELECT digest FROM skill
                """
        ).map { try $0.digest("digest") }
        var documents = Set<Digest>()
        for row in try Row.fetchAll(db, sql: "SELECT * FROM journal") {
            let entry = try JournalEntry(row)
            documents.insert(entry.digest)
            documents.formUnion(entry.documents)
        }
        return (Set(trees), documents)
    }

    private static func collectable(
        _ db: Database, before limit: Timestamp, reserved: Set<Digest>
    ) throws -> [Digest] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT digest FROM checkpoint
                WHERE collected IS NULL
                  AND (status IN ('rejected', 'inconclusive') OR (status = 'candidate' AND origin = 'register'))
                  AND digest NOT IN (SELECT checkpoint FROM reference)
                  AND digest NOT IN (SELECT anchor FROM anchor)
                ORDER BY sequence
                """)
        let line = try reference(Reference.main, db).map {
            Set(try Self.line(of: $0.checkpoint, db).map(\.digest))
        }
        return try rows.map { try $0.digest("digest") }.filter { digest in
            guard !reserved.contains(digest), line?.contains(digest) != true, try !wasMain(digest, db) else {
                return false
            }
            return try entries(db, checkpoint: digest).allSatisfy { $0.time < limit }
        }
    }
}
