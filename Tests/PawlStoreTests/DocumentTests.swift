import Foundation
import PawlCore
import Testing

@testable import PawlStore

@Suite struct DocumentTests {
    @Test("a document comes back under the hash of its bytes; storing it twice is the same as once")
    func roundTrip() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory)
            for bytes in [[], Array("{}".utf8), SeededRandom.bytes(100_000)] {
                let digest = try store.putDocument(bytes)
                #expect(digest == Digest(of: bytes))
                #expect(try store.putDocument(bytes) == digest)
                #expect(try store.document(digest) == bytes)
                #expect(store.hasDocument(digest))
            }
            #expect(try store.documents().count == 3)
            let other = try Store(opening: directory)
            #expect(try other.documents() == store.documents())
        }
    }

    @Test("a missing document is not found, a damaged one corrupt, and storing it again repairs it")
    func damage() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory)
            #expect(pawlError { _ = try store.document(Digest(of: "?")) }?.code == .notFound)
            #expect(!store.hasDocument(Digest(of: "?")))
            let bytes = Array("evidence".utf8)
            let digest = try store.putDocument(bytes)
            try FileAccess.setMode(0o644, store.url(ofObject: digest).path)
            try Data("evidencE".utf8).write(to: store.url(ofObject: digest))
            #expect(pawlError { _ = try store.document(digest) }?.code == .corrupt)
            try store.putDocument(bytes)
            #expect(try store.document(digest) == bytes)
        }
    }

    @Test("what begins like a tensor is no document, and a tensor's object is none")
    func kinds() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            #expect(
                pawlError { _ = try store.putDocument(Array("PAWLTNSRxyz".utf8)) }?.code == .invalidArgument)
            let source = directory.appending(path: "source")
            _ = try makeModel(source, seed: 1)
            let tree = try store.importTree(source).tree
            #expect(try store.documents() == [tree])
            let heads = try store.objectNames().filter { $0 != tree }
            #expect(!store.hasDocument(heads[0]))
            #expect(pawlError { _ = try store.document(heads[0]) }?.code == .notFound)
        }
    }

    @Test("a store is made once, found by its file, and refused when it is newer or damaged")
    func opening() throws {
        try withTemporaryDirectory { directory in
            #expect(pawlError { _ = try Store(opening: directory) }?.code == .notFound)
            let store = try Store.create(at: directory)
            #expect(pawlError { _ = try Store.create(at: directory) }?.code == .alreadyExists)
            try Data(#"{"type":"store","version":2}"#.utf8).write(to: store.formatFile)
            #expect(pawlError { _ = try Store(opening: directory) }?.code == .unsupported)
            try Data(#"{"type":"stare","version":1}"#.utf8).write(to: store.formatFile)
            #expect(pawlError { _ = try Store(opening: directory) }?.code == .corrupt)
        }
    }
}

private enum SeededRandom {
    static func bytes(_ count: Int) -> [UInt8] {
        var random = SeededGenerator(seed: 1)
        return random.bytes(count)
    }
}
