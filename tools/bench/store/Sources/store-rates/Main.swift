import Foundation
import PawlCore
import PawlStore

/// Sizes of a line of checkpoints in a store, and how long it takes to write and to open them.
///
///     store-rates [--repeats N] [--levels default,smallest,fast-read] [--repack LEVEL] [--cold] DIRECTORY...
///
/// Each directory is a checkpoint that was trained from the one before it. Opening means what an engine does: every
/// tensor restored, its objects checked, and handed out. "From the cache" is what a plug-in does: the copy is asked
/// for, and its safetensors files read. Times are medians by the clock beside the processor time of all threads; the
/// first rows read the last checkpoint's files as they are, which "times raw" divides by, with as many threads as
/// there are processors. Warm: all files are in memory. With --cold, the same once more with none of them there.
@main
struct StoreRates {
    static func main() throws {
        var arguments = Array(CommandLine.arguments.dropFirst())
        let cold = arguments.firstIndex(of: "--cold").map { arguments.remove(at: $0) } != nil
        let repeats = option("--repeats", &arguments).flatMap { Int($0) } ?? 5
        let names = option("--levels", &arguments) ?? "default,fast-read"
        let repacking = option("--repack", &arguments).flatMap { EncodingLevel(rawValue: $0) }
        let levels = names.split(separator: ",").compactMap { EncodingLevel(rawValue: String($0)) }
        guard arguments.count >= 1, !levels.isEmpty else {
            throw PawlError(
                .usage,
                "store-rates [--repeats N] [--levels NAMES] [--repack LEVEL] [--cold] DIRECTORY...")
        }
        let models = arguments.map { URL(filePath: $0) }
        let bench = try Bench(model: models[models.count - 1], repeats: repeats, cold: cold)
        for level in levels {
            let directory = FileManager.default.temporaryDirectory.appending(path: "pawl-bench-\(UUID())")
            defer { try? FileManager.default.removeItem(at: directory) }
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            let line = try write(models, level, directory.appending(path: "store"), repacking)
            try bench.open(line, level.rawValue, directory)
        }
    }

    /// Imports a line of checkpoints, each against its parent and the first; repacks it when that is asked for.
    private static func write(
        _ models: [URL], _ level: EncodingLevel, _ directory: URL, _ repacking: EncodingLevel?
    ) throws -> Line {
        let store = try Store.create(at: directory)
        var trees: [Digest] = []
        for (depth, model) in models.enumerated() {
            let parents = depth == 0 ? [] : [trees[depth - 1]] + (depth > 1 ? [trees[0]] : [])
            let start = Timing.now
            let report = try store.importTree(model, options: ImportOptions(parents: parents, level: level))
            trees.append(report.tree)
            let share = 100 * Double(report.storedBytes) / Double(report.logicalBytes)
            Row.show("\(level.rawValue): import \(depth)", share, start.elapsed, report.logicalBytes, nil)
        }
        if let repacking {
            let line = trees.indices.map { RepackTree(trees[$0], ancestors: trees[..<$0].reversed()) }
            let start = Timing.now
            let report = try store.repack(line, options: RepackOptions(level: repacking))
            let share = 100 * Double(report.bytesNow) / Double(max(report.bytesBefore, 1))
            let what = "\(level.rawValue): repack \(repacking.rawValue)"
            Row.show(what, share, start.elapsed, report.bytesBefore, nil)
        }
        return Line(store: store, directory: directory, trees: trees)
    }

    private static func option(_ name: String, _ arguments: inout [String]) -> String? {
        guard let index = arguments.firstIndex(of: name), index + 1 < arguments.count else { return nil }
        defer { arguments.removeSubrange(index...index + 1) }
        return arguments[index + 1]
    }
}

/// Checkpoints in a store, each made from the one before it.
struct Line {
    let store: Store
    let directory: URL
    let trees: [Digest]

