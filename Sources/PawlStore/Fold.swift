public import Foundation
public import PawlCore

/// A low-rank update of one tensor of a tree: scale B A is added to it.
public struct LowRankUpdate: Sendable, Hashable {
    /// Path of the file in the tree, and name of the tensor [rows, columns] in it: BF16, F16 or F32.
    public let file, tensor: String
    /// Names of the factors A [rank, columns] and B [rows, rank] in the adapter's file: BF16, F16 or F32.
    public let a, b: String
    /// What the product of the factors is multiplied by.
    public let scale: Float

    /// Makes an update.
    public init(file: String, tensor: String, a: String, b: String, scale: Float) {
        (self.file, self.tensor, self.a, self.b, self.scale) = (file, tensor, a, b, scale)
    }
}

extension Store {
    /// Makes the tree that a tree becomes when low-rank updates are folded into its tensors, and stores what differs: the
    /// factors, of which the new tensors are restored to the bit (docs/format.md, "Folded").
    ///
    /// As ``importTree(_:options:progress:)``, it survives a power cut when it returns, and nothing is known of it before.
    /// Fails with `invalidArgument` for an update whose tensors are not there or do not fit.
    ///
    /// - Parameters:
    ///   - adapter: directory with the safetensors file that holds the factors.
    ///   - file: its name.
    public func foldTree(
        _ parent: Digest, adapter: URL, file: String, updates: [LowRankUpdate],
        options: ImportOptions = ImportOptions(), progress: ProgressHandler? = nil
    ) throws -> ImportReport {
        try publishing { publisher in
            let factors = try ImportSource(adapter).tensors(of: file)
            var writing = Writing(publisher: publisher, options: options, progress: progress)
            let digests = try writing.write(
                factors, BaseFinder(ReadSession(self), parents: [], level: options.level))
            try factors.checkUnchanged()
            var named: [String: Digest] = [:]
            for (segment, digest) in zip(factors.segments, digests) { named[segment.tensor ?? ""] = digest }

            let session = ReadSession(self)
            let manifest = try tree(parent)
            let source = try FoldSource(session, manifest, updates, factors: named)
            let folded = try writing.write(
                source, BaseFinder(session, parents: [parent] + options.parents, level: options.level))
            let result = try manifest.replacing(Dictionary(uniqueKeysWithValues: zip(source.pieces, folded)))
            let tree = try publisher.publish([try JSON.canonical(result)])
            try publisher.sync()
            return ImportReport(
                tree: tree.digest, files: result.entries.count { $0.content != .directory },
                tensors: result.pieces.count { $0.isTensor }, newTensors: writing.newTensors,
                logicalBytes: result.logicalBytes,
                storedBytes: writing.storedBytes + (tree.isNew ? tree.size : 0))
        }
    }

    /// Writes the segments of several sources one after the other.
    private struct Writing {
        let publisher: Publisher
        let options: ImportOptions
        let progress: ProgressHandler?
        var newTensors = 0
        var storedBytes = 0

        /// Writes all that is new; returns the digest of every segment.
        mutating func write(_ source: some SegmentSource, _ bases: BaseFinder) throws -> [Digest] {
            let hashes = try source.hashBlocks(memoryLimit: options.memoryLimit, progress)
            var writer = TensorWriter(
                session: bases.session, publisher: publisher, source: source, bases: bases,
                memoryLimit: options.memoryLimit, level: options.level)
            try writer.write(hashes, progress)
            newTensors += writer.newTensors
            storedBytes += writer.storedBytes
            return hashes.map(\.tensor)
        }
    }
}

/// The tensors of a tree with low-rank updates folded in.
private struct FoldSource: SegmentSource {
    let segments: [Segment]
    /// Indices of the tensors among the tree's pieces, as `segments`.
    let pieces: [Int]
    private let manifest: TreeManifest
    /// For each segment the tensor before the update, and the update.
    private let originals: [Place: (tensor: TensorReader, fold: LowRankFold)]

    private struct Place: Hashable { let entry, offset: Int }

