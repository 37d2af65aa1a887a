internal import PawlCore
internal import Synchronization

/// A tensor, a blob or the header of a safetensors file that is to be written.
struct Segment: Sendable {
    /// Index of the entry that it stands in.
    let entry: Int
    let offset: Int
    let byteCount: Int
    let dtype: DType
    let shape: [Int]
    /// Name of the tensor; nil for a header or another file.
    let tensor: String?
    var isTensor: Bool { tensor != nil }
}

/// The digests of a segment.
struct SegmentHashes: Sendable {
    let blocks: [Digest]
    let tensor: Digest
}

/// Where the bytes of new tensors come from.
protocol SegmentSource: Sendable {
    var segments: [Segment] { get }
    /// Path of the file that a segment stands in.
    func path(_ segment: Segment) -> String
    /// Gives a block of a segment, in the worker's block.
    func read(_ segment: Segment, block: Int, _ worker: Worker) throws -> UnsafeRawBufferPointer
    /// The error for a file that is not what it was.
    func changed(_ path: String) -> PawlError
    /// How a segment is made of what the store holds already; nil where it is written on its own.
    func folded(_ segment: Segment) -> FoldedForm?
}

/// A tensor as another one with low-rank updates folded in.
struct FoldedForm: Sendable {
    let base: TensorReader
    let folds: [LowRankFold]
}

extension SegmentSource {
    func folded(_: Segment) -> FoldedForm? { nil }

    /// Reads everything once, on all processors.
    func hashBlocks(memoryLimit: Int, _ progress: ProgressHandler?) throws -> [SegmentHashes] {
        let jobs = BlockJobs(segments.map(\.byteCount))
        let digests = Mutex([Digest?](repeating: nil, count: jobs.count))
        let meter = Meter("read", total: segments.reduce(0) { $0 + $1.byteCount }, progress)
        try Worker.run(jobs.count, memoryLimit: memoryLimit) { job, worker in
            let (index, block) = jobs[job]
            let bytes = try read(segments[index], block: block, worker)
            let digest = Digest(of: bytes)
            digests.withLock { $0[job] = digest }
            meter.add(bytes.count)
        }
        let all = digests.withLock { $0.compactMap { $0 } }
        return segments.indices.map { index in
            let blocks = Array(all[jobs.range(index)])
            let (dtype, shape) = (segments[index].dtype, segments[index].shape)
            return SegmentHashes(
                blocks: blocks, tensor: Blocks.tensorDigest(dtype: dtype, shape: shape, blocks: blocks))
        }
    }
}
