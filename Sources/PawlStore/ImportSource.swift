internal import Foundation
internal import PawlCore

/// A directory to import, taken apart into segments: headers, tensors and blobs.
struct ImportSource: SegmentSource {
    private let directory: URL
    private let scan: DirectoryScan
    private(set) var segments: [Segment]
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
            let file = try FileReader(entry.source)
            let layout = try SafetensorsLayout(
                size: entry.status.size, name: entry.path, bytes: file.bytes)
            segments.append(blob(layout.headerSize))
            segments += layout.tensors.map {
                Segment(
                    entry: index, offset: $0.range.lowerBound, byteCount: $0.range.count, dtype: $0.dtype,
                    shape: $0.shape, tensor: $0.name)
            }
        }
        self.segments = segments
    }

    /// The tensors of one file alone.
    func tensors(of path: String) -> ImportSource {
        var source = self
        source.segments = segments.filter { $0.isTensor && self.path($0).equalsBytewise(path) }
        return source
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
                                name: segment.tensor ?? "", dtype: segment.dtype, shape: segment.shape,
                                digest: digest)
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
