internal import Foundation
internal import PawlCore
internal import Synchronization

/// Takes an engine's stderr: all of it (bounded) into a file, the last part into memory.
final class StandardErrorLog: Sendable {
    private struct State {
        var recent: [UInt8] = []
        var written = 0
        var file: FileHandle?
    }

    /// The file that holds it.
    let url: URL
    private let state: Mutex<State>
    private static let recentLimit = 64 << 10
    private static let fileLimit = 64 << 20

    /// Creates the file.
    init(_ url: URL) throws {
        self.url = url
        try Files.writeAtomically([UInt8](), to: url)
        let file = try? FileHandle(forWritingTo: url)
        state = Mutex(State(file: file))
    }

    /// Appends bytes as they come.
    func append(_ bytes: [UInt8]) {
        state.withLock { state in
            state.recent += bytes
            if state.recent.count > Self.recentLimit {
                state.recent.removeFirst(state.recent.count - Self.recentLimit)
            }
            guard state.written < Self.fileLimit else { return }
            state.written += bytes.count
            // A full disk must not stop the engine: the log is a convenience, the answer is not.
            try? state.file?.write(contentsOf: Data(bytes))
            if state.written >= Self.fileLimit {
                try? state.file?.write(contentsOf: Data("\n[pawl: the rest is left out]\n".utf8))
            }
        }
    }

    /// Closes the file.
    func close() {
        state.withLock { state in
            try? state.file?.close()
            state.file = nil
        }
    }

    /// The last lines, cut to a length that fits into an error.
    func lastLines(_ count: Int = 8) -> [String] {
        let recent = state.withLock { $0.recent }
        return String(decoding: recent, as: UTF8.self).split(whereSeparator: \.isNewline).suffix(count).map {
            $0.count > 300 ? String($0.prefix(300)) + "…" : String($0)
        }
    }
}
