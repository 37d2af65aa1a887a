internal import PawlCore
internal import PawlRegistry

/// What happened to checkpoints and to `main`, in order.
struct History {
    /// A column of the timeline: a checkpoint that came, or a move of `main` later on.
    struct Column {
        /// The checkpoint that came; nil where only `main` moved.
        var checkpoint: Checkpoint?
        /// The entry that moved `main` here.
        var move: JournalEntry?
        var time: Timestamp
    }

    let columns: [Column]
    let checkpoints: [Checkpoint]
    /// The newest verdict on each checkpoint that was judged.
    let verdicts: [Digest: VerdictRecord]
    /// From the base to `main`.
    let line: [Checkpoint]
    let main: Digest?

    init(_ registry: Registry) throws {
        let checkpoints = try registry.checkpoints()
        let byName = Dictionary(uniqueKeysWithValues: checkpoints.map { ($0.digest, $0) })
        var columns: [Column] = []
        for entry in try registry.journal() {
            guard let name = entry.checkpoint, let checkpoint = byName[name] else { continue }
            switch entry.kind {
            case .`init`: columns.append(Column(checkpoint: checkpoint, move: entry, time: entry.time))
            case .candidate, .import:
                columns.append(Column(checkpoint: checkpoint, move: nil, time: entry.time))
            case .promotion, .waiver, .rollback:
                if columns.last?.checkpoint?.digest == name, columns.last?.move == nil {
                    columns[columns.count - 1].move = entry
                } else {
                    columns.append(Column(checkpoint: nil, move: entry, time: entry.time))
                }
            default: continue
            }
        }
        self.columns = columns
        self.checkpoints = checkpoints
        verdicts = try Dictionary(
            checkpoints.compactMap { checkpoint in
                try registry.verdicts(of: checkpoint.digest).first.map { (checkpoint.digest, $0) }
            }, uniquingKeysWith: { first, _ in first })
        main = try registry.reference(Reference.main)?.checkpoint
        line = try main.map { try registry.line(of: $0).reversed() } ?? []
    }

    func checkpoint(_ digest: Digest) -> Checkpoint? { checkpoints.first { $0.digest == digest } }
}
