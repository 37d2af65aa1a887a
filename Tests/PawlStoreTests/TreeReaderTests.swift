import Foundation
import PawlCore
import Synchronization
import Testing

@testable import PawlStore

@Suite("A tree read by name, without a copy")
struct TreeReaderTests {
    /// Every tensor of a tree, by place and name.
    private func tensors(_ reader: TreeReader) -> [(entry: Int, name: String)] {
        reader.manifest.entries.enumerated().flatMap { index, entry -> [(entry: Int, name: String)] in
            guard case .safetensors(_, _, let list) = entry.content else { return [] }
            return list.map { (index, $0.name) }
        }
    }

    /// What is handed out, put together to files again.
    private func files(_ reader: TreeReader) throws -> [String: [UInt8]] {
        let names = tensors(reader)
        let read = Mutex([Int: [UInt8]]())
        try reader.read(names) { index, bytes in read.withLock { $0[index] = Array(bytes) } }
        let parts = read.withLock { $0 }
        #expect(parts.count == names.count)
        var files: [String: [UInt8]] = [:]
        for (index, entry) in reader.manifest.entries.enumerated() where entry.content != .directory {
            let data = names.indices.filter { names[$0].entry == index }.flatMap { parts[$0] ?? [] }
            files[entry.path] = try #require(try reader.file(entry.path)) + data
        }
        return files
    }

    @Test("gives the bytes of the files, also through a chain of deltas")
    func equal() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            for (tree, source) in try DeltaTests.line(store, directory, count: 3) {
                let expected = try snapshot(source).compactMapValues(\.bytes)
                #expect(try files(TreeReader(store, tree)) == expected)
            }
            #expect(try store.cachedTrees().isEmpty)
        }
    }

    @Test("files that are not in memory are fetched with their chains, and read as they are")
    func fetched() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try DeltaTests.line(store, directory, count: 3)
            // Those of the chain beneath the tip; a file system in memory keeps them, and then this tests reading.
            for object in try store.objectNames() { try drop(store.url(ofObject: object)) }
            let expected = try snapshot(line[3].source).compactMapValues(\.bytes)
            #expect(try files(TreeReader(store, line[3].tree)) == expected)
            for piece in try store.tree(line[3].tree).pieces {
                let head = try #require(try store.pointer(piece.digest))
                #expect(try store.openObject(head).isInMemory())
            }
        }
    }

    @Test("fetching ahead minds neither what is lost nor what is damaged, and ends")
    func fetchedInVain() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let line = try DeltaTests.line(store, directory, count: 2)
            let tensors = try store.tree(line[2].tree).pieces.map { ($0.digest, $0.byteCount) }
            let objects = try store.objectNames()
            for (index, object) in objects.enumerated() {
                let file = store.url(ofObject: object)
                try FileAccess.unlinkFile(file.path)
                guard index % 2 == 0 else { continue }
                try Data("PAWLTNSR".utf8).write(to: file)
                try drop(file)
            }
            let ahead = ReadAhead(store, tensors + [(Digest(of: "none"), 1 << 40)])
            for (_, bytes) in tensors { ahead.advance(taken: bytes) }
            ahead.stop()
        }
    }

    /// Has the system forget what it holds of a file.
    private func drop(_ file: URL) throws {
        let descriptor = open(file.path, O_RDONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        fsync(descriptor)
        #if os(Linux)
            posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        #endif
    }

    @Test("a tensor above the size from which blocks are decoded side by side comes whole")
    func large() throws {
        try withTemporaryDirectory { directory in
            var random = SeededGenerator(seed: 7)
            let source = directory.appending(path: "model")
            let tensor = SampleTensor.weights("large", [9_000_001], &random)
            try write(try safetensors([tensor]), source, "model.safetensors")
            let store = try Store.create(at: directory.appending(path: "store"))
            let reader = try TreeReader(store, store.importTree(source).tree)
            let read = Mutex<[UInt8]>([])
            try reader.read([(0, "large")]) { _, bytes in read.withLock { $0 = Array(bytes) } }
            #expect(read.withLock { $0 } == tensor.bytes)
        }
    }

    @Test("what is not there is no file, and an error as a tensor; an error of the reader is passed on")
    func missing() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let (tree, _) = try DeltaTests.line(store, directory, count: 1)[0]
            let reader = try TreeReader(store, tree)
            #expect(try reader.file("nonesuch") == nil)
            #expect(throws: PawlError.self) { try reader.read([(0, "nonesuch")]) { _, _ in } }
            struct Stop: Error {}
            #expect(throws: Stop.self) { try reader.read(tensors(reader)) { _, _ in throw Stop() } }
            #expect(throws: PawlError.self) { try TreeReader(store, Digest(of: "nonesuch")) }
        }
    }

    @Test("each of 200 flipped bits is an error or changes nothing of what is read")
    func damage() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let (tree, source) = try DeltaTests.line(store, directory, count: 1, elements: 60)[1]
            let expected = try snapshot(source).compactMapValues(\.bytes)
            var errors = 0
            try BitFlips.run(
                in: store.root, count: 200, seed: 20261123, include: { $0.hasPrefix("objects/") }
            ) { flip in
                guard let found = try? files(TreeReader(store, tree)) else {
                    errors += 1
                    return
                }
                #expect(found == expected, "\(flip)")
            }
            #expect(errors > 100)
        }
    }
}
