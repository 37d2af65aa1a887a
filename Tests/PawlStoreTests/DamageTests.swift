import Foundation
import PawlCore
import Testing

@testable import PawlStore

@Suite struct DamageTests {
    @Test("each of 500 flipped bits is found, named with what it affects, and never handed out as good")
    func bitFlips() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try DeltaTests.line(store, directory, count: 2, elements: 60)
            let contents = try line.map { try snapshot($0.source).compactMapValues(\.bytes) }
            let document = Array(#"{"type":"verdict"}"#.utf8)
            let documentDigest = try store.putDocument(document)
            let heads = try line.map { step in
                try Dictionary(
                    grouping: store.tree(step.tree).pieces, by: { try store.pointer($0.digest)?.hex ?? "" })
            }
            var missed: [String] = []
            var number = 0
            let kinds = ["objects/", "tensors/", "store.json"]
            try BitFlips.run(
                in: store.root, count: 500, seed: 20261122,
                include: { path in kinds.contains { path.hasPrefix($0) } }
            ) { flip in
                number += 1
                let found = try store.verify(deep: false).first { $0.object == flip.path }
                if found == nil { missed.append("\(flip) is not reported") }
                for (index, step) in line.enumerated() {
                    let holds = heads[index][String(flip.path.suffix(64))].map { $0.map(\.name) } ?? []
                    // Trees that nothing says are affected take turns, to keep the test short.
                    if holds.isEmpty, found?.trees.contains(step.tree) != true, number % line.count != index {
                        continue
                    }
                    // What is readable must be right; what the flipped object holds must not be readable.
                    let isRight = readsRight(store, step.tree, contents[index])
                    if isRight == false { missed.append("\(flip): wrong bytes of tree \(index)") }
                    let isNamed =
                        found?.trees.contains(step.tree) == true
                        && holds.allSatisfy { found?.names.contains($0) == true }
                    if !holds.isEmpty, !isNamed || isRight != nil {
                        missed.append("\(flip): tree \(index) is not named")
                    }
                    if flip.path.hasSuffix(step.tree.hex), found?.trees != [step.tree] {
                        missed.append("\(flip): the manifest is not named")
                    }
                }
                if (try? store.document(documentDigest)).map({ $0 != document }) == true {
                    missed.append("\(flip): wrong document")
                }
            }
            #expect(missed.isEmpty, "\(missed.prefix(5))")
            #expect(try store.verify(deep: true).isEmpty)
        }
    }

    /// True when all files of a tree read as they were, nil when one cannot be read, false for wrong bytes.
    private func readsRight(_ store: Store, _ tree: Digest, _ contents: [String: [UInt8]]) -> Bool? {
        do {
            return try contents.allSatisfy { path, bytes in try store.file(path, in: tree) == bytes }
        } catch {
            return nil
        }
    }

    @Test("damage under a delta chain names every tree and tensor that rests on it, and stops their export")
    func throughChains() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try DeltaTests.line(store, directory, count: 3)
            let piece = try #require(
                try store.tree(line[1].tree).pieces.first { $0.tensorName == "model.embed" })
            let head = try #require(try store.pointer(piece.digest))
            let url = store.url(ofObject: head)
            var bytes = try Files.read(url)
            bytes[bytes.count - 1] ^= 1
            try FileAccess.setMode(0o644, url.path)
            try Data(bytes).write(to: url)
            for trees in [nil, line.map(\.tree), [line[3].tree]] {
                let damage = try store.verify(deep: true, trees: trees)
                #expect(damage.map(\.object) == ["objects/\(head.hex.prefix(2))/\(head.hex)"])
                #expect(
                    damage.first?.trees
                        == (trees?.count == 1 ? [line[3].tree] : line[1...].map(\.tree).sorted()))
                #expect(damage.first?.names == ["model.safetensors: model.embed"])
            }
            #expect(try store.verify(deep: true, trees: [line[0].tree]).isEmpty)
            try expectExport(store, line[0].tree, equals: line[0].source, directory)
            for (tree, _) in line[1...] {
                let target = directory.appending(path: "x")
                #expect(pawlError { try store.exportTree(tree, to: target) }?.code == .corrupt)
                #expect(pawlError { _ = try store.materialise(tree) }?.code == .corrupt)
                #expect(!Files.exists(target))
            }
            #expect(try FileAccess.names(in: directory.path).allSatisfy { !$0.hasSuffix(".tmp") })
        }
    }

    @Test("lost and damaged index files are named, and made again from the objects by a read or a repair")
    func index() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let source = directory.appending(path: "source")
            _ = try makeModel(source, seed: 1)
            let tree = try store.importTree(source).tree
            let tensors = try store.pointerNames()
            try Files.remove(store.pointers)
            try Files.createDirectory(store.pointers)
            let damage = try store.verify(deep: false)
            #expect(Set(damage.map(\.object)) == Set(tensors.map(Store.name(ofPointer:))))
            #expect(damage.allSatisfy { $0.trees == [tree] && !$0.names.isEmpty })
            try expectExport(store, tree, equals: source, directory)
            #expect(try store.verify(deep: true).isEmpty)
            try Data("nonsense".utf8).write(to: store.url(ofPointer: tensors[0]))
            #expect(try store.repairIndex() == [tensors[0]])
            #expect(try store.verify(deep: true).isEmpty)
        }
    }

    @Test("a missing manifest, a missing object and a strange file are named")
    func missing() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let source = directory.appending(path: "source")
            _ = try makeModel(source, seed: 1)
            let tree = try store.importTree(source).tree
            let lost = Digest(of: "lost")
            let missing = try store.verify(deep: false, trees: [tree, lost])
            #expect(missing.map(\.trees) == [[lost]])
            #expect(missing.first?.reason.contains("missing") == true)
            try write([1], store.objects, "aa/strange")
            #expect(try store.verify(deep: false).map(\.object) == ["objects/aa/strange"])
            try Files.remove(store.objects.appending(path: "aa/strange"))
            let piece = try #require(try store.tree(tree).pieces.last)
            try Files.remove(store.url(ofObject: try #require(try store.pointer(piece.digest))))
            let damage = try store.verify(deep: false)
            #expect(damage.count == 1 && damage.first?.trees == [tree] && damage.first?.names == [piece.name])
        }
    }

    @Test("what needs a lost object is corrupt, not unknown, however deep under it the object is")
    func lostObjects() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try DeltaTests.line(store, directory, count: 2)
            let target = directory.appending(path: "x")
            let embed = try #require(
                try store.tree(line[0].tree).pieces.first { $0.tensorName == "model.embed" })
            let head = try #require(try store.pointer(embed.digest))
            try Files.remove(store.url(ofObject: head))
            for (tree, _) in line {
                let error = pawlError { try store.exportTree(tree, to: target) }
                #expect(error?.code == .corrupt, "\(error?.message ?? "nothing thrown")")
                #expect(error?.message.contains("model.embed") == true)
            }
            // Without its index file the tensor is as lost; asked for by digest alone, it may never have been there.
            try Files.remove(store.url(ofPointer: embed.digest))
            #expect(pawlError { try store.exportTree(line[0].tree, to: target) }?.code == .corrupt)
            #expect(pawlError { _ = try store.tensor(embed.digest) }?.code == .notFound)
            #expect(!Files.exists(target))
        }
    }

    @Test("a manifest that another document took the place of touches its tree, when that is known")
    func replacedManifest() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let source = directory.appending(path: "source")
            _ = try makeModel(source, seed: 1)
            let tree = try store.importTree(source).tree
            let other = try store.putDocument(Array(#"{"type":"verdict"}"#.utf8))
            let url = store.url(ofObject: tree)
            try FileAccess.unlinkFile(url.path)
            try FileManager.default.copyItem(at: store.url(ofObject: other), to: url)
            let damage = try store.verify(deep: false, known: [tree, other])
            #expect(damage.map(\.object) == [Store.name(ofObject: tree)])
            #expect(damage.first?.trees == [tree])
            #expect(try store.verify(deep: false).first?.trees == [])
        }
    }

    @Test("an object that is whole but lies about its tensor is found by a deep verification")
    func lyingObject() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let source = directory.appending(path: "source")
            try write(Array(repeating: 0x41, count: 100) + [1, 2, 3], source, "file")
            let tree = try store.importTree(source).tree
            let piece = try #require(try store.tree(tree).pieces.first)
            let old = try #require(try store.pointer(piece.digest))
            let (head, _) = try TensorHead.read(try store.openObject(old), object: old)
            let row = TensorHead.Block(encoding: .raw, length: 103, digest: head.blocks[0].digest)
            let lie =
                try TensorHead(header: head.header, blocks: [row]).encoded() + Array(repeating: 0, count: 103)
            try store.publishing { publisher in
                let placed = try publisher.publish([lie])
                try publisher.publishPointer(tensor: piece.digest, head: placed.digest)
            }
            #expect(try store.verify(deep: false).isEmpty)
            let damage = try store.verify(deep: true)
            #expect(damage.first?.trees == [tree] && damage.first?.names == ["file"])
            #expect(
                pawlError { try store.exportTree(tree, to: directory.appending(path: "x")) }?.code == .corrupt
            )
        }
    }
}