    /// Every tensor of a tree, handed out and let go.
    func open(_ tree: Digest) throws {
        let reader = try TreeReader(store, tree)
        var tensors: [(entry: Int, name: String)] = []
        for (index, entry) in reader.manifest.entries.enumerated() {
            if case .safetensors(_, _, let list) = entry.content { tensors += list.map { (index, $0.name) } }
        }
        try reader.read(tensors) { _, _ in }
    }

    /// A tree's copy in the cache, looked for and read.
    func openCached(_ tree: Digest) throws {
        try RawFiles(try store.materialise(tree), suffix: ".safetensors").read(threads: Parallel.width)
    }
}

/// Times of opening, beside those of reading plain files.
struct Bench {
    private let repeats: Int
    private let raw: RawFiles
    private let cold: Bool
    /// What plain files take: warm, and cold when that is asked for.
    private let reading: (warm: Timing, cold: Timing?)

    init(model: URL, repeats: Int, cold: Bool) throws {
        self.repeats = repeats
        self.cold = cold
        let raw = try RawFiles(model, suffix: ".safetensors")
        self.raw = raw
        let (width, all) = (Parallel.width, raw.bytes)
        Row.head()
        let one = try Timing.median(repeats) { try raw.read(threads: 1) }
        let warm = try Timing.median(repeats) { try raw.read(threads: width) }
        Row.show("read the files, 1 thread", nil, one, all, warm)
        Row.show("read the files, \(width) threads", nil, warm, all, warm)
        guard cold else {
            reading = (warm, nil)
            return
        }
        let disk = try Timing.median(repeats, before: raw.drop) { try raw.read(threads: width) }
        Row.show("read the files, \(width) threads, cold", nil, disk, all, disk)
        reading = (warm, disk)
    }

    /// Rows of opening each checkpoint of a line, the last one from the cache too, and of exporting it.
    func open(_ line: Line, _ name: String, _ directory: URL) throws {
        for (depth, tree) in line.trees.enumerated() {
            try rows("\(name): open, \(depth) deep", files: line.directory) { try line.open(tree) }
        }
        let last = line.trees[line.trees.count - 1]
        // Twice with time between: a copy is trusted when it did not change just before it was compared.
        _ = try line.store.materialise(last)
        Thread.sleep(forTimeInterval: 2.1)
        _ = try line.store.materialise(last)
        try rows("\(name): from the cache", files: line.directory) { try line.openCached(last) }
        let export = try Timing.median(min(repeats, 3)) {
            let target = directory.appending(path: "export-\(UUID())")
            try line.store.exportTree(last, to: target)
            try FileManager.default.removeItem(at: target)
        }
        Row.show("\(name): export, \(line.trees.count - 1) deep", nil, export, raw.bytes, reading.warm)
    }

    private func rows(_ what: String, files directory: URL, _ body: () throws -> Void) throws {
        Row.show(what, nil, try Timing.median(repeats, body), raw.bytes, reading.warm)
        guard let plain = reading.cold else { return }
        let files = try RawFiles(directory)
        let disk = try Timing.median(repeats, before: files.drop, body)
        Row.show("\(what), cold", nil, disk, raw.bytes, plain)
    }
}

/// A row of the table.
enum Row {
    static func head() {
        write("| what | adds % | s | CPU s | MB/s | times raw |")
        write("|---|---|---|---|---|---|")
    }

    static func show(_ what: String, _ share: Double?, _ time: Timing, _ bytes: Int, _ raw: Timing?) {
        func text(_ value: Double?, _ digits: Int) -> String {
            value.map { String(format: "%.\(digits)f", $0) } ?? ""
        }
        write(
            "| \(what) | \(text(share, 2)) | \(text(time.seconds, 3)) | \(text(time.processorSeconds, 3)) "
                + "| \(text(Double(bytes) / 1e6 / time.seconds, 0)) "
                + "| \(text(raw.map { time.seconds / $0.seconds }, 2)) |")
    }

    /// At once, also into a pipe.
    private static func write(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }
}
