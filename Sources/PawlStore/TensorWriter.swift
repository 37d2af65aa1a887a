internal import PawlCore
internal import Synchronization

/// Writes new tensors and blobs as objects, in rounds: while one round's blocks are encoded on all
/// processors, the objects that the round before completed are written.
struct TensorWriter: Sendable {
    private let session: ReadSession
    private let publisher: Publisher
    private let source: any SegmentSource
    private let bases: BaseFinder
    private let memoryLimit: Int
    private let workers = WorkerPool()
    private let codec: any TensorCodec
    /// Bytes that an object may have.
    private let objectLimit: Int

    /// Tensors (no blobs) that were not in the store.
    private(set) var newTensors = 0
    /// Bytes of the objects that were added.
    private(set) var storedBytes = 0

    private var growing: [Growing] = []
    private var pointers: [(tensor: Digest, head: Digest)] = []
    /// Raw bytes encoded since index files were last published.
    private var unpublished = 0

    /// Index files are published after about so many raw bytes, so that a killed import goes on from there.
    private static let publishEvery = 1 << 30

    /// Objects are cut at this size, far below what one may have: payload is held in memory until its object is whole.
    private static let partBytes = 8 << 20
    /// Blocks of a round: enough that the threads end it at about the same time, few since all are held.
    private static let blocksPerThread = 4

    /// A tensor of which some blocks are encoded.
    private struct Growing: Sendable {
        let segment: Segment
        let hashes: SegmentHashes
        let base: TensorReader?
        /// What makes all of it of the base; none: it is written block by block.
        var folds: [LowRankFold] = []
        let level: EncodingLevel
        var rows: [TensorHead.Block] = []
        /// Payload that is in no object yet.
        var payload: [[UInt8]] = []
        var payloadBytes = 0
        /// Blocks that have been handed out in parts.
        var cutBlocks = 0
        var parts: [TensorHead.Part] = []
        /// The head has been handed out to be written.
        var isFinished = false

        var isEncoded: Bool { rows.count == hashes.blocks.count }
        /// Every part that was handed out is in the store.
        var isPlaced: Bool { parts.reduce(0) { $0 + $1.blocks } == cutBlocks }

        /// The head, once all blocks are encoded and all parts placed.
        var head: TensorHead {
            // Without a block that needs it, the base is not worth a link of the chain.
            let used = rows.contains { $0.encoding.needsBase } ? base : nil
            let folds = rows.contains { $0.encoding == .folded } ? folds : []
            let header = TensorHead.Header(
                tensor: hashes.tensor, dtype: segment.dtype, shape: segment.shape,
                depth: FoldedForm.depth(base: used, folds), base: used?.source,
                folds: folds.map {
                    TensorHead.Fold(a: $0.a.source, b: $0.b.source, scale: $0.scale.bitPattern)
                },
                codec: Codecs.current.identity, parts: parts, level: level.recorded)
            return TensorHead(header: header, blocks: rows)
        }
    }

    private enum Job: Sendable {
        case part(tensor: Int, pieces: [[UInt8]], blocks: Int)
        case head(tensor: Int, pieces: [[UInt8]])
        case encode(tensor: Int, block: Int)
    }

    private enum Outcome: Sendable {
        case placed(Publisher.Placed)
        case encoded(EncodedBlock)
    }

    init(
        session: ReadSession, publisher: Publisher, source: some SegmentSource, bases: BaseFinder,
        memoryLimit: Int, level: EncodingLevel
    ) {
        codec = Codecs.current(level)
        self.session = session
        self.publisher = publisher
        self.source = source
        self.bases = bases
        self.memoryLimit = memoryLimit
        objectLimit = min(session.store.objectLimit, Self.partBytes, max(memoryLimit / 8, 2 * Blocks.size))
    }

    /// Writes every segment that the store does not hold.
    mutating func write(_ hashes: [SegmentHashes], _ progress: ProgressHandler?) throws {
        growing = try newSegments(hashes)
        newTensors = growing.count { $0.segment.isTensor }
        let jobs = BlockJobs(growing.map(\.segment.byteCount))
        let round = min(max(memoryLimit / (8 * Blocks.size), 4), Self.blocksPerThread * Parallel.width)
        let meter = Meter("store", total: growing.reduce(0) { $0 + $1.segment.byteCount }, progress)
        // An empty tensor has no block to wait for.
        var writes = try growing.indices.compactMap { try headJob($0) }
        var next = 0
        while next < jobs.count || !writes.isEmpty {
            let blocks = (next..<min(next + round, jobs.count)).map { job in
                let (tensor, block) = jobs[job]
                return Job.encode(tensor: tensor, block: block)
            }
            next += blocks.count
            writes = try take(writes + blocks, try run(writes + blocks, meter))
            if unpublished >= Self.publishEvery { try publishPointers() }
        }
        try publishPointers()
    }

