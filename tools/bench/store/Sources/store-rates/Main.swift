import Foundation
import PawlCore
import PawlStore

#if canImport(Glibc)
    import Glibc
#endif

/// Sizes of a line of checkpoints in a store, and how long it takes to write and to open them.
///
///     store-rates [--repeats N] [--levels default,smallest,fast-read] [--repack LEVEL] DIRECTORY...
///
/// Each directory is a checkpoint that was trained from the one before it. Opening means what an engine does: every
/// tensor restored, checked against its digest and handed out. Times are medians by the clock, warm, beside the
/// processor time of all threads; the first row reads the last checkpoint's safetensors files as they are.
@main
struct StoreRates {
    static func main() throws {
        var arguments = Array(CommandLine.arguments.dropFirst())
        let repeats = option("--repeats", &arguments).flatMap { Int($0) } ?? 5
        let names = option("--levels", &arguments) ?? "default,fast-read"
        let repacking = option("--repack", &arguments).flatMap { EncodingLevel(rawValue: $0) }
        let levels = names.split(separator: ",").compactMap { EncodingLevel(rawValue: String($0)) }
        guard arguments.count >= 1, !levels.isEmpty else {
            throw PawlError(
                .usage, "store-rates [--repeats N] [--levels NAMES] [--repack LEVEL] DIRECTORY...")
        }
        let models = arguments.map { URL(filePath: $0) }
        let raw = try RawFiles(models[models.count - 1])
        show("| what | adds % | s | CPU s | MB/s | times raw |")
        show("|---|---|---|---|---|---|")
        let reading = try Timing.median(repeats) { try raw.read(threads: 1) }
        row("read the files, 1 thread", nil, reading, raw.bytes, reading)
        let both = try Timing.median(repeats) { try raw.read(threads: Parallel.width) }
        row("read the files, \(Parallel.width) threads", nil, both, raw.bytes, reading)
        for level in levels {
            let directory = FileManager.default.temporaryDirectory.appending(path: "pawl-bench-\(UUID())")
            defer { try? FileManager.default.removeItem(at: directory) }
            try measure(level, models, directory, raw, reading, repeats, repacking)
        }
    }

    private static func measure(
        _ level: EncodingLevel, _ models: [URL], _ directory: URL, _ raw: RawFiles, _ reading: Timing,
        _ repeats: Int, _ repacking: EncodingLevel?
    ) throws {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let store = try Store.create(at: directory.appending(path: "store"))
        var trees: [Digest] = []
        for (depth, model) in models.enumerated() {
            let parents = depth == 0 ? [] : [trees[depth - 1]] + (depth > 1 ? [trees[0]] : [])
            let start = Timing.now
            let report = try store.importTree(model, options: ImportOptions(parents: parents, level: level))
            trees.append(report.tree)
            let share = 100 * Double(report.storedBytes) / Double(report.logicalBytes)
            row("\(level.rawValue): import \(depth)", share, start.elapsed, report.logicalBytes, nil)
        }
        if let repacking {
            let line = trees.indices.map { RepackTree(trees[$0], ancestors: trees[..<$0].reversed()) }
            let start = Timing.now
            let report = try store.repack(line, options: RepackOptions(level: repacking))
            let share = 100 * Double(report.bytesNow) / Double(max(report.bytesBefore, 1))
            row(
                "\(level.rawValue): repack \(repacking.rawValue)", share, start.elapsed, report.bytesBefore,
                nil)
        }
        for (depth, tree) in trees.enumerated() {
            let opening = try Timing.median(repeats) { try open(store, tree) }
            row("\(level.rawValue): open, \(depth) deep", nil, opening, raw.bytes, reading)
        }
        let export = try Timing.median(min(repeats, 3)) {
            let target = directory.appending(path: "export-\(UUID())")
            try store.exportTree(trees[trees.count - 1], to: target)
            try FileManager.default.removeItem(at: target)
        }
        row("\(level.rawValue): export, \(trees.count - 1) deep", nil, export, raw.bytes, reading)
    }

    /// Every tensor of a tree, handed out and let go.
    private static func open(_ store: Store, _ tree: Digest) throws {
        let reader = try TreeReader(store, tree)
        var tensors: [(entry: Int, name: String)] = []
        for (index, entry) in reader.manifest.entries.enumerated() {
            if case .safetensors(_, _, let list) = entry.content { tensors += list.map { (index, $0.name) } }
        }
        try reader.read(tensors) { _, _ in }
    }

    private static func row(_ what: String, _ share: Double?, _ time: Timing, _ bytes: Int, _ raw: Timing?) {
        func text(_ value: Double?, _ digits: Int) -> String {
            value.map { String(format: "%.\(digits)f", $0) } ?? ""
        }
        let line =
            "| \(what) | \(text(share, 2)) | \(text(time.seconds, 3)) | \(text(time.processorSeconds, 3)) "
            + "| \(text(Double(bytes) / 1e6 / time.seconds, 0)) "
            + "| \(text(raw.map { time.seconds / $0.seconds }, 2)) |"
        show(line)
    }

    /// A row as it comes, also into a pipe.
    private static func show(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

    private static func option(_ name: String, _ arguments: inout [String]) -> String? {
        guard let index = arguments.firstIndex(of: name), index + 1 < arguments.count else { return nil }
        defer { arguments.removeSubrange(index...index + 1) }
        return arguments[index + 1]
    }
}

/// What some work took.
struct Timing: Sendable {
    /// Seconds by the clock.
    let seconds: Double
    /// Seconds of all threads, user and system.
    let processorSeconds: Double

    /// The present moment.
    static var now: Timing {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return Timing(
            seconds: ProcessInfo.processInfo.systemUptime,
            processorSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime))
    }

    /// Since this moment.
    var elapsed: Timing {
        let now = Timing.now
        return Timing(
            seconds: now.seconds - seconds, processorSeconds: now.processorSeconds - processorSeconds)
    }

    /// The median of some runs, after one that does not count.
    static func median(_ count: Int, _ body: () throws -> Void) throws -> Timing {
        try body()
        let runs = try (0..<count).map { _ in
            let start = now
            try body()
            return start.elapsed
        }
        return runs.sorted { $0.seconds < $1.seconds }[count / 2]
    }
}

/// The safetensors files of a model as they lie in a directory.
struct RawFiles: Sendable {
    private let files: [(path: String, size: Int)]

    /// Bytes of all files.
    var bytes: Int { files.reduce(0) { $0 + $1.size } }

    init(_ directory: URL) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        files = try names.filter { $0.hasSuffix(".safetensors") }.map { name in
            let path = directory.appending(path: name).path
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
            return (path, size ?? 0)
        }
    }

    /// Reads everything into memory, 1 MiB at a time, each thread into its own.
    func read(threads: Int) throws {
        try Parallel.forEach(threads) { thread in
            let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
            defer { room.deallocate() }
            for file in files {
                let descriptor = Glibc.open(file.path, O_RDONLY)
                guard descriptor >= 0 else { throw Files.error("open", file.path) }
                defer { close(descriptor) }
                for offset in stride(from: thread << 20, to: file.size, by: threads << 20) {
                    guard pread(descriptor, room.baseAddress, 1 << 20, off_t(offset)) > 0 else {
                        throw Files.error("read", file.path)
                    }
                }
            }
        }
    }
}
