internal import Foundation
internal import PawlCore

/// What stands in a directory that is to be imported: links followed, everything unfit refused.
struct DirectoryScan: Hashable {
    struct Entry: Hashable {
        /// Path below the root.
        let path: String
        /// Where the file itself is, links resolved.
        let source: String
        /// Kind, size and times; compared at the end of an import to notice a change.
        let status: FileStatus
    }

    /// Directories and files, sorted by the UTF-8 bytes of the path.
    let entries: [Entry]

    /// More entries than this are taken for links that multiply one another.
    private static let maximumEntries = 1_000_000

    init(_ directory: URL) throws {
        guard Files.isDirectory(directory), let root = FileAccess.resolved(directory.path) else {
            throw PawlError(
                Files.exists(directory) ? .invalidArgument : .notFound,
                "cannot import \(directory.path.escaped): it is not a directory")
        }
        var walk = Walk(root: root)
        try walk.visit(root, path: "", ancestors: [root])
        entries = walk.entries.sorted { $0.path.precedesBytewise($1.path) }
    }

    private struct Walk {
        let root: String
        /// The directory of a Hugging Face hub cache in which the links of a snapshot end.
        let blobs: String?
        var entries: [Entry] = []

        init(root: String) {
            self.root = root
            let snapshots = URL(filePath: root).deletingLastPathComponent()
            let blobs = snapshots.deletingLastPathComponent().appending(path: "blobs")
            self.blobs = snapshots.lastPathComponent == "snapshots" ? FileAccess.resolved(blobs.path) : nil
        }

        mutating func visit(_ directory: String, path: String, ancestors: [String]) throws {
            var seen: Set<String> = []
            for name in try FileAccess.names(in: directory) {
                let child = path.isEmpty ? name : path + "/" + name
                // Swift compares text by meaning: two ways to write one accented name count as the same.
                guard seen.insert(name).inserted else {
                    throw PawlError(
                        .invalidArgument,
                        "\(child.escaped): another name in its directory differs only in Unicode form")
                }
                guard entries.count < DirectoryScan.maximumEntries else {
                    throw PawlError(
                        .invalidArgument,
                        "\(root.escaped) holds more than \(DirectoryScan.maximumEntries) files")
                }
                try add(
                    directory == "/" ? "/" + name : directory + "/" + name, path: child, ancestors: ancestors)
            }
        }

        private mutating func add(_ location: String, path: String, ancestors: [String]) throws {
            guard var status = try FileStatus(location, followLinks: false) else { throw vanished(path) }
            var source = location
            if status.kind == .link {
                source = try target(of: location, path: path)
                guard let followed = try FileStatus(source, followLinks: true) else { throw vanished(path) }
                status = followed
            }
            switch status.kind {
            case .file:
                entries.append(Entry(path: path, source: source, status: status))
            case .directory:
                guard !ancestors.contains(where: { $0.equalsBytewise(source) }) else {
                    throw PawlError(
                        .invalidArgument, "\(path.escaped): the link leads back to a directory that holds it")
                }
                entries.append(Entry(path: path, source: source, status: status))
                try visit(source, path: path, ancestors: ancestors + [source])
            case .link:
                throw vanished(path)
            case .other(let kind):
                throw PawlError(
                    .invalidArgument, "\(path.escaped) is \(kind); a tree holds files and directories only")
            }
        }

        private func target(of location: String, path: String) throws -> String {
            guard let target = FileAccess.resolved(location) else {
                throw PawlError(.invalidArgument, "\(path.escaped): the symbolic link leads nowhere")
            }
            let isInside = [root, blobs].compactMap { $0 }.contains { home in
                target.equalsBytewise(home)
                    || target.utf8.starts(with: (home == "/" ? home : home + "/").utf8)
            }
            guard isInside else {
                throw PawlError(
                    .invalidArgument,
                    "\(path.escaped): the symbolic link leads out of the tree, to \(target.escaped)",
                    hint: "copy the file into the directory")
            }
            return target
        }

        private func vanished(_ path: String) -> PawlError {
            PawlError(.conflict, "\(path.escaped) changed while it was read")
        }
    }
}
