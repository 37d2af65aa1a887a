internal import PawlCore
internal import PawlRegistry
public import PawlStore
internal import Synchronization

extension Workflow {
    /// Writes the history of every kept checkpoint again, each tensor in the smallest way that the bound on chains
    /// allows (``Store/repack(_:options:progress:)``).
    ///
    /// It takes no lease: registrations, readers and collections may run at the same time. A cancelled task stops it
    /// between two tensors; what is finished stays, and the next call goes on from there.
    public func repack(level: EncodingLevel) async throws -> RepackReport {
        // Checkpoints come in the order in which they were recorded, so each behind its ancestors.
        let kept = try registry.checkpoints().filter { $0.collected == nil }
        let trees = try kept.map { checkpoint in
            RepackTree(
                checkpoint.digest,
                ancestors: try registry.line(of: checkpoint.digest).dropFirst().map(\.digest))
        }
        let stop = StopFlag()
        let options = RepackOptions(level: level, shouldStop: { stop.isSet })
        return try await withTaskCancellationHandler {
            try await Parallel.blocking { [registry, progress] in
                try registry.store.repack(trees, options: options, progress: progress)
            }
        } onCancel: {
            stop.set()
        }
    }
}

/// Set once by one thread, asked by others.
private final class StopFlag: Sendable {
    private let flag = Atomic(false)
    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
}
