import Foundation
import PawlCore
import Synchronization
import Testing

@testable import PawlStore

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct RepackCrashTests {
    @Test(
        "stopped before any change of the disk, everything is there, and the next call ends where one call ends"
    )
    func everyStep() throws {
        try withTemporaryDirectory { directory in
            let history = try History(directory, checkpoints: 7, elements: 4000)
            var store = history.store
            store.repackBatch = 20_000
            let copies = directory.appending(path: "copies")
            try Files.createDirectory(copies)
            let count = Mutex(0)
            // What is on disk right before a step is what a kill at that step leaves; every third is enough.
            store.observer = { [root = store.root] _ in
                let step = count.withLock { count in
                    count += 1
                    return count
                }
                guard step % 3 == 0 else { return }
                try? FileManager.default.copyItem(at: root, to: copies.appending(path: "\(step)"))
            }
            _ = try store.repack(history.line)
            let whole = try store.objectNames()
            let names = try FileAccess.names(in: copies.path)
            #expect(names.count > 10)
            for name in names {
                let copy = try Store(opening: copies.appending(path: name))
                try history.expectIntact(copy, directory, "step \(name)")
                _ = try copy.repack(history.line)
                try history.expectIntact(copy, directory, "step \(name), then to the end")
                // Objects that were on disk and in no index yet are found again, or are the collection's.
                try history.expectClean(copy, atMost: 8, "step \(name)")
                #expect(Set(try copy.objectNames()) == Set(whole), "step \(name)")
                try FileManager.default.removeItem(at: copy.root)
            }
        }
    }

    @Test("killed with SIGKILL in the middle, it leaves a sound store", arguments: [0, 5, 17, 40, 63, 80])
    func killed(step: Int) async throws {
        try await withTemporaryDirectory { directory in
            let history = try History(directory, checkpoints: 7, elements: 4000)
            let path = directory.path
            let trees = history.trees.map(\.hex)
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = path as String, step = step as Int, trees = trees as [String]] in
                var store = try Store(opening: URL(filePath: path).appending(path: "store"))
                store.repackBatch = 20_000
                let count = Mutex(0)
                store.observer = { _ in
                    count.withLock { count in
                        if count == step { kill(getpid(), SIGKILL) }
                        count += 1
                    }
                }
                let digests = trees.compactMap { Digest(hex: $0) }
                let line = digests.indices.map {
                    RepackTree(digests[$0], ancestors: digests[..<$0].reversed())
                }
                _ = try store.repack(line)
                // A run of fewer steps is killed when it is done.
                kill(getpid(), SIGKILL)
            }
            try history.expectIntact(history.store, directory)
            _ = try history.store.repack(history.line)
            try history.expectIntact(history.store, directory)
            try history.expectClean(history.store, atMost: 8)
        }
    }

    @Test("readers, imports, collections and repacking at once do not disturb each other")
    func concurrent() async throws {
        try await withTemporaryDirectory { directory in
            let history = try History(directory, checkpoints: 7, elements: 4000)
            let path = directory.path
            let trees = history.trees.map(\.hex)
            await withTaskGroup(of: Void.self) { group in
                for role in 0..<4 {
                    group.addTask {
                        await #expect(processExitsWith: .success) {
                            [path = path as String, role = role as Int, trees = trees as [String]] in
                            try RepackCrashTests.work(
                                role, URL(filePath: path), trees.compactMap { Digest(hex: $0) })
                        }
                    }
                }
            }
            try history.expectIntact(history.store, directory)
        }
    }

    /// What one of the processes does: 0 repacks at changing levels, 1 reads, 2 imports, 3 collects and verifies.
    static func work(_ role: Int, _ directory: URL, _ trees: [Digest]) throws {
        var store = try Store(opening: directory.appending(path: "store"))
        store.repackBatch = 20_000
        let line = trees.indices.map { RepackTree(trees[$0], ancestors: trees[..<$0].reversed()) }
        for round in 0..<6 {
            switch role {
            case 0:
                let level = EncodingLevel.allCases[round % EncodingLevel.allCases.count]
                let report = try store.repack(line, options: RepackOptions(level: level))
                try #require(report.unreadable.isEmpty)
            case 1:
                let tree = round % trees.count
                try expectExport(
                    store, trees[tree], equals: directory.appending(path: "checkpoint-\(tree)"), directory)
            case 2:
                let tree = round % trees.count
                try #require(
                    try store.importTree(
                        directory.appending(path: "checkpoint-\(tree)"),
                        options: ImportOptions(parents: [trees[0]])
                    ).tree == trees[tree])
                let scratch = directory.appending(path: "new-\(round)")
                var random = SeededGenerator(seed: UInt64(100 + round))
                try write(
                    try safetensors([.weights("model.embed", [4000, 2], &random)]), scratch,
                    "model.safetensors")
                _ = try store.importTree(scratch, options: ImportOptions(parents: [trees[4]]))
            default:
                _ = try store.collect(
                    keepingTrees: Set(trees), documents: [], graceSeconds: 3600, dryRun: false)
                try #require(try store.verify(deep: true).isEmpty)
            }
        }
    }
}
