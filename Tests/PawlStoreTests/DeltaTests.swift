import Foundation
import PawlCore
import Testing

@testable import PawlStore

@Suite struct DeltaTests {
    /// Imports a model and `count` checkpoints, each trained from the one before, with these parents.
    static func line(
        _ store: Store, _ directory: URL, count: Int, elements: Int = 4000,
        parents: (_ line: [Digest]) -> [Digest] = { [$0[$0.count - 1]] }
    ) throws -> [(tree: Digest, source: URL)] {
        var source = directory.appending(path: "checkpoint0")
        var tensors = try makeModel(source, seed: 100, elements: elements)
        var line = [(tree: try store.importTree(source).tree, source: source)]
        for index in 1...count {
            let next = directory.appending(path: "checkpoint\(index)")
            tensors = try trainModel(tensors, source, next, seed: UInt64(index))
            let options = ImportOptions(parents: parents(line.map(\.tree)))
            line.append((try store.importTree(next, options: options).tree, next))
            source = next
        }
        return line
    }

    /// The tensor that every checkpoint of a line changes.
    private func weights(_ store: Store, _ tree: Digest) throws -> Digest {
        try #require(try store.tree(tree).pieces.first { $0.tensorName == "model.embed" }).digest
    }

    @Test("a chain of deltas is never deeper than four and every checkpoint comes back")
    func boundedChain() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try Self.line(store, directory, count: 7)
            let depths = try line.map { try store.storedSize(of: $0.tree).depths.count }
            #expect(Array(depths.prefix(4)) == [1, 2, 3, 4])
            #expect(depths.allSatisfy { $0 <= TensorHead.maximumDepth })
            for (tree, source) in line { try expectExport(store, tree, equals: source, directory) }
            #expect(try store.verify(deep: true).isEmpty)
            // A delta is a small part of a checkpoint on its own.
            let first = try store.storedSize(of: line[0].tree)
            let second = try store.storedSize(of: line[1].tree)
            #expect(second.payloadBytes["delta", default: 0] * 2 < first.payloadBytes["full", default: 0])
            #expect(second.baseBytes > 0 && first.baseBytes == 0)
        }
    }

    @Test("the nearest of several parents becomes the base")
    func nearestParent() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try Self.line(store, directory, count: 2, parents: { $0 })
            let tensor = try weights(store, line[2].tree)
            let parent = try weights(store, line[1].tree)
            #expect(try ReadSession(store).reader(tensor: tensor).base?.header.tensor == parent)
        }
    }

    @Test("a level changes what is stored, never a digest, and what it stored is exported")
    func levels() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try Self.line(store, directory, count: 1)
            var sizes: Set<Int> = []
            for level in EncodingLevel.allCases {
                let other = try Store.create(at: directory.appending(path: level.rawValue))
                let base = try other.importTree(line[0].source, options: ImportOptions(level: level)).tree
                let options = ImportOptions(parents: [base], level: level)
                let report = try other.importTree(line[1].source, options: options)
                #expect(report.tree == line[1].tree)
                sizes.insert(report.storedBytes)
                try expectExport(other, report.tree, equals: line[1].source, directory)
            }
            #expect(sizes.count > 1)
        }
    }

    @Test("importing again in any order or with other parents gives the same digests")
    func encodingIsNotIdentity() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try Self.line(store, directory, count: 2)
            let other = try Store.create(at: directory.appending(path: "other"))
            var parents: [Digest] = []
            for (tree, source) in line.reversed() {
                #expect(try other.importTree(source, options: ImportOptions(parents: parents)).tree == tree)
                parents = [tree]
            }
            for (tree, source) in line { try expectExport(other, tree, equals: source, directory) }
        }
    }

    @Test(
        "a damaged base is repaired by importing it again, on its own, and the deltas against it read again")
    func repairedBase() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try Self.line(store, directory, count: 2)
            let head = try #require(try store.pointer(try weights(store, line[1].tree)))
            try FileAccess.unlinkFile(store.url(ofObject: head).path)
            #expect(
                pawlError { try store.exportTree(line[2].tree, to: directory.appending(path: "x")) } != nil)
            let damage = try store.verify(deep: true)
            #expect(!damage.isEmpty)
            #expect(Set(damage.flatMap(\.trees)) == Set([line[1].tree, line[2].tree]))
            _ = try store.importTree(line[1].source, options: ImportOptions(parents: [line[0].tree]))
            for (tree, source) in line { try expectExport(store, tree, equals: source, directory) }
            #expect(try store.verify(deep: true).isEmpty)
            #expect(try store.verify(deep: true, trees: [line[2].tree]).isEmpty)
            _ = try store.collect(keepingTrees: [line[2].tree], documents: [], graceSeconds: 0, dryRun: false)
            try expectExport(store, line[2].tree, equals: line[2].source, directory)
        }
    }

    @Test("changed elements are counted for every tensor, and other files that differ are named")
    func compare() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let source = directory.appending(path: "a")
            let tensors = try makeModel(source, seed: 1)
            let a = try store.importTree(source).tree
            var changed = tensors
            for element in [0, 5, 299] { changed[0].bytes[2 * element + 1] ^= 0x80 }
            changed[1].name = "model.renamed"
            changed.append(SampleTensor(name: "packed", dtype: .f6e2m3, shape: [4], bytes: [0, 0, 0]))
            let next = directory.appending(path: "b")
            try write(try safetensors(changed), next, "model.safetensors")
            try write(Array("{}".utf8), next, "config.json")
            let b = try store.importTree(next).tree
            let difference = try store.compare(a, b)
            typealias Tensor = TreeDifference.TensorChange
            let file = "model.safetensors"
            #expect(
                difference.tensors == [
                    Tensor(
                        file: file, name: "model.embed", change: .changed, elements: 600, changedElements: 3),
                    Tensor(
                        file: file, name: "model.renamed", change: .added, elements: 300, changedElements: 300
                    ),
                    Tensor(file: file, name: "packed", change: .added, elements: 4, changedElements: 4),
                    Tensor(
                        file: file, name: "model.norm", change: .removed, elements: 300, changedElements: 300),
                ])
            #expect(
                difference.files.map { "\($0.path) \($0.change)" } == [
                    "config.json changed", "model.safetensors changed", "tokenizer removed",
                    "tokenizer/vocabulary.bin removed",
                ])
            #expect(try store.compare(a, a) == TreeDifference(tensors: [], files: [], equalTensors: 2))
            changed[2].bytes = [0b0100_0000, 0, 1]
            try write(try safetensors(changed), next, "model.safetensors")
            let packed = try store.compare(b, try store.importTree(next).tree)
            #expect(packed.tensors.map(\.changedElements) == [2])
        }
    }
}
