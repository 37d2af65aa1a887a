internal import Foundation
internal import PawlCore
internal import PawlModel
internal import PawlStore

/// A checkpoint between two others: the candidate's files, with every weight moved part of the way back to the parent's.
struct InterpolatedTree {
    private let parent: TreeReader
    private let candidate: TreeReader
    /// Tensors of the parent by name: where they are, and what they are.
    private let tensors: [String: (entry: Int, tensor: TreeManifest.TensorEntry)]

    /// Opens both; fails with `unsupported` unless the candidate's weights are the parent's by name, type and shape, and
    /// whatever differs is a number that can be interpolated.
    init(_ store: Store, parent: Digest, candidate: Digest) throws {
        self.parent = try TreeReader(store, parent)
        self.candidate = try TreeReader(store, candidate)
        var tensors: [String: (entry: Int, tensor: TreeManifest.TensorEntry)] = [:]
        for (entry, list) in Self.weights(self.parent.manifest) {
            for tensor in list { tensors[tensor.name] = (entry, tensor) }
        }
        self.tensors = tensors
        for (_, list) in Self.weights(self.candidate.manifest) {
            for tensor in list { try check(tensor) }
        }
    }

    private static func weights(_ manifest: TreeManifest) -> [(Int, [TreeManifest.TensorEntry])] {
        manifest.entries.enumerated().compactMap { index, entry in
            guard case .safetensors(_, _, let list) = entry.content else { return nil }
            return (index, list)
        }
    }

    private func check(_ tensor: TreeManifest.TensorEntry) throws {
        func fail(_ reason: String) -> PawlError {
            PawlError(
                .unsupported,
                "no point between \(parent.tree.short) and \(candidate.tree.short): tensor \"\(tensor.name.escaped)\" \(reason)"
            )
        }
        guard let mine = tensors[tensor.name]?.tensor else { throw fail("is not in the parent") }
        guard mine.dtype == tensor.dtype, mine.shape == tensor.shape else {
            throw fail("has another type or shape in the parent")
        }
        guard mine.digest == tensor.digest || Interpolation.isDefined(for: tensor.dtype) else {
            throw fail("of type \(tensor.dtype.rawValue) differs")
        }
    }

    /// Writes the checkpoint to a directory that must not exist; `t` is as in ``Interpolation``.
    func write(at t: Float, to directory: URL, progress: ProgressHandler?) throws {
        try candidate.store.exportTree(candidate.tree, to: directory, progress: progress)
        for (entry, list) in Self.weights(candidate.manifest) {
            let path = candidate.manifest.entries[entry].path
            let url = directory.appending(path: path)
            try Files.setMode(0o600, of: url)
            let file = try FileHandle(forWritingTo: url)
            defer { try? file.close() }
            var offset = UInt64(candidate.manifest.entries[entry].size)
            // The tensors fill the end of the file, in their order.
            for tensor in list { offset -= UInt64(tensor.dtype.byteCount(shape: tensor.shape) ?? 0) }
            for tensor in list {
                if let (place, mine) = tensors[tensor.name], mine.digest != tensor.digest {
                    try file.seek(toOffset: offset)
                    try file.write(contentsOf: Data(try elements(tensor, entry, parentEntry: place, at: t)))
                }
                offset += UInt64(tensor.dtype.byteCount(shape: tensor.shape) ?? 0)
            }
            try file.synchronize()
            try Files.setMode(candidate.manifest.entries[entry].mode, of: url)
        }
    }

    private func elements(
        _ tensor: TreeManifest.TensorEntry, _ entry: Int, parentEntry: Int, at t: Float
    ) throws -> [UInt8] {
        do {
            return try Interpolation.bytes(
                tensor.dtype, parent: Self.read(parent, parentEntry, tensor.name),
                candidate: Self.read(candidate, entry, tensor.name), at: t)
        } catch let error as PawlError where error.code == .invalidArgument {
            throw PawlError(.unsupported, "tensor \"\(tensor.name.escaped)\": \(error.message)")
        }
    }

    private static func read(_ reader: TreeReader, _ entry: Int, _ name: String) throws -> [UInt8] {
        let room = Room()
        try reader.read([(entry, name)]) { _, bytes in room.bytes = Array(bytes) }
        return room.bytes
    }

    /// Takes the bytes of one tensor out of the call that hands them out; that call waits for its one thread.
    private final class Room: @unchecked Sendable {
        var bytes: [UInt8] = []
    }
}
