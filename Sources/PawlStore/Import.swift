public import Foundation
public import PawlCore
internal import Synchronization

extension Store {
    /// Takes in a directory: every safetensors file as its tensors, every other file as one blob.
    ///
    /// What the store holds already is not stored again; new tensors are written on their own or as deltas
    /// against `options.parents`, whichever is smaller. When it returns, the tree survives a power cut.
    /// Nothing is known of the tree before that, whenever the process dies.
    ///
    /// Fails with `invalidArgument` for a malformed safetensors file, a link that leads nowhere or out of the
    /// tree and a special file; with `conflict` when the directory changes while it is read.
    public func importTree(
        _ directory: URL, options: ImportOptions = ImportOptions(), progress: ProgressHandler? = nil
    ) throws -> ImportReport {
        try publishing { publisher in
            let source = try ImportSource(directory)
            let hashes = try source.hashBlocks(memoryLimit: options.memoryLimit, progress)
            let manifest = try source.manifest(hashes.map(\.tensor))
            let session = ReadSession(self)
            let bases = try BaseFinder(session, parents: options.parents)
            var writer = TensorWriter(
                session: session, publisher: publisher, source: source, bases: bases,
                memoryLimit: options.memoryLimit)
            try writer.write(hashes, progress)
            try source.checkUnchanged()
            let tree = try publisher.publish([try JSON.canonical(manifest)])
            try publisher.sync()
            return ImportReport(
                tree: tree.digest,
                files: manifest.entries.count { $0.content != .directory },
                tensors: source.segments.count { $0.isTensor },
                newTensors: writer.newTensors,
                logicalBytes: manifest.logicalBytes,
                storedBytes: writer.storedBytes + (tree.isNew ? tree.size : 0))
        }
    }
}

/// The digests of a tensor or blob to import.
struct SegmentHashes: Sendable {
    let blocks: [Digest]
    let tensor: Digest
}

/// A directory to import, taken apart into segments: headers, tensors and blobs.
struct ImportSource: Sendable {
    struct Segment: Sendable {
        /// Index of the entry in the scan.
        let entry: Int
        let offset: Int
        let byteCount: Int
        let dtype: DType
        let shape: [Int]
        /// Name of the tensor; nil for a header or another file.
        let tensor: String?
        var isTensor: Bool { tensor != nil }
    }

    private let directory: URL
    private let scan: DirectoryScan
    let segments: [Segment]
    private let isSafetensors: [Bool]

    init(_ directory: URL) throws {
        self.directory = directory
        scan = try DirectoryScan(directory)
        var segments: [Segment] = []
        isSafetensors = scan.entries.map { $0.status.kind == .file && $0.path.hasSuffix(".safetensors") }
        for (index, entry) in scan.entries.enumerated() where entry.status.kind == .file {
            func blob(_ size: Int) -> Segment {
                Segment(entry: index, offset: 0, byteCount: size, dtype: .u8, shape: [size], tensor: nil)
            }
            guard isSafetensors[index] else {
                segments.append(blob(entry.status.size))
                continue
            }
            let layout = try SafetensorsLayout(
                try FileReader(entry.source), size: entry.status.size, name: entry.path)
            segments.append(blob(layout.headerSize))
            segments += layout.tensors.map {
                Segment(
                    entry: index, offset: $0.range.lowerBound, byteCount: $0.range.count, dtype: $0.dtype,
                    shape: $0.shape, tensor: $0.name)
            }
        }
        self.segments = segments
    }

    func path(_ segment: Segment) -> String { scan.entries[segment.entry].path }

    /// Reads a block of a segment into the worker's block.
    func read(_ segment: Segment, block: Int, _ worker: Worker) throws -> UnsafeRawBufferPointer {
        let range = Blocks.range(block, of: segment.byteCount)
        let buffer = worker.block.prefix(range.count)
        let file = try worker.file(scan.entries[segment.entry].source)
        guard try file.read(into: buffer, at: segment.offset + range.lowerBound) == range.count else {
            throw changed(path(segment))
        }
        return UnsafeRawBufferPointer(buffer)
    }

    /// The error for a file that is not what it was.
    func changed(_ path: String) -> PawlError {
        PawlError(
            .conflict, "\(path.escaped) in \(directory.path.escaped) changed while it was imported",
            hint: "run it again when nothing writes there")
    }

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

    /// The manifest, given the digest of every segment.
    func manifest(_ digests: [Digest]) throws -> TreeManifest {
        var pieces = Array(zip(segments, digests))[...]
        return try TreeManifest(
            checking: scan.entries.enumerated().map { index, entry in
                let own = pieces.prefix { $0.0.entry == index }
                pieces = pieces.dropFirst(own.count)
                var content = TreeManifest.Content.directory
                if let first = own.first {
                    content = .file(size: entry.status.size, blob: first.1)
                    if isSafetensors[index] {
                        let tensors = own.dropFirst().map { segment, digest in
                            TreeManifest.TensorEntry(
                                name: segment.tensor ?? "", dtype: segment.dtype, shape: segment.shape, digest: digest)
                        }
                        content = .safetensors(size: entry.status.size, header: first.1, tensors: tensors)
                    }
                }
                return TreeManifest.Entry(path: entry.path, mode: entry.status.mode, content: content)
            })
    }

    /// Looks again, after everything was read: same names, kinds, sizes, times.
    func checkUnchanged() throws {
        let now = try DirectoryScan(directory)
        guard now != scan else { return }
        let before = Set(scan.entries)
        let after = Set(now.entries)
        let first = before.symmetricDifference(after).map(\.path).min()
        throw changed(first ?? directory.path)
    }
}

/// Blocks of several runs of bytes, numbered one after the other.
struct BlockJobs: Sendable {
    private let starts: [Int]

    init(_ byteCounts: [Int]) {
        var starts = [0]
        for count in byteCounts { starts.append(starts[starts.count - 1] + Blocks.count(count)) }
        self.starts = starts
    }

    /// Number of blocks in all.
    var count: Int { starts[starts.count - 1] }

    /// The numbers of the blocks of a run.
    func range(_ run: Int) -> Range<Int> { starts[run]..<starts[run + 1] }

    /// Run and block of a number.
    subscript(job: Int) -> (run: Int, block: Int) {
        var (low, high) = (0, starts.count - 1)
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= job { low = middle } else { high = middle }
        }
        return (low, job - starts[low])
    }
}

/// Counts bytes for a progress handler, which hears of it about two hundred times.
final class Meter: Sendable {
    private let activity: String
    private let total: Int
    private let handler: ProgressHandler?
    private let state = Mutex((done: 0, told: 0))

    init(_ activity: String, total: Int, _ handler: ProgressHandler?) {
        self.activity = activity
        self.total = total
        self.handler = handler
    }

    func add(_ bytes: Int) {
        guard let handler else { return }
        let news: Int? = state.withLock { state in
            state.done += bytes
            guard state.done - state.told >= total / 200 || state.done == total else { return nil }
            state.told = state.done
            return state.done
        }
        if let news { handler(Progress(activity, Int64(news), of: Int64(total), unit: "bytes")) }
    }
}
