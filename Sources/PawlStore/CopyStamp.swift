internal import Foundation
internal import PawlCore

/// What the operating system says of the files of a copy: number, size, mode and times of every file and directory.
///
/// As long as that is the same, so are the bytes: a write moves the time of change, and no program can set that one
/// back. What it does not show is a disk that goes bad under a file.
struct CopyStamp: Sendable {
    /// A line for the root and for each entry.
    private let text: String
    /// The latest change of any of them, in nanoseconds since 1970.
    private let lastChange: Int64

    /// A change that comes so soon after another one can have the same time: clocks of file systems tick in
    /// steps of milliseconds, some of two seconds.
    private static let tick: Int64 = 2_000_000_000

    /// Looks at a copy; nil when something of it is not there.
    init?(_ directory: URL, _ manifest: TreeManifest) throws {
        var (lines, lastChange) = (["copy 1"], Int64(0))
        for path in [""] + manifest.entries.map({ "/" + $0.path }) {
            guard let status = try FileStatus(directory.path + path, followLinks: false) else { return nil }
            lines.append(
                "\(status.device) \(status.inode) \(status.kind) \(status.mode) \(status.size) "
                    + "\(status.modified) \(status.changed)")
            lastChange = max(lastChange, status.changed)
        }
        text = lines.joined(separator: "\n") + "\n"
        self.lastChange = lastChange
    }

    /// True when this is what was kept in a file after the bytes had been compared.
    func isKept(in file: URL) -> Bool {
        guard Files.exists(file), let kept = try? Files.read(file) else { return false }
        return kept == Array(text.utf8)
    }

    /// Keeps it: bytes that were read from `start` on, after it was taken, are those of the tree.
    ///
    /// Nothing is kept of a copy that changed just before, for then another change need not show.
    ///
    /// - Parameter start: nanoseconds since 1970.
    func keep(in file: URL, checkedFrom start: Int64) throws {
        guard lastChange < start - Self.tick else { return }
        try Files.writeAtomically(Array(text.utf8), to: file)
    }
}
