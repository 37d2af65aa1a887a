internal import GRDB
public import PawlCore
internal import PawlStore

/// What a second run of the same checkpoint on the same suite in the same way gave: how much an engine differs from itself.
public struct NoiseRecord: Codable, Sendable, Hashable {
    /// The checkpoint that was run twice.
    public var checkpoint: Digest
    /// Digest of the suite.
    public var suite: Digest
    /// Digest of everything else that moves a score, as in the evaluation that was repeated.
    public var settings: Digest
    /// Document with the per-item results of the first run.
    public var first: Digest
    /// Document with the per-item results of the second run.
    public var second: Digest
    /// Number of items.
    public var count: Int
    /// Items that were answered differently.
    public var changed: Int
    /// Items whose score differs.
    public var flips: Int
    /// When the second run ended.
    public var created: Timestamp

    /// Makes a record.
    public init(
        checkpoint: Digest, suite: Digest, settings: Digest, first: Digest, second: Digest, count: Int,
        changed: Int, flips: Int, created: Timestamp = .now
    ) {
        self.checkpoint = checkpoint
        self.suite = suite
        self.settings = settings
        self.first = first
        self.second = second
        self.count = count
        self.changed = changed
        self.flips = flips
        self.created = created
    }

    private enum CodingKeys: String, CodingKey {
        case checkpoint, suite, settings, first, second, count, changed, flips, created
    }
}

/// noise: the rows are in the entry itself.
struct NoiseBody: EntryBody {
    var noise: [NoiseRecord]
    var documents: [Digest]
}

extension Registry {
    /// The noise of a checkpoint on a suite under the same settings; nil when it was not measured.
    public func noise(checkpoint: Digest, suite: Digest, settings: Digest) throws -> NoiseRecord? {
        try read { db in
            try Row.fetchOne(
                db, sql: "SELECT * FROM noise WHERE checkpoint = ? AND suite = ? AND settings = ?",
                arguments: [checkpoint.hex, suite.hex, settings.hex]
            ).map(NoiseRecord.init)
        }
    }

    /// Records second runs; a later one takes the place of an earlier one under the same settings.
    @discardableResult
    public func record(noise records: [NoiseRecord]) throws -> JournalEntry {
        guard let first = records.first else {
            throw PawlError(.invalidArgument, "there is no noise to record")
        }
        return try commit { db in
            for record in records {
                _ = try Self.checkpoint(record.checkpoint, db)
                _ = try Self.suite(record.suite, db)
                guard record.count > 0, 0...record.changed ~= record.flips, record.changed <= record.count
                else {
                    throw PawlError(
                        .evidenceInvalid,
                        "noise of \(record.checkpoint.short) on suite \(record.suite.short): \(record.flips) flips, "
                            + "\(record.changed) changes of \(record.count) items")
                }
            }
            let isOne = records.allSatisfy { $0.checkpoint == first.checkpoint }
            let documents = Set(records.flatMap { [$0.first, $0.second] }).sorted()
            return .write(
                Draft(
                    kind: .noise, checkpoint: isOne ? first.checkpoint : nil,
                    suite: records.count == 1 ? first.suite : nil,
                    body: NoiseBody(noise: records, documents: documents)))
        }
    }

    static func applyNoise(_ entry: JournalEntry, _ db: Database) throws {
        for record in try entry.body(as: NoiseBody.self).noise {
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO noise
                        (checkpoint, suite, settings, first, second, count, changed, flips, created, sequence)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    record.checkpoint.hex, record.suite.hex, record.settings.hex, record.first.hex,
                    record.second.hex, record.count, record.changed, record.flips, sql(record.created),
                    entry.sequence,
                ])
        }
    }
}

extension NoiseRecord {
    fileprivate init(_ row: Row) throws {
        self.init(
            checkpoint: try row.digest("checkpoint"), suite: try row.digest("suite"),
            settings: try row.digest("settings"), first: try row.digest("first"),
            second: try row.digest("second"), count: row["count"], changed: row["changed"],
            flips: row["flips"], created: try row.timestamp("created"))
    }
}
