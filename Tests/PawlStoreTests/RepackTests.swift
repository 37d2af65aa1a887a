import Foundation
import PawlCore
import Synchronization
import Testing

@testable import PawlStore

#if canImport(Glibc)
    import Glibc
#endif

/// A model and what it was trained into, one after the other, each in a directory of its own and in a store.
struct History {
    let store: Store
    var sources: [URL] = []
    var trees: [Digest] = []

    /// - Parameter elements: half the elements of the larger tensor.
    init(
        _ directory: URL, checkpoints: Int, elements: Int = 20_000, level: EncodingLevel = .standard,
        objectLimit: Int? = nil
    ) throws {
        var store = try Store.create(at: directory.appending(path: "store"))
        if let objectLimit { store.objectLimit = objectLimit }
        self.store = store
        var tensors: [SampleTensor] = []
        for index in 0..<checkpoints {
            let source = directory.appending(path: "checkpoint-\(index)")
            tensors =
                index == 0
                ? try makeModel(source, seed: 1, elements: elements)
                : try trainModel(tensors, sources[index - 1], source, seed: UInt64(index + 1))
            let parents = trees.suffix(1) + trees.prefix(1)
            trees.append(
                try store.importTree(source, options: ImportOptions(parents: Array(parents), level: level))
                    .tree)
            sources.append(source)
        }
    }

    /// Every checkpoint with its ancestors.
    var line: [RepackTree] {
        trees.indices.map { RepackTree(trees[$0], ancestors: trees[..<$0].reversed()) }
    }

    func expectIntact(_ store: Store, _ scratch: URL, _ comment: Comment? = nil) throws {
        #expect(try store.verify(deep: true).isEmpty, comment)
        for (tree, source) in zip(trees, sources) {
            try expectExport(store, tree, equals: source, scratch, comment)
        }
    }

    /// Expects that a collection finds at most so many objects that nothing needs.
    func expectClean(_ store: Store, atMost: Int = 0, _ comment: Comment? = nil) throws {
        let report = try store.collect(
            keepingTrees: Set(trees), documents: [], graceSeconds: 0, rootsRead: .now, dryRun: false)
        #expect(report.objects.count <= atMost, comment)
        #expect(try FileAccess.names(in: store.staging.path).isEmpty, comment)
    }

    /// Bytes of all objects.
    var bytes: Int {
        get throws { try store.objectNames().reduce(0) { $0 + (try store.openObject($1).size()) } }
    }
}

@Suite struct RepackTests {
    @Test("a history takes fewer bytes afterwards, in chains within the bound, and restores bit for bit")
    func smaller() throws {
        try withTemporaryDirectory { directory in
            let history = try History(directory, checkpoints: 8)
            let before = try history.bytes
            let report = try history.store.repack(history.line)
            #expect(report.trees == 8)
            #expect(report.rewritten > 0)
            #expect(report.unreadable.isEmpty)
            #expect(report.isCleaned)
            #expect(report.bytesNow < report.bytesBefore)
            #expect(report.depths.count == 4)
            // What the report says is what the disk says.
            #expect(try history.bytes == before - (report.bytesBefore - report.bytesNow))
            try history.expectIntact(history.store, directory)
            try history.expectClean(history.store)
        }
    }

    @Test("done again it writes nothing; a new checkpoint is taken in; a lost record costs no more than time")
    func again() throws {
        try withTemporaryDirectory { directory in
            let history = try History(directory, checkpoints: 5)
            let first = try history.store.repack(Array(history.line.dropLast()))
            let objects = try history.store.objectNames()
            let again = try history.store.repack(Array(history.line.dropLast()))
            #expect(again.finishedBefore == first.tensors)
            #expect(again.rewritten + again.relinked + again.removedObjects == 0)
            #expect(try history.store.objectNames() == objects)

            let more = try history.store.repack(history.line)
            #expect(more.finishedBefore < more.tensors)
            let settled = try history.store.objectNames()
            try Files.remove(history.store.root.appending(path: "repacked"))
            let unrecorded = try history.store.repack(history.line)
            #expect(unrecorded.finishedBefore == 0)
            #expect(try history.store.objectNames() == settled)
            try history.expectIntact(history.store, directory)
        }
    }

    @Test(
        "payload in several objects is repacked and named anew like any other",
        arguments: EncodingLevel.allCases)
    func parts(level: EncodingLevel) throws {
        try withTemporaryDirectory { directory in
            // More than a MiB, so that a tensor has several blocks, each of which needs an object of its own.
            let history = try History(directory, checkpoints: 6, elements: 600_000, objectLimit: 1 << 20)
            let report = try history.store.repack(history.line, options: RepackOptions(level: level))
            #expect(report.rewritten > 0)
            #expect(report.depths.count <= level.maximumDepth)
            try history.expectIntact(history.store, directory)
            try history.expectClean(history.store)
        }
    }

