public import PawlCore
internal import Synchronization

extension Store {
    /// How two trees differ: changed elements of every tensor, other files, directories and modes.
    ///
    /// Tensors are the same one when file and name agree. Elements are compared bit by bit.
    public func compare(_ a: Digest, _ b: Digest, progress: ProgressHandler? = nil) throws -> TreeDifference {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        let (old, new) = (try tree(a), try tree(b))
        let (oldTensors, newTensors) = (old.pieces.filter(\.isTensor), new.pieces.filter(\.isTensor))
        let oldByName = Dictionary(oldTensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let newNames = Set(newTensors.map(\.name))

        var changes: [TreeDifference.TensorChange?] = []
        var pairs: [(place: Int, old: TreeManifest.Piece, new: TreeManifest.Piece)] = []
        var equal = 0
        for piece in newTensors {
            guard let before = oldByName[piece.name] else {
                changes.append(new.change(of: piece, .added))
                continue
            }
            if before.digest == piece.digest {
                equal += 1
            } else if before.dtype == piece.dtype, before.shape == piece.shape {
                pairs.append((changes.count, before, piece))
                changes.append(nil)
            } else {
                changes.append(new.change(of: piece, .changed))
            }
        }
        let counts = try changedElements(pairs.map { ($0.old, $0.new) }, progress)
        for (pair, count) in zip(pairs, counts) {
            changes[pair.place] = new.change(of: pair.new, .changed, elements: count)
        }
        changes += oldTensors.filter { !newNames.contains($0.name) }.map { old.change(of: $0, .removed) }
        return TreeDifference(
            tensors: changes.compactMap { $0 }, files: Self.fileChanges(old, new), equalTensors: equal)
    }

    private func changedElements(
        _ pairs: [(old: TreeManifest.Piece, new: TreeManifest.Piece)], _ progress: ProgressHandler?
    ) throws -> [Int] {
        let session = ReadSession(self)
        let (old, new) = (try session.open(pairs.map(\.old)), try session.open(pairs.map(\.new)))
        let jobs = BlockJobs(pairs.map(\.new.byteCount))
        let counts = Mutex([ChangeCount](repeating: ChangeCount(), count: pairs.count))
        let meter = Meter("compare", total: pairs.reduce(0) { $0 + $1.new.byteCount }, progress)
        try Worker.run(jobs.count) { job, worker in
            let (index, block) = jobs[job]
            let range = Blocks.range(block, of: new[index].head.byteCount)
            let size = range.count
            let (a, b) = (worker.block.prefix(size), worker.other.prefix(size))
            try old[index].readBlock(block, into: a, worker)
            try new[index].readBlock(block, into: b, worker)
            let changed = ChangeCount(
                UnsafeRawBufferPointer(a), UnsafeRawBufferPointer(b), bits: new[index].header.dtype.bits,
                firstBit: range.lowerBound * 8)
            counts.withLock { $0[index].add(changed) }
            meter.add(size)
        }
        return counts.withLock { $0.map(\.total) }
    }

    private static func fileChanges(_ old: TreeManifest, _ new: TreeManifest) -> [TreeDifference.FileChange] {
        let before = Dictionary(old.entries.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        let after = Set(new.entries.map(\.path))
        let kept = new.entries.compactMap { entry -> TreeDifference.FileChange? in
            guard let other = before[entry.path] else {
                return TreeDifference.FileChange(path: entry.path, change: .added)
            }
            let isSame =
                other.mode == entry.mode && other.content.withoutTensors == entry.content.withoutTensors
            return isSame ? nil : TreeDifference.FileChange(path: entry.path, change: .changed)
        }
        let removed = old.entries.filter { !after.contains($0.path) }.map {
            TreeDifference.FileChange(path: $0.path, change: .removed)
        }
        return (kept + removed).sorted { $0.path.precedesBytewise($1.path) }
    }
}

extension TreeManifest {
    fileprivate func change(
        of piece: Piece, _ change: TreeDifference.Change, elements: Int? = nil
    ) -> TreeDifference.TensorChange {
        let all = piece.byteCount * 8 / piece.dtype.bits
        return TreeDifference.TensorChange(
            file: entries[piece.entry].path, name: piece.tensorName ?? "", change: change, elements: all,
            changedElements: elements ?? all)
    }
}

extension TreeManifest.Content {
    /// What is left to differ once the tensors are compared on their own.
    fileprivate var withoutTensors: Self {
        if case .safetensors(let size, let header, _) = self {
            .safetensors(size: size, header: header, tensors: [])
        } else {
            self
        }
    }
}

/// The number of elements that differ in a block.
private struct ChangeCount: Sendable {
    private var whole = 0
    /// Changed elements of 6 bits that lie across the border of two blocks: both blocks may report one.
    private var straddling: Set<Int> = []

    var total: Int { whole + straddling.count }

    init() {}

    init(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, bits: Int, firstBit: Int) {
        switch bits {
        case 8: whole = Self.count(UInt8.self, a, b)
        case 16: whole = Self.count(UInt16.self, a, b)
        case 32: whole = Self.count(UInt32.self, a, b)
        case 64: whole = Self.count(UInt64.self, a, b)
        default: countPacked(a, b, bits: bits, firstBit: firstBit)
        }
    }

    mutating func add(_ other: ChangeCount) {
        whole += other.whole
        straddling.formUnion(other.straddling)
    }

    private static func count<W: FixedWidthInteger>(
        _: W.Type, _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer
    ) -> Int {
        let (a, b) = (a.assumingMemoryBound(to: W.self), b.assumingMemoryBound(to: W.self))
        var count = 0
        for i in 0..<a.count where a[i] != b[i] { count += 1 }
        return count
    }

    private mutating func countPacked(
        _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, bits: Int, firstBit: Int
    ) {
        let block = firstBit..<firstBit + a.count * 8
        var last = -1
        for bit in 0..<a.count * 8 where (a[bit / 8] ^ b[bit / 8]) >> (bit % 8) & 1 == 1 {
            let element = (firstBit + bit) / bits
            if element == last { continue }
            last = element
            if block.contains(element * bits), block.contains(element * bits + bits - 1) {
                whole += 1
            } else {
                straddling.insert(element)
            }
        }
    }
}
