import Foundation
import PawlCore
import Synchronization
import Testing

@testable import PawlStore

#if canImport(Glibc)
    import Glibc
#endif

/// The steps that observers on several threads saw.
private final class StepLog: Sendable {
    private let log = Mutex<[StorageStep]>([])
    var steps: [StorageStep] { log.withLock { $0 } }

    /// Notes a step; returns how many came before it.
    @discardableResult
    func note(_ step: StorageStep) -> Int {
        log.withLock { log in
            log.append(step)
            return log.count - 1
        }
    }
}

@Suite struct CrashTests {
    @Test(
        "stopped before any change of the disk, an import leaves every earlier tree whole and can be done again"
    )
    func everyStep() throws {
        try withTemporaryDirectory { directory in
            var store = try Store.create(at: directory.appending(path: "store"))
            let source = directory.appending(path: "a")
            let tensors = try makeModel(source, seed: 1)
            let first = try store.importTree(source).tree
            let next = directory.appending(path: "b")
            _ = try trainModel(tensors, source, next, seed: 2)

            // What is on disk right before a step is what a kill at that step leaves.
            let copies = directory.appending(path: "copies")
            try Files.createDirectory(copies)
            let root = store.root
            let log = StepLog()
            store.observer = { step in
                try? FileManager.default.copyItem(at: root, to: copies.appending(path: "\(log.note(step))"))
            }
            let second = try store.importTree(
                next, options: ImportOptions(parents: [first], memoryLimit: 1 << 20)
            ).tree

            let names = try FileAccess.names(in: copies.path)
            #expect(names.count > 10)
            for name in names {
                let copy = try Store(opening: copies.appending(path: name))
                #expect(try copy.verify(deep: true).isEmpty, "step \(name)")
                try expectExport(copy, first, equals: source, directory, "step \(name)")
                #expect(try copy.importTree(next, options: ImportOptions(parents: [first])).tree == second)
                try expectExport(copy, second, equals: next, directory, "step \(name)")
                let report = try copy.collect(
                    keepingTrees: [first, second], documents: [], graceSeconds: 0, dryRun: false)
                #expect(try FileAccess.names(in: copy.staging.path).isEmpty, "step \(name)")
                #expect(report.objects.count <= 1, "step \(name)")
                #expect(try copy.verify(deep: true).isEmpty)
            }
        }
    }

    @Test("stopped before any removal, a collection leaves a store that names nothing that is gone")
    func collection() throws {
        try withTemporaryDirectory { directory in
            var store = try Store.create(at: directory.appending(path: "store"))
            // Deltas, and a chain that goes as a whole: the first tree alone is kept.
            let line = try DeltaTests.line(store, directory, count: 3)
            let copies = directory.appending(path: "copies")
            try Files.createDirectory(copies)
            let root = store.root
            let log = StepLog()
            store.observer = { step in
                try? FileManager.default.copyItem(at: root, to: copies.appending(path: "\(log.note(step))"))
            }
            Thread.sleep(forTimeInterval: 0.05)
            let report = try store.collect(
                keepingTrees: [line[0].tree], documents: [], graceSeconds: 0, dryRun: false)
            #expect(report.objects.count > 6 && report.pointers > 3)
            let names = try FileAccess.names(in: copies.path)
            #expect(names.count >= report.objects.count + report.pointers)
            for name in names {
                let copy = try Store(opening: copies.appending(path: name))
                #expect(try copy.verify(deep: true).isEmpty, "step \(name)")
                try expectExport(copy, line[0].tree, equals: line[0].source, directory, "step \(name)")
            }
            #expect(try store.verify(deep: true).isEmpty)
        }
    }

    @Test("an object is synced before its name, both before the index names it, and that before the tree")
    func order() throws {
        try withTemporaryDirectory { directory in
            var store = try Store.create(at: directory.appending(path: "store"))
            let source = directory.appending(path: "a")
            _ = try makeModel(source, seed: 1)
            let log = StepLog()
            store.observer = { log.note($0) }
            let tree = try store.importTree(source).tree
            let steps = log.steps
            func position(_ step: StorageStep) -> Int { steps.firstIndex(of: step) ?? .max }
            let manifest = store.url(ofObject: tree).path
            for piece in try store.tree(tree).pieces {
                let head = store.url(ofObject: try #require(try store.pointer(piece.digest)))
                let pointer = store.url(ofPointer: piece.digest)
                let synced = position(.syncDirectory(head.deletingLastPathComponent().path))
                #expect(position(.syncFile(head.path)) < position(.rename(to: head.path)))
                #expect(position(.rename(to: head.path)) < synced)
                #expect(synced < position(.rename(to: pointer.path)))
                #expect(
                    position(.syncDirectory(pointer.deletingLastPathComponent().path))
                        < position(.rename(to: manifest)))
            }
            let last = steps.lastIndex(
                of: .syncDirectory(store.url(ofObject: tree).deletingLastPathComponent().path))
            #expect(position(.rename(to: manifest)) < last ?? -1)
        }
    }

    @Test("killed with SIGKILL in the middle, a process leaves a sound store", arguments: [0, 3, 9, 17, 30])
    func killed(step: Int) async throws {
        try await withTemporaryDirectory { directory in
            let source = directory.appending(path: "a")
            _ = try makeModel(source, seed: 1)
            let store = try Store.create(at: directory.appending(path: "store"))
            let path = directory.path
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, step = step as Int] in
                let directory = URL(filePath: path)
                var store = try Store(opening: directory.appending(path: "store"))
                let log = StepLog()
                store.observer = { if log.note($0) == step { kill(getpid(), SIGKILL) } }
                _ = try store.importTree(directory.appending(path: "a"))
                kill(getpid(), SIGKILL)
            }
            #expect(try store.verify(deep: true).isEmpty)
            let tree = try store.importTree(source).tree
            try expectExport(store, tree, equals: source, directory)
            _ = try store.collect(keepingTrees: [tree], documents: [], graceSeconds: 0, dryRun: false)
            #expect(try FileAccess.names(in: store.staging.path).isEmpty)
        }
    }

    @Test("processes and threads that import and collect at once do not disturb each other")
    func concurrent() async throws {
        try await withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            for name in 0..<4 {
                _ = try makeModel(directory.appending(path: "m\(name)"), seed: UInt64(name / 2))
            }
            let path = directory.path
            await withTaskGroup(of: Void.self) { group in
                for worker in 0..<3 {
                    group.addTask {
                        await #expect(processExitsWith: .success) {
                            [path = path as String, worker = worker as Int] in
                            let directory = URL(filePath: path)
                            let store = try Store(opening: directory.appending(path: "store"))
                            for index in 0..<4 {
                                let name = "m\((index + worker) % 4)"
                                _ = try store.importTree(directory.appending(path: name))
                                try store.putDocument(Array("\(name)".utf8))
                                // What others are adding at this moment is not damage.
                                try #require(try store.verify(deep: true).isEmpty)
                                if worker == 0 {
                                    _ = try store.collect(
                                        keepingTrees: [], documents: [], graceSeconds: 3600, dryRun: false)
                                }
                            }
                        }
                    }
                }
            }
            try Parallel.forEach(4) { index in
                _ = try Store(opening: store.root).importTree(
                    URL(filePath: path).appending(path: "m\(index)"))
            }
            #expect(try store.verify(deep: true).isEmpty)
            for name in 0..<4 {
                let source = directory.appending(path: "m\(name)")
                try expectExport(store, try store.importTree(source).tree, equals: source, directory)
            }
            #expect(try FileAccess.names(in: store.staging.path).isEmpty)
        }
    }
}