    @Test("the level is in every head that was written at it, and reading fast means short chains")
    func levels() throws {
        try withTemporaryDirectory { directory in
            let history = try History(directory, checkpoints: 5, level: .fastReading)
            func heads() throws -> [TensorHead.Header] {
                let session = ReadSession(history.store)
                let pieces = try history.trees.flatMap { try history.store.tree($0).pieces }
                return try pieces.filter(\.isTensor).map { try session.reader($0).header }
            }
            #expect(try heads().allSatisfy { $0.level == .fastReading && $0.depth <= 2 })
            let small = try history.store.repack(history.line)
            #expect(small.bytesNow < small.bytesBefore)
            #expect(try heads().contains { $0.depth > 2 })
            let fast = try history.store.repack(history.line, options: RepackOptions(level: .fastReading))
            #expect(fast.depths.count <= 2)
            #expect(try heads().allSatisfy { $0.level == .fastReading })
            _ = try history.store.repack(history.line, options: RepackOptions(level: .standard))
            #expect(try heads().allSatisfy { $0.level == nil })
            try history.expectIntact(history.store, directory)
            try history.expectClean(history.store)
        }
    }

    @Test("a tree that was opened before reads on when its encodings have gone")
    func openReader() throws {
        try withTemporaryDirectory { directory in
            let history = try History(directory, checkpoints: 6)
            let tree = try #require(history.trees.last)
            let reader = try TreeReader(history.store, tree)
            let entry = try #require(reader.manifest.entries.firstIndex { $0.path == "model.safetensors" })
            func embedding() throws -> [UInt8] {
                let bytes = Mutex<[UInt8]>([])
                try reader.read([(entry, "model.embed")]) { _, found in bytes.withLock { $0 = Array(found) } }
                return bytes.withLock { $0 }
            }
            let before = try embedding()
            let report = try history.store.repack(history.line)
            #expect(report.removedObjects > 0)
            #expect(try embedding() == before)
        }
    }

    @Test("what cannot be read is named and left as it is, the rest is repacked")
    func damaged() throws {
        try withTemporaryDirectory { directory in
            let history = try History(directory, checkpoints: 7)
            let piece = try #require(
                try history.store.tree(history.trees[2]).pieces.first { $0.tensorName == "model.embed" })
            let object = try #require(try history.store.pointer(piece.digest))
            let file = history.store.url(ofObject: object)
            var bytes = try Files.read(file)
            bytes[bytes.count - 1] ^= 1
            try FileAccess.setMode(0o644, file.path)
            try Data(bytes).write(to: file)
            let report = try history.store.repack(history.line)
            #expect(report.unreadable.contains { $0.hasPrefix("model.safetensors: model.embed") })
            #expect(report.rewritten > 0)
            // The damaged object still says what it was, and is still the only one that can be mended.
            #expect(Files.exists(file))
            try expectExport(history.store, history.trees[0], equals: history.sources[0], directory)
        }
    }

    @Test(
        "stopped between two tensors, it says so, keeps what is done and goes on from there",
        arguments: [1, 256 << 20])
    func stopped(batch: Int) throws {
        try withTemporaryDirectory { directory in
            let history = try History(directory, checkpoints: 5)
            var store = history.store
            store.repackBatch = batch
            // Asked before each of four families (and after each batch); the first one is done.
            let asked = Mutex(0)
            let options = RepackOptions(shouldStop: {
                asked.withLock { asked in
                    asked += 1
                    return asked > (batch == 1 ? 2 : 1)
                }
            })
            let error = pawlError { _ = try store.repack(history.line, options: options) }
            #expect(error?.code == .cancelled)
            try history.expectIntact(store, directory)
            let report = try store.repack(history.line)
            #expect(report.finishedBefore >= 5)
            #expect(report.finishedBefore < report.tensors)
            try history.expectIntact(store, directory)
            try history.expectClean(store)
        }
    }

    @Test("one process repacks at a time")
    func alone() throws {
        try withTemporaryDirectory { directory in
            let history = try History(directory, checkpoints: 2, elements: 300)
            let lock = try FileLock(history.store.root.appending(path: "repack.lock"))
            #expect(pawlError { _ = try history.store.repack(history.line) }?.code == .locked)
            withExtendedLifetime(lock) {}
        }
    }
}
