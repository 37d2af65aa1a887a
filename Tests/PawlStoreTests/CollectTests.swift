import Foundation
import PawlCore
import Testing

@testable import PawlStore

@Suite struct CollectTests {
    @Test(
        "what is kept stays whole with the bases of its deltas; the rest goes, but only when it is not a dry run"
    )
    func keepsBases() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try DeltaTests.line(store, directory, count: 3)
            let strange = directory.appending(path: "strange")
            _ = try makeModel(strange, seed: 55)
            let dropped = try store.importTree(strange).tree
            let (kept, gone) = (try store.putDocument([1]), try store.putDocument([2]))
            try write([1, 2, 3], store.staging, "dead/1")
            let before = try store.objectNames()
            letFileTimesPass()

            let dry = try store.collect(keepingTrees: [line[2].tree], documents: [kept], graceSeconds: 0)
            #expect(dry.dryRun && dry.objects.contains(dropped) && dry.temporaryBytes == 3)
            #expect(try store.objectNames() == before)
            let report = try store.collect(
                keepingTrees: [line[2].tree], documents: [kept], graceSeconds: 0, dryRun: false)
            #expect(report.objects == dry.objects && report.bytes == dry.bytes)
            #expect(try store.objectNames().count == report.keptObjects)
            #expect(try FileAccess.names(in: store.staging.path).isEmpty)

            try expectExport(store, line[2].tree, equals: line[2].source, directory)
            #expect(store.hasDocument(kept) && !store.hasDocument(gone))
            for tree in [dropped, line[0].tree, line[3].tree] { #expect(!store.hasTree(tree)) }
            #expect(try store.verify(deep: true).isEmpty)
            // Nothing is left to remove, and what went can come back.
            #expect(
                try store.collect(keepingTrees: [line[2].tree], documents: [kept], graceSeconds: 0).objects
                    .isEmpty)
            try expectExport(
                store, try store.importTree(line[3].source).tree, equals: line[3].source, directory)
        }
    }

    @Test("what was written, or stored again, within the grace period stays with all it names")
    func grace() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try DeltaTests.line(store, directory, count: 1)
            func age(_ objects: [Digest]) throws {
                for object in objects {
                    try FileManager.default.setAttributes(
                        [.modificationDate: Date(timeIntervalSinceNow: -1000)],
                        ofItemAtPath: store.url(ofObject: object).path)
                }
            }
            #expect(try store.collect(keepingTrees: [], documents: [], graceSeconds: 100).objects.isEmpty)
            try age(try store.objectNames())
            #expect(try store.collect(keepingTrees: [], documents: [], graceSeconds: 2000).objects.isEmpty)
            // Only the manifest of the second checkpoint is fresh: its tensors and their bases are needed.
            _ = try store.importTree(line[1].source)
            let report = try store.collect(keepingTrees: [], documents: [], graceSeconds: 100, dryRun: false)
            #expect(report.objects == [line[0].tree])
            try expectExport(store, line[1].tree, equals: line[1].source, directory)
        }
    }

    @Test("a collection refuses to guess what a damaged tree needs")
    func damagedTree() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try DeltaTests.line(store, directory, count: 1)
            let unknown = pawlError {
                _ = try store.collect(keepingTrees: [Digest(of: "?")], documents: [], graceSeconds: 0)
            }
            #expect(unknown?.code == .notFound)
            let tree = line[1].tree
            let piece = try #require(try store.tree(tree).pieces.last)
            let head = try #require(try store.pointer(piece.digest))
            try Files.remove(store.url(ofObject: head))
            let error = pawlError {
                _ = try store.collect(keepingTrees: [tree], documents: [], graceSeconds: 0, dryRun: false)
            }
            #expect(error?.code == .corrupt)
            #expect(store.hasTree(line[0].tree))
        }
    }

    @Test("cached copies of trees that go are removed too")
    func cache() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try DeltaTests.line(store, directory, count: 1)
            for (tree, _) in line { _ = try store.materialise(tree) }
            _ = try store.collect(keepingTrees: [line[1].tree], documents: [], graceSeconds: 0, dryRun: false)
            #expect(try store.cachedTrees() == [line[1].tree])
        }
    }
}

/// A collection keeps what was written within the kernel's tick before it began.
private func letFileTimesPass() { Thread.sleep(forTimeInterval: 0.05) }