    private mutating func publishPointers() throws {
        // An index file must not outlive a crash that its object does not.
        try publisher.sync()
        for (tensor, head) in pointers { try publisher.publishPointer(tensor: tensor, head: head) }
        try publisher.sync()
        pointers = []
        unpublished = 0
    }

    // MARK: What is new

    private func newSegments(_ hashes: [SegmentHashes]) throws -> [Growing] {
        var seen: Set<Digest> = []
        let fresh = hashes.indices.filter { seen.insert(hashes[$0].tensor).inserted }
        let found = Mutex([Int: Growing]())
        try Worker.run(fresh.count, memoryLimit: memoryLimit) { job, worker in
            let index = fresh[job]
            let (isStored, mayHaveDependents) = state(of: hashes[index].tensor)
            guard !isStored else { return }
            let segment = source.segments[index]
            // A tensor that was there and is damaged may be the base of others: it comes back on its own, so
            // that no chain grows longer or closes upon itself.
            var growing = Growing(segment: segment, hashes: hashes[index], base: nil, level: codec.level)
            if !mayHaveDependents {
                let form = source.folded(segment)
                let base = try form?.base ?? bestBase(segment, hashes[index], worker)
                growing = Growing(
                    segment: segment, hashes: hashes[index], base: base, folds: form?.folds ?? [],
                    level: codec.level)
            }
            found.withLock { $0[index] = growing }
        }
        return found.withLock { found in fresh.compactMap { found[$0] } }
    }

    private func state(of tensor: Digest) -> (isStored: Bool, mayHaveDependents: Bool) {
        do {
            return (try session.indexed(tensor) != nil, false)
        } catch {
            return (false, true)
        }
    }

    /// The candidate with the smallest deltas, by a sample of blocks; nil when there is none.
    private func bestBase(_ segment: Segment, _ hashes: SegmentHashes, _ worker: Worker) throws
        -> TensorReader?
    {
        let candidates = bases.candidates(
            path: source.path(segment), tensor: segment.tensor, dtype: segment.dtype, shape: segment.shape)
        guard candidates.count > 1, let last = hashes.blocks.indices.last else { return candidates.first }
        let sample = Set([0, last / 2, last])
        let coder = try worker.coder(codec)
        let sizes = try candidates.map { candidate in
            try sample.reduce(0) { sum, block in
                let raw = try source.read(segment, block: block, worker)
                let base = worker.other.prefix(raw.count)
                try candidate.readBlock(block, into: base, worker)
                if raw.equals(UnsafeRawBufferPointer(base)) { return sum }
                let delta = try coder.encodeDelta(
                    raw, base: UnsafeRawBufferPointer(base), dtype: segment.dtype)
                return sum + (delta?.count ?? raw.count)
            }
        }
        return zip(candidates, sizes).min { $0.1 < $1.1 }?.0
    }

    // MARK: A round

    private func run(_ jobs: [Job], _ meter: Meter) throws -> [Outcome] {
        let outcomes = Mutex([Outcome?](repeating: nil, count: jobs.count))
        let publisher = publisher
        try Worker.run(jobs.count, memoryLimit: memoryLimit, pool: workers) { index, worker in
            let outcome: Outcome
            switch jobs[index] {
            case .part(_, let pieces, _), .head(_, let pieces):
                outcome = .placed(try publisher.publish(pieces))
            case .encode(let tensor, let block):
                outcome = .encoded(try encode(growing[tensor], block, worker))
                meter.add(Blocks.range(block, of: growing[tensor].segment.byteCount).count)
            }
            outcomes.withLock { $0[index] = outcome }
        }
        return outcomes.withLock { $0.compactMap { $0 } }
    }

    private func encode(_ tensor: Growing, _ block: Int, _ worker: Worker) throws -> EncodedBlock {
        let segment = tensor.segment
        let raw = try source.read(segment, block: block, worker)
        guard Digest(of: raw) == tensor.hashes.blocks[block] else {
            throw source.changed(source.path(segment))
        }
        // That both readings have the same digest shows that it comes back.
        guard tensor.folds.isEmpty else { return EncodedBlock(encoding: .folded, payload: []) }
        var base: UnsafeRawBufferPointer?
        if let reader = tensor.base {
            let buffer = worker.other.prefix(raw.count)
            try reader.readBlock(block, into: buffer, worker)
            base = UnsafeRawBufferPointer(buffer)
        }
        let coder = try worker.coder(codec)
        let encoded = try coder.encode(raw, dtype: segment.dtype, base: base)
        try check(encoded, decodesTo: raw, segment, worker)
        return encoded
    }

