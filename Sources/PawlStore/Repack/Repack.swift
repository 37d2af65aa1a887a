internal import Foundation
public import PawlCore
internal import Synchronization

/// A tree to repack, and the trees it came from.
public struct RepackTree: Sendable, Hashable {
    /// Digest of the tree.
    public let tree: Digest
    /// What its tensors may be written against: its parent first, the base last.
    public let ancestors: [Digest]

    /// Makes an item.
    public init(_ tree: Digest, ancestors: [Digest]) {
        self.tree = tree
        self.ancestors = ancestors
    }
}

/// How to repack.
public struct RepackOptions: Sendable {
    /// What matters most: the smallest size, or reading fast.
    public var level: EncodingLevel
    /// Bytes of memory for buffers.
    public var memoryLimit: Int
    /// Asked between tensors; true ends the work early, and what is finished stays.
    public var shouldStop: @Sendable () -> Bool

    /// Makes options.
    public init(
        level: EncodingLevel = .smallest, memoryLimit: Int = 512 << 20,
        shouldStop: @escaping @Sendable () -> Bool = { false }
    ) {
        self.level = level
        self.memoryLimit = memoryLimit
        self.shouldStop = shouldStop
    }
}

/// What repacking did.
public struct RepackReport: Sendable, Hashable, Codable {
    /// What it was done for.
    public let level: EncodingLevel
    /// Trees of which every tensor was looked at.
    public let trees: Int
    /// Different tensors and blobs in them.
    public var tensors = 0
    /// Those written again.
    public var rewritten = 0
    /// Those that only name another encoding of their base now.
    public var relinked = 0
    /// Those that an earlier run had finished.
    public var finishedBefore = 0
    /// Bytes of the objects of the tensors that were looked at, before.
    public var bytesBefore = 0
    /// The same now.
    public var bytesNow = 0
    /// Number of tensors by the depth of their chain; index 0 counts depth 1. Without those of `finishedBefore`.
    public var depths: [Int] = []
    /// Former encodings that were removed.
    public var removedObjects = 0
    /// Bytes of these.
    public var removedBytes = 0
    /// False when readers or writers were at work all the time, so that the former encodings are left to `gc`.
    public var isCleaned = true
    /// Tensors that cannot be read; their families were left as they are.
    public var unreadable: [String] = []

    private enum CodingKeys: String, CodingKey {
        case level, trees, tensors, rewritten, relinked, depths, unreadable
        case finishedBefore = "finished_before"
        case bytesBefore = "bytes_before"
        case bytesNow = "bytes_now"
        case removedObjects = "removed_objects"
        case removedBytes = "removed_bytes"
        case isCleaned = "cleaned"
    }
}

extension Store {
    /// Writes tensors of trees again, each in the smallest way that the bound on chains allows: on its own, or
    /// against that tensor of an ancestor that makes all of them together smallest.
    ///
    /// A new encoding is restored and compared, block by block, before the index names it; former encodings go when
    /// nothing names them any more. Readers, imports and collections may run at the same time. Killed or stopped at
    /// any instant, every tensor has one whole encoding or two, and the next call goes on from there.
    ///
    /// `locked` when another process repacks this store; `cancelled` when `options.shouldStop` said so.
    ///
    /// - Parameter trees: each behind its ancestors. A tensor is written against those of trees given here only.
    public func repack(
        _ trees: [RepackTree], options: RepackOptions = RepackOptions(), progress: ProgressHandler? = nil
    ) throws -> RepackReport {
        guard let turn = try FileLock.attempt(root.appending(path: "repack.lock")) else {
            throw PawlError(
                .locked, "another process is repacking \(root.path)",
                hint: "wait for it, or stop it: nothing is lost")
        }
        defer { withExtendedLifetime(turn) {} }
        var run = RepackRun(self, trees: trees.count, options, progress)
        try run.rewrite(try families(of: trees))
        try run.removeFormer()
        return run.report
    }

    private func families(of trees: [RepackTree]) throws -> [TensorFamilies.Family] {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        return try TensorFamilies(self, trees).families
    }
}

/// One call of `repack`.
private struct RepackRun {
    let store: Store
    let options: RepackOptions
    let progress: ProgressHandler?
    var report: RepackReport
    var record: RepackRecord

    /// Tensors from this size on have enough blocks for all processors; smaller ones go side by side.
    private static let largeBytes = 8 << 20

    init(_ store: Store, trees: Int, _ options: RepackOptions, _ progress: ProgressHandler?) {
        self.store = store
        self.options = options
        self.progress = progress
        report = RepackReport(level: options.level, trees: trees)
        record = RepackRecord(store)
    }

    mutating func rewrite(_ families: [TensorFamilies.Family]) throws {
        report.tensors = families.reduce(0) { $0 + $1.members.count }
        let meter = Meter("repack", total: families.reduce(0) { $0 + $1.byteCount }, progress)
        var batch: [TensorFamilies.Family] = []
        for (index, family) in families.enumerated() {
            if isFinished(family) {
                report.finishedBefore += family.members.count
                meter.add(family.byteCount)
            } else {
                batch.append(family)
            }
            let bytes = batch.reduce(0) { $0 + $1.byteCount }
            guard bytes >= store.repackBatch || index == families.count - 1 else { continue }
            try commit(batch, meter)
            try checkStop()
            batch = []
        }
        try record.keep(Set(families.map { RepackRecord.question($0, options.level) }))
    }

