internal import PawlCore

/// What an entry's body holds, by kind. Together with the documents it names, a body is all that
/// ``Registry/apply(_:to:reading:)`` may look at, so that a replay gives the same rows.
protocol EntryBody: Codable {
    /// Everything in the store that the entry rests on.
    var documents: [Digest] { get set }
}

/// init, suite_added, skill_added, candidate, import: the row is in the document `record`.
struct RecordBody: EntryBody {
    var record: Digest
    var documents: [Digest]
}

/// evaluation: the rows are in the documents `evaluations`.
struct EvaluationBody: EntryBody {
    var evaluations: [Digest]
    var documents: [Digest]
}

/// verdict, gate_run.
struct VerdictBody: EntryBody {
    var verdict: VerdictRecord
    var evaluations: [Digest]
    var documents: [Digest]
}

/// promotion, waiver, rollback: main goes from a checkpoint to another.
struct MoveBody: EntryBody {
    var from: Digest
    var to: Digest
    /// Anchors in force on the line that ends in `to`. A rollback has none: those of the line come back.
    var anchors: [AnchorItem]?
    /// Skills that a rollback gives up.
    var givenUp: [Acquisition]?
    var documents: [Digest]

    struct AnchorItem: Codable {
        var name: String
        var suite: Digest
        var anchor: Digest
    }

    private enum CodingKeys: String, CodingKey {
        case from, to, anchors, documents
        case givenUp = "given_up"
    }
}

/// collection: checkpoints whose trees were given up.
struct CollectionBody: EntryBody {
    var checkpoints: [Digest]
    var documents: [Digest]
}

/// registration_abandoned.
struct AbandonBody: EntryBody {
    var registration: String
    var documents: [Digest]
}

extension JournalEntry {
    /// The body as the type of its kind.
    func body<T: EntryBody>(as type: T.Type) throws -> T {
        do {
            return try JSON.decode(
                type, from: JSON.canonical(body), source: "body of journal entry \(digest.short)")
        } catch let error as PawlError where error.code == .invalidArgument {
            throw PawlError(.corrupt, error.message)
        }
    }
}
