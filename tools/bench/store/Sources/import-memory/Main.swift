import Foundation
import PawlCore
import PawlStore
import Synchronization

/// The most memory that an import and a deep verification of a large model take beyond the page cache.
///
///     import-memory [--gigabytes N] [--dense N] [--memory-limit MIB] [--directory DIR]
///
/// Makes synthetic shards of the shape of a Llama of 7B (bf16, weights as trained ones are distributed) in DIR, imports
/// them, verifies them deeply, and removes everything. Only the first --dense gigabytes are written (all unless given);
/// the rest are holes, which are zeros to whoever reads them: less disk, the same number of tensors. What counts is
/// the largest RssAnon of /proc/self/status, looked at every 2 ms; pages of files are the page cache's.
@main
struct ImportMemory {
    static func main() throws {
        var arguments = Array(CommandLine.arguments.dropFirst())
        let gigabytes = try number("--gigabytes", &arguments) ?? 15
        let dense = try number("--dense", &arguments) ?? gigabytes
        let limit = try number("--memory-limit", &arguments).map { Int($0) << 20 }
        let place = option("--directory", &arguments).map { URL(filePath: $0) }
        guard arguments.isEmpty else { throw PawlError(.usage, "what is \(arguments[0])?") }
        let parent = place ?? FileManager.default.temporaryDirectory
        let directory = parent.appending(path: "pawl-import-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let model = directory.appending(path: "model")
        let shape = LlamaShards(byteCount: Int(gigabytes * 1e9), denseBytes: Int(dense * 1e9))
        try shape.write(to: model)
        let store = try Store.create(at: directory.appending(path: "store"))
        print("| work | raw GB | dense | s | MB/s | peak beyond the page cache, MB | before | in 10 s |")
        print("|---|---|---|---|---|---|---|---|")
        var options = ImportOptions()
        if let limit { options = ImportOptions(memoryLimit: limit) }
        try measure("import", gigabytes, dense) { _ = try store.importTree(model, options: options) }
        try measure("verify, deep", gigabytes, dense) {
            guard try store.verify(deep: true).isEmpty else { throw PawlError(.corrupt, "not what went in") }
        }
    }

    private static func measure(
        _ what: String, _ gigabytes: Double, _ dense: Double, _ body: () throws -> Void
    ) throws {
        let before = Memory.anonymous()
        let watch = MemoryWatch()
        let start = Date()
        try body()
        let seconds = Date().timeIntervalSince(start)
        let (peak, early) = watch.stop()
        let cells = [
            what, String(format: "%.1f", gigabytes), String(format: "%.1f", min(dense, gigabytes)),
            String(format: "%.0f", seconds), String(format: "%.0f", gigabytes * 1000 / seconds),
            "\(peak / 1_000_000)", "\(before / 1_000_000)", "\(early / 1_000_000)",
        ]
        print("| \(cells.joined(separator: " | ")) |")
    }

    private static func option(_ name: String, _ arguments: inout [String]) -> String? {
        guard let index = arguments.firstIndex(of: name), index + 1 < arguments.count else { return nil }
        defer { arguments.removeSubrange(index...index + 1) }
        return arguments[index + 1]
    }

    private static func number(_ name: String, _ arguments: inout [String]) throws -> Double? {
        guard let text = option(name, &arguments) else { return nil }
        guard let value = Double(text), value > 0 else { throw PawlError(.usage, "\(name) takes a number") }
        return value
    }
}

/// What this process has in memory.
enum Memory {
    /// Bytes that belong to no file.
    static func anonymous() -> Int {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
            let kilobytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
        else { return 0 }
        return kilobytes << 10
    }
}

/// Watches the memory of this process from a thread of its own.
final class MemoryWatch: Sendable {
    private let state = Mutex((peak: 0, early: 0, isOver: false))
    private let ended = DispatchSemaphore(value: 0)

    init() {
        let began = Date()
        Thread.detachNewThread {
            while !self.state.withLock({ $0.isOver }) {
                let now = Memory.anonymous()
                let isEarly = Date().timeIntervalSince(began) < 10
                self.state.withLock {
                    $0.peak = max($0.peak, now)
                    if isEarly { $0.early = max($0.early, now) }
                }
                usleep(2000)
            }
            self.ended.signal()
        }
    }

    /// The largest number of bytes since the beginning, and that of the first ten seconds.
    func stop() -> (peak: Int, early: Int) {
        state.withLock { $0.isOver = true }
        ended.wait()
        return state.withLock { ($0.peak, $0.early) }
    }
}