    private func checkStop() throws {
        guard options.shouldStop() else { return }
        throw PawlError(
            .cancelled, "interrupted; what has been repacked stays", hint: "pawl repack goes on from there")
    }

    private func isFinished(_ family: TensorFamilies.Family) -> Bool {
        record.isDone(
            RepackRecord.question(family, options.level),
            RepackRecord.answer(store, family.members.map(\.piece.digest)))
    }

    // MARK: A batch

    /// Rewrites some families and makes the index name the new encodings.
    private mutating func commit(_ batch: [TensorFamilies.Family], _ meter: Meter) throws {
        guard !batch.isEmpty else { return }
        let results = try store.publishing { publisher in
            let results = try rewrite(batch, publisher, meter)
            // An index file must not outlive a crash that its object does not.
            try publisher.sync()
            for outcome in results.flatMap(\.outcomes) where outcome.change != .kept {
                try publisher.publishPointer(tensor: outcome.tensor, head: outcome.head)
            }
            try publisher.sync()
            return results
        }
        var done: [(question: Digest, answer: Digest)] = []
        for (family, result) in zip(batch, results) {
            switch result {
            case .stopped: continue
            case .unreadable:
                noteUnreadable(family)
                continue
            case .done(let outcomes):
                for outcome in outcomes { count(outcome) }
            }
            if let answer = RepackRecord.answer(store, family.members.map(\.piece.digest)) {
                done.append((RepackRecord.question(family, options.level), answer))
            }
        }
        try record.add(done)
    }

    /// What became of a family.
    private enum Result: Sendable {
        case done([FamilyRewriter.Outcome])
        case unreadable
        /// It was not begun, since the caller wants an end.
        case stopped

        var outcomes: [FamilyRewriter.Outcome] {
            if case .done(let outcomes) = self { outcomes } else { [] }
        }
    }

    private func rewrite(_ batch: [TensorFamilies.Family], _ publisher: Publisher, _ meter: Meter) throws
        -> [Result]
    {
        let session = ReadSession(store)
        let results = Collected<Result>(batch.count)
        let isLarge = batch.map { $0.members[0].piece.byteCount >= Self.largeBytes }
        for index in batch.indices where isLarge[index] {
            results[index] = try rewrite(
                batch[index], session, publisher, .all(memoryLimit: options.memoryLimit))
            meter.add(batch[index].byteCount)
        }
        let small = batch.indices.filter { !isLarge[$0] }
        try Worker.run(small.count, memoryLimit: options.memoryLimit) { job, worker in
            let family = batch[small[job]]
            results[small[job]] = try rewrite(family, session, publisher, .one(worker))
            meter.add(family.byteCount)
        }
        return results.all
    }

    private func rewrite(
        _ family: TensorFamilies.Family, _ session: ReadSession, _ publisher: Publisher, _ runner: BlockRunner
    ) throws -> Result {
        if options.shouldStop() { return .stopped }
        let rewriter = TensorRewriter(
            publisher: publisher, store: store, level: options.level, runner: runner,
            proof: ReadSession(store))
        do {
            return .done(
                try FamilyRewriter(
                    session: session, family: family, rewriter: rewriter, level: options.level
                ).run())
        } catch let error as PawlError where error.code == .corrupt || error.code == .notFound {
            return .unreadable
        }
    }

    private mutating func noteUnreadable(_ family: TensorFamilies.Family) {
        // A collection may have given a tree up since this began; what is left of it is nobody's loss.
        let lost = family.members.filter { member in
            store.hasTree(member.tree) && !isReadable(member.piece)
        }
        report.unreadable += lost.map { "\($0.piece.name) (tensor \($0.piece.digest.short))" }
    }

    private func isReadable(_ piece: TreeManifest.Piece) -> Bool {
        guard let lock = try? store.lock(.shared) else { return false }
        defer { withExtendedLifetime(lock) {} }
        guard let reader = try? ReadSession(store).reader(piece) else { return false }
        let worker = Worker()
        return reader.head.blocks.indices.allSatisfy { block in
            let size = Blocks.range(block, of: reader.head.byteCount).count
            return (try? reader.readBlock(block, into: worker.block.prefix(size), worker)) != nil
        }
    }

    private mutating func count(_ outcome: FamilyRewriter.Outcome) {
        switch outcome.change {
        case .kept: break
        case .relinked: report.relinked += 1
        case .rewritten: report.rewritten += 1
        }
        report.bytesBefore += outcome.bytesBefore
        report.bytesNow += outcome.bytesNow
        while report.depths.count < outcome.depth { report.depths.append(0) }
        report.depths[outcome.depth - 1] += 1
    }

    // MARK: The end

    mutating func removeFormer() throws {
        guard let removed = try store.removeFormerEncodings() else {
            report.isCleaned = false
            return
        }
        (report.removedObjects, report.removedBytes) = (removed.objects, removed.bytes)
    }
}