    /// Decodes what was just encoded: nothing is stored that does not come back bit for bit.
    private func check(
        _ encoded: EncodedBlock, decodesTo raw: UnsafeRawBufferPointer, _ segment: Segment, _ worker: Worker
    ) throws {
        // For a delta, `other` holds the base.
        let result = worker.other.prefix(raw.count)
        let coder = try worker.coder(codec)
        try encoded.payload.withUnsafeBytes { payload in
            switch encoded.encoding {
            case .raw: result.copyMemory(from: payload)
            case .same, .folded: break
            case .full: try coder.decodeFull(payload, dtype: segment.dtype, into: result)
            case .delta: try coder.decodeDelta(payload, dtype: segment.dtype, onto: result)
            }
        }
        guard raw.equals(UnsafeRawBufferPointer(result)) else {
            throw PawlError(
                .internalError,
                "\(source.path(segment).escaped): a block of \(segment.dtype.rawValue) does not survive its encoding"
            )
        }
    }

    /// Takes the results of a round in and says what to write in the next one.
    private mutating func take(_ jobs: [Job], _ outcomes: [Outcome]) throws -> [Job] {
        var writes: [Job] = []
        for (job, outcome) in zip(jobs, outcomes) {
            switch (job, outcome) {
            case (.encode(let tensor, _), .encoded(let block)):
                if let part = append(block, to: tensor) { writes.append(part) }
            case (.part(let tensor, _, let blocks), .placed(let placed)):
                count(placed)
                growing[tensor].parts.append(TensorHead.Part(object: placed.digest, blocks: blocks))
            case (.head(let tensor, _), .placed(let placed)):
                count(placed)
                pointers.append((growing[tensor].hashes.tensor, placed.digest))
                unpublished += growing[tensor].segment.byteCount
            default:
                throw PawlError(.internalError, "a round of an import lost its order")
            }
        }
        for tensor in touched(jobs) {
            if let last = lastPart(tensor) { writes.append(last) }
            if let head = try headJob(tensor) { writes.append(head) }
        }
        return writes
    }

    private mutating func count(_ placed: Publisher.Placed) {
        if placed.isNew { storedBytes += placed.size }
    }

    private func touched(_ jobs: [Job]) -> [Int] {
        let tensors = jobs.map { job in
            switch job {
            case .part(let tensor, _, _), .head(let tensor, _), .encode(let tensor, _): tensor
            }
        }
        return Set(tensors).sorted()
    }

    /// Adds a block; hands out a part when the payload is about to pass the limit of an object.
    private mutating func append(_ block: EncodedBlock, to tensor: Int) -> Job? {
        var part: Job?
        if TensorHead.partPrefix + growing[tensor].payloadBytes + block.payload.count > objectLimit {
            part = cutPart(tensor)
        }
        growing[tensor].rows.append(
            TensorHead.Block(
                encoding: block.encoding, length: block.payload.count,
                digest: growing[tensor].hashes.blocks[growing[tensor].rows.count]))
        growing[tensor].payload.append(block.payload)
        growing[tensor].payloadBytes += block.payload.count
        return part
    }

    private mutating func cutPart(_ tensor: Int) -> Job? {
        let pieces = growing[tensor].payload
        guard !pieces.isEmpty else { return nil }
        growing[tensor].payload = []
        growing[tensor].payloadBytes = 0
        growing[tensor].cutBlocks += pieces.count
        return .part(tensor: tensor, pieces: [ObjectKind.partMagic] + pieces, blocks: pieces.count)
    }

    /// The rest of a tensor that does not fit in one object with its head.
    private mutating func lastPart(_ tensor: Int) -> Job? {
        let state = growing[tensor]
        guard state.isEncoded, !state.isFinished else { return nil }
        let whole =
            TensorHead.sizeBound(
                blocks: state.rows.count, shape: state.segment.shape, folds: state.folds.count)
            + state.payloadBytes
        return state.cutBlocks > 0 || whole > objectLimit ? cutPart(tensor) : nil
    }

    /// The head of a tensor whose payload is either in parts that are written or all at hand.
    private mutating func headJob(_ tensor: Int) throws -> Job? {
        let state = growing[tensor]
        guard state.isEncoded, state.isPlaced, !state.isFinished else { return nil }
        growing[tensor].isFinished = true
        growing[tensor].payload = []
        return .head(tensor: tensor, pieces: [try state.head.encoded()] + state.payload)
    }
}
