public import Foundation
public import PawlCore

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
        let home = FileAccess.resolved(root.path) ?? root.path
        if let outer = FileAccess.resolved(directory.path), (home + "/").utf8.starts(with: (outer + "/").utf8)
        {
            throw PawlError(
                .invalidArgument,
                "cannot import \(directory.path.escaped): the store \(root.path.escaped) lies in it",
                hint: "put the store somewhere else")
        }
        return try publishing { publisher in
            let source = try ImportSource(directory)
            let hashes = try source.hashBlocks(memoryLimit: options.memoryLimit, progress)
            let manifest = try source.manifest(hashes.map(\.tensor))
            let session = ReadSession(self)
            let bases = try BaseFinder(session, parents: options.parents, level: options.level)
            var writer = TensorWriter(
                session: session, publisher: publisher, source: source, bases: bases,
                memoryLimit: options.memoryLimit, level: options.level)
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