    /// - Parameter factors: digests of the factors by name.
    init(
        _ session: ReadSession, _ manifest: TreeManifest, _ updates: [LowRankUpdate],
        factors: [String: Digest]
    ) throws {
        self.manifest = manifest
        let all = manifest.pieces
        var places: [String: Int] = [:]
        for (index, piece) in all.enumerated() where piece.isTensor { places[piece.name] = index }
        var (segments, pieces): ([Segment], [Int]) = ([], [])
        var originals: [Place: (tensor: TensorReader, fold: LowRankFold)] = [:]
        for update in updates {
            let name = "\(update.file): \(update.tensor)"
            guard let index = places[name] else {
                throw PawlError(.invalidArgument, "the tree has no tensor \(name.escaped) to update")
            }
            let piece = all[index]
            let place = Place(entry: piece.entry, offset: piece.offset)
            let fold = try Self.fold(update, session, factors)
            guard LowRankFold.canChange(piece.dtype, piece.shape),
                LowRankFold.fits(fold.a.header, fold.b.header, shape: piece.shape), originals[place] == nil
            else {
                throw PawlError(
                    .invalidArgument,
                    "\(name.escaped): \(piece.dtype.rawValue) of shape \(piece.shape) cannot take one update by factors "
                        + "of shapes \(fold.a.header.shape) and \(fold.b.header.shape)")
            }
            originals[place] = (try session.named(piece), fold)
            pieces.append(index)
            segments.append(
                Segment(
                    entry: piece.entry, offset: piece.offset, byteCount: piece.byteCount, dtype: piece.dtype,
                    shape: piece.shape, tensor: piece.tensorName))
        }
        (self.segments, self.pieces, self.originals) = (segments, pieces, originals)
    }

    private static func fold(_ update: LowRankUpdate, _ session: ReadSession, _ factors: [String: Digest])
        throws -> LowRankFold
    {
        let readers = try [update.a, update.b].map { name in
            guard let digest = factors[name] else {
                throw PawlError(.invalidArgument, "the adapter has no tensor \"\(name.escaped)\"")
            }
            return try session.reader(tensor: digest)
        }
        return LowRankFold(a: readers[0], b: readers[1], scale: update.scale)
    }

    func path(_ segment: Segment) -> String { manifest.entries[segment.entry].path }

    func read(_ segment: Segment, block: Int, _ worker: Worker) throws -> UnsafeRawBufferPointer {
        let range = Blocks.range(block, of: segment.byteCount)
        let bytes = worker.block.prefix(range.count)
        guard let original = originals[Place(entry: segment.entry, offset: segment.offset)] else {
            throw PawlError(.internalError, "a tensor to update was lost")
        }
        try original.tensor.readBlock(block, into: bytes, worker)
        try original.fold.apply(to: bytes, at: range.lowerBound, segment.dtype)
        return UnsafeRawBufferPointer(bytes)
    }

    func changed(_ path: String) -> PawlError {
        PawlError(.internalError, "\(path.escaped): folding the same update twice gave different bytes")
    }

    func folded(_ segment: Segment) -> FoldedForm? {
        originals[Place(entry: segment.entry, offset: segment.offset)].flatMap { original in
            FoldedForm(original.tensor, original.fold)
        }
    }
}

extension FoldedForm {
    /// A tensor with one more update; nil when the chain has no room for it.
    fileprivate init?(_ tensor: TensorReader, _ fold: LowRankFold) {
        // Updates of one base stand side by side, so that a history of them is no deeper than the first.
        let isFolded = !tensor.folds.isEmpty && tensor.head.blocks.allSatisfy { $0.encoding == .folded }
        if isFolded, let base = tensor.base, tensor.folds.count < TensorHead.maximumFolds {
            self.init(base: base, folds: tensor.folds + [fold])
        } else {
            self.init(base: tensor, folds: [fold])
        }
        guard Self.depth(base: base, folds) <= TensorHead.maximumDepth else { return nil }
    }

    /// The depth of what is restored from a base and updates.
    static func depth(base: TensorReader?, _ folds: [LowRankFold]) -> Int {
        let sources = [base].compactMap { $0 } + folds.flatMap { [$0.a, $0.b] }
        return 1 + (sources.map(\.header.depth).max() ?? 0)
    }
}

extension TreeManifest {
    /// The same tree with other tensors of the same form at some of its pieces.
    fileprivate func replacing(_ digests: [Int: Digest]) throws -> TreeManifest {
        var index = 0
        return try TreeManifest(
            checking: entries.map { entry in
                switch entry.content {
                case .directory: return entry
                case .file:
                    index += 1
                    return entry
                case .safetensors(let size, let header, let tensors):
                    index += 1
                    let replaced = tensors.map { tensor in
                        defer { index += 1 }
                        return TensorEntry(
                            name: tensor.name, dtype: tensor.dtype, shape: tensor.shape,
                            digest: digests[index] ?? tensor.digest)
                    }
                    return Entry(
                        path: entry.path, mode: entry.mode,
                        content: .safetensors(size: size, header: header, tensors: replaced))
                }
            })
    }
}
