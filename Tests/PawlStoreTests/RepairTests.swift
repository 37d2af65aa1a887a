import Foundation
import PawlCore
import Testing

@testable import PawlStore

/// What is damaged or missing comes back from another store, checked like our own.
@Suite struct RepairTests {
    /// A store with a line of three checkpoints, and another one that holds the same trees.
    private struct Pair {
        let store: Store
        let other: Store
        let line: [(tree: Digest, source: URL)]
        let directory: URL

        /// - Parameter isCopy: the other store's objects are the very same; else it wrote every tree on its own.
        init(_ directory: URL, isCopy: Bool) throws {
            store = try Store.create(at: directory.appending(path: "store"))
            line = try DeltaTests.line(store, directory, count: 2)
            let place = directory.appending(path: "other")
            if isCopy {
                try FileManager.default.copyItem(at: store.root, to: place)
                other = try Store(opening: place)
            } else {
                other = try Store.create(at: place)
                for (_, source) in line { _ = try other.importTree(source) }
            }
            self.directory = directory
        }

        /// Verifies and mends until nothing more is mended; what is wrong then.
        func mend() throws -> (mended: [Mended], damage: [Damage]) {
            var mended: [Mended] = []
            var damage = try store.verify(deep: true)
            while !damage.isEmpty {
                let now = try store.repair(damage, from: other)
                if now.isEmpty { break }
                mended += now
                damage = try store.verify(deep: true)
            }
            return (mended, damage)
        }

        func expectWhole() throws {
            for (tree, source) in line { try expectExport(store, tree, equals: source, directory) }
        }
    }

    private static func spoil(_ url: URL, missing: Bool) throws {
        var bytes = try Files.read(url)
        try FileAccess.unlinkFile(url.path)
        guard !missing else { return }
        bytes[bytes.count / 2] ^= 0x10
        try Data(bytes).write(to: url)
    }

    @Test("every object in turn, spoilt or gone, is copied back, and nothing else is touched")
    func copies() throws {
        try withTemporaryDirectory { directory in
            let pair = try Pair(directory, isCopy: true)
            for (number, object) in try pair.store.objectNames().sorted().enumerated() {
                let before = try snapshot(pair.store.objects)
                try Self.spoil(pair.store.url(ofObject: object), missing: number % 2 == 0)
                let (mended, damage) = try pair.mend()
                // A manifest that is gone is missed by nobody but its owner, who names it.
                if try mended.isEmpty && !pair.store.objectNames().contains(object) {
                    let named = try pair.store.repair([], documents: [object], from: pair.other)
                    #expect(named.map(\.means) == [.copied])
                } else {
                    #expect(
                        mended.contains { $0.object == Store.name(ofObject: object) || $0.means == .copied })
                }
                #expect(damage.isEmpty)
                #expect(try snapshot(pair.store.objects).keys.sorted() == before.keys.sorted())
            }
            try pair.expectWhole()
        }
    }

    @Test("a tensor that the other store has in another encoding is written anew")
    func encodes() throws {
        try withTemporaryDirectory { directory in
            let pair = try Pair(directory, isCopy: false)
            let piece = try #require(
                try pair.store.tree(pair.line[2].tree).pieces.first { $0.tensorName == "model.embed" })
            let head = try #require(try pair.store.pointer(piece.digest))
            #expect(!Files.exists(pair.other.url(ofObject: head)))
            try Self.spoil(pair.store.url(ofObject: head), missing: false)
            let (mended, damage) = try pair.mend()
            #expect(mended == [Mended(object: Store.name(ofObject: head), means: .encoded)])
            #expect(damage.isEmpty)
            try pair.expectWhole()
        }
    }

    @Test("an index file is made again from the objects that are here")
    func indexes() throws {
        try withTemporaryDirectory { directory in
            let pair = try Pair(directory, isCopy: true)
            let tensor = try #require(try pair.store.pointerNames().min())
            try FileAccess.unlinkFile(pair.store.url(ofPointer: tensor).path)
            let (mended, damage) = try pair.mend()
            #expect(mended == [Mended(object: Store.name(ofPointer: tensor), means: .indexed)])
            #expect(damage.isEmpty)
            try pair.expectWhole()
        }
    }

    @Test("what is damaged in both stays damaged, and its own store is no help")
    func refusals() throws {
        try withTemporaryDirectory { directory in
            let pair = try Pair(directory, isCopy: true)
            let piece = try #require(
                try pair.store.tree(pair.line[0].tree).pieces.first { $0.tensorName == "model.norm" })
            let head = try #require(try pair.store.pointer(piece.digest))
            for store in [pair.store, pair.other] {
                try Self.spoil(store.url(ofObject: head), missing: false)
            }
            let (mended, damage) = try pair.mend()
            #expect(mended.isEmpty)
            #expect(damage.map(\.object) == [Store.name(ofObject: head)])
            #expect(pawlError { _ = try pair.store.tensor(piece.digest) }?.code == .corrupt)
            let error = pawlError { _ = try pair.store.repair(damage, from: pair.store) }
            #expect(error?.code == .invalidArgument && error?.message.contains("from itself") == true)
        }
    }

    @Test("a damage says which blocks of a tensor it spoils")
    func blocks() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            var random = SeededGenerator(seed: 3)
            let model = directory.appending(path: "model")
            let weights = SampleTensor.weights("w", [1_500, 1024], &random)
            try write(try safetensors([weights]), model, "model.safetensors")
            let tree = try store.importTree(model).tree
            let piece = try #require(try store.tree(tree).pieces.first { $0.isTensor })
            let head = try #require(try store.pointer(piece.digest))
            let url = store.url(ofObject: head)
            var bytes = try Files.read(url)
            try FileAccess.unlinkFile(url.path)
            bytes[bytes.count - 100] ^= 1
            try Data(bytes).write(to: url)
            let damage = try #require(try store.verify(deep: false).first)
            #expect(damage.blocks == [Damage.Block(tensor: piece.digest, block: 2, count: 3)])
        }
    }
}
