public import Foundation
public import PawlCore

extension Store {
    /// Writes a tree to a directory that must not exist yet: the very bytes and modes that were imported.
    ///
    /// Every block is checked against its digest; the directory appears under its name only when all of it is
    /// there and on disk. `alreadyExists` for an existing target, `notFound` or `corrupt` for a tree that cannot be read.
    public func exportTree(_ tree: Digest, to directory: URL, progress: ProgressHandler? = nil) throws {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        guard try FileStatus(directory.path, followLinks: false) == nil else {
            throw PawlError(
                .alreadyExists, "\(directory.path.escaped) exists already; an export makes a new directory")
        }
        try write(tree, to: directory, modes: .asImported, progress)
    }

    /// How the files of a written tree may be used.
    enum Modes {
        case asImported
        /// Nobody may write.
        case readOnly
    }

    /// Writes a tree beside `directory` under another name, then renames it; the caller holds the lock.
    func write(_ tree: Digest, to directory: URL, modes: Modes, _ progress: ProgressHandler?) throws {
        let manifest = try self.tree(tree)
        let parent = URL(filePath: directory.path).deletingLastPathComponent()
        let temporary = parent.appending(path: ".\(directory.lastPathComponent).\(UUID().uuidString).tmp")
        try FileAccess.makeDirectory(temporary.path, mode: 0o700)
        do {
            try TreeWriter(session: ReadSession(self), manifest: manifest, root: temporary).write(
                modes, progress)
            guard try FileStatus(directory.path, followLinks: false) == nil else {
                throw PawlError(.alreadyExists, "\(directory.path.escaped) appeared while it was written")
            }
            try Files.rename(temporary, to: directory)
        } catch {
            try? Self.removeTree(temporary)
            throw error
        }
    }

    /// Removes a directory whose own directories may be read-only.
    static func removeTree(_ directory: URL) throws {
        guard let status = try FileStatus(directory.path, followLinks: false) else { return }
        if status.kind == .directory {
            try FileAccess.setMode(0o700, directory.path)
            for name in try FileAccess.names(in: directory.path) {
                let child = directory.appending(path: name)
                if try FileStatus(child.path, followLinks: false)?.kind == .directory {
                    try removeTree(child)
                }
            }
        }
        try Files.remove(directory)
    }
}

/// Writes the directories and files of a tree below a directory.
private struct TreeWriter: Sendable {
    let session: ReadSession
    let manifest: TreeManifest
    let root: URL

    /// Objects are checked and tensors opened for about so many raw bytes at a time, so that they are still
    /// in the page cache when their blocks are decoded.
    private static let batchBytes = 1 << 30

    func write(_ modes: Store.Modes, _ progress: ProgressHandler?) throws {
        for entry in manifest.entries {
            if entry.content == .directory {
                try FileAccess.makeDirectory(path(entry), mode: 0o700)
            } else {
                try FileAccess.createSized(path(entry), size: entry.size)
            }
        }
        let meter = Meter("export", total: manifest.logicalBytes, progress)
        for batch in batches() { try write(batch, meter) }
        let files = manifest.entries.filter { $0.content != .directory }
        try Parallel.forEach(files.count) { index in
            try FileAccess.syncFile(path(files[index]))
            try FileAccess.setMode(mode(files[index], modes), path(files[index]))
        }
        // Innermost first: a directory may lose its owner's right to write.
        for entry in manifest.entries.reversed() where entry.content == .directory {
            try Files.syncDirectory(URL(filePath: path(entry)))
            try FileAccess.setMode(mode(entry, modes), path(entry))
        }
        try Files.syncDirectory(root)
        try FileAccess.setMode(modes == .readOnly ? 0o555 : 0o755, root.path)
    }

    private func path(_ entry: TreeManifest.Entry) -> String { root.path + "/" + entry.path }

    private func mode(_ entry: TreeManifest.Entry, _ modes: Store.Modes) -> Int {
        switch modes {
        case .asImported: entry.mode
        case .readOnly: entry.content == .directory ? 0o555 : entry.mode & 0o555 | 0o444
        }
    }

    private func batches() -> [[TreeManifest.Piece]] {
        var batches: [[TreeManifest.Piece]] = []
        var room = 0
        for piece in manifest.pieces {
            if room <= 0 {
                batches.append([])
                room = Self.batchBytes
            }
            batches[batches.count - 1].append(piece)
            room -= piece.byteCount
        }
        return batches
    }

    private func write(_ pieces: [TreeManifest.Piece], _ meter: Meter) throws {
        let readers = try session.open(pieces)
        let jobs = BlockJobs(pieces.map(\.byteCount))
        try Worker.run(jobs.count) { job, worker in
            let (index, block) = jobs[job]
            let piece = pieces[index]
            let range = Blocks.range(block, of: piece.byteCount)
            let buffer = worker.block.prefix(range.count)
            try readers[index].readBlock(block, into: buffer, worker)
            let file = try worker.output(path(manifest.entries[piece.entry]))
            try file.write(UnsafeRawBufferPointer(buffer), at: piece.offset + range.lowerBound)
            meter.add(range.count)
        }
    }
}

extension ReadSession {
    /// Opens and checks what several pieces need, on all processors; an error says which piece it concerns.
    func open(_ pieces: [TreeManifest.Piece]) throws -> [TensorReader] {
        let readers = Collected<TensorReader>(pieces.count)
        try Parallel.forEach(pieces.count) { readers[$0] = try named(pieces[$0]) }
        return readers.all
    }

    /// Opens and checks what a piece needs; an error says which piece it concerns.
    func named(_ piece: TreeManifest.Piece) throws -> TensorReader {
        do {
            return try reader(piece)
        } catch let error as PawlError {
            throw PawlError(
                error.code, "\(piece.name.escaped): \(error.message)", hint: error.hint,
                underlying: error.underlying)
        }
    }
}
