import Foundation
import PawlCore
import Testing

@testable import PawlStore

@Suite struct TreeUseTests {
    @Test("each tree adds what those before it lack, and all objects are accounted for")
    func line() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let trees = try DeltaTests.line(store, directory, count: 3).map(\.tree)
            _ = try store.putDocument(Array("evidence".utf8))
            let use = try store.use(of: trees)
            #expect(use.trees.map(\.tree) == trees)
            #expect(use.otherBytes == 8)
            #expect(use.trees.reduce(use.otherBytes) { $0 + $1.addedBytes } == use.objectBytes)
            let base = try store.storedSize(of: trees[0])
            let manifest = try store.objectBytes(trees[0]).count
            #expect(use.trees[0].addedBytes == base.storedBytes + manifest)
            #expect(use.trees[0].logicalBytes == base.logicalBytes)
            #expect(use.trees[0].payloadBytes == base.payloadBytes)
            for tree in use.trees.dropFirst() {
                #expect(tree.addedBytes * 2 < use.trees[0].addedBytes)
                #expect(tree.payloadBytes["delta", default: 0] > 0)
            }
        }
    }

    @Test("a tree that comes first takes the bases of its deltas upon itself")
    func reversed() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let trees = try DeltaTests.line(store, directory, count: 2).map(\.tree)
            let use = try store.use(of: trees.reversed())
            let last = try store.storedSize(of: trees[2])
            #expect(use.trees[0].addedBytes > last.storedBytes + last.baseBytes)
            // What is left for the others is their manifests.
            #expect(use.trees[1].addedBytes < 10_000 && use.trees[2].payloadBytes.isEmpty)
            #expect(use.trees.reduce(0) { $0 + $1.addedBytes } == use.objectBytes)
        }
    }

    @Test("a damaged index is an error that says so")
    func missing() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let tree = try DeltaTests.line(store, directory, count: 1)[0].tree
            let piece = try #require(try store.tree(tree).pieces.first)
            try FileManager.default.removeItem(at: store.url(ofPointer: piece.digest))
            let error = #expect(throws: PawlError.self) { try store.use(of: [tree]) }
            #expect(error?.code == .notFound)
        }
    }
}
