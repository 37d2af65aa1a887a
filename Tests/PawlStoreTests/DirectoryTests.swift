import Foundation
import PawlCore
import Synchronization
import Testing

@testable import PawlStore

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct DirectoryTests {
    /// Runs a test with an empty store and an empty directory to import.
    private func with(_ body: (_ store: Store, _ source: URL, _ scratch: URL) throws -> Void) throws {
        try withTemporaryDirectory { directory in
            let source = directory.appending(path: "snapshots/source")
            try Files.createDirectory(source)
            try body(try Store.create(at: directory.appending(path: "store")), source, directory)
        }
    }

    private func link(_ source: URL, _ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: source.appending(path: name).path, withDestinationPath: target)
    }

    @Test("a link inside the tree is stored as the file it leads to, a link to a directory as that directory")
    func linksInside() throws {
        try with { store, source, scratch in
            try write([1, 2, 3], source, "real/file", mode: 0o755)
            try link(source, "alias", to: "real/file")
            try link(source, "folder", to: "real")
            let tree = try store.importTree(source).tree
            #expect(
                try store.tree(tree).entries.map(\.path) == [
                    "alias", "folder", "folder/file", "real", "real/file",
                ])
            try expectExport(store, tree, equals: source, scratch)
            #expect(try store.file("alias", in: tree) == [1, 2, 3])
        }
    }

    @Test("a snapshot of a Hugging Face hub cache may lead into the cache's blobs")
    func hubCache() throws {
        try with { store, source, scratch in
            try write([1, 2, 3], scratch, "blobs/abc")
            try link(source, "config.json", to: "../../blobs/abc")
            try expectExport(store, try store.importTree(source).tree, equals: source, scratch)
        }
    }

    @Test("links out of the tree, broken and circular ones are refused with their names")
    func refusedLinks() throws {
        for target in ["/etc/hostname", "../outside", "missing", "self", "/"] {
            try with { store, source, scratch in
                try write([1], scratch, "snapshots/outside")
                try link(source, "self", to: target)
                let error = pawlError("\(target)") { _ = try store.importTree(source) }
                #expect(error?.code == .invalidArgument)
                #expect(error?.message.contains("self") == true, "\(target)")
            }
        }
        try with { store, source, _ in
            try Files.createDirectory(source.appending(path: "a"))
            try link(source, "a/up", to: "..")
            #expect(pawlError { _ = try store.importTree(source) }?.message.contains("a/up") == true)
        }
    }

    @Test("a special file and a name that is no UTF-8 are refused")
    func specialFiles() throws {
        try with { store, source, _ in
            #expect(mkfifo(source.appending(path: "pipe").path, 0o600) == 0)
            let error = pawlError { _ = try store.importTree(source) }
            #expect(error?.message.contains("pipe is a named pipe") == true)
        }
        try with { store, source, _ in
            let name = Array((source.path + "/").utf8CString.dropLast()) + [CChar(bitPattern: 0xFF), 0]
            let descriptor = open(name, O_CREAT | O_WRONLY, 0o600)
            #expect(descriptor >= 0)
            close(descriptor)
            #expect(pawlError { _ = try store.importTree(source) }?.message.contains("UTF-8") == true)
        }
    }

    @Test("empty trees, files and directories and all modes are kept")
    func emptiness() throws {
        try with { store, source, scratch in
            try expectExport(store, try store.importTree(source).tree, equals: source, scratch)
            try write([], source, "empty")
            try write([1], source, "run", mode: 0o751)
            try write([1], source, "secret", mode: 0o400)
            try Files.createDirectory(source.appending(path: "a/b/c"))
            try FileAccess.setMode(0o700, source.appending(path: "a/b").path)
            try expectExport(store, try store.importTree(source).tree, equals: source, scratch)
        }
    }

    @Test("a file, a missing directory and an existing target are refused")
    func refusedPlaces() throws {
        try with { store, source, scratch in
            try write([1], source, "file")
            #expect(
                pawlError { _ = try store.importTree(source.appending(path: "file")) }?.code
                    == .invalidArgument)
            #expect(pawlError { _ = try store.importTree(source.appending(path: "none")) }?.code == .notFound)
            let tree = try store.importTree(source).tree
            #expect(pawlError { try store.exportTree(tree, to: source) }?.code == .alreadyExists)
            let target = scratch.appending(path: "x")
            #expect(pawlError { try store.exportTree(Digest(of: "?"), to: target) }?.code == .notFound)
            #expect(!Files.exists(target))
            #expect(pawlError { _ = try store.importTree(scratch) }?.message.contains("lies in it") == true)
        }
    }

    @Test("a file that changes while it is imported stops the import", arguments: [true, false])
    func changes(grows: Bool) throws {
        try with { store, source, _ in
            _ = try makeModel(source, seed: 3)
            var store = store
            let file = source.appending(path: "config.json").path
            store.observer = { step in
                guard case .syncFile = step, let handle = FileHandle(forWritingAtPath: file) else { return }
                if grows { handle.seekToEndOfFile() }
                handle.write(Data("x".utf8))
            }
            let error = pawlError { _ = try store.importTree(source) }
            #expect(error?.code == .conflict)
            #expect(error?.message.contains("config.json") == true)
            #expect(try store.documents().isEmpty)
        }
    }

    @Test("a copy in the cache is read-only, is made again when it was touched, and goes when it is evicted")
    func cache() throws {
        try with { store, source, _ in
            _ = try makeModel(source, seed: 4)
            let tree = try store.importTree(source).tree
            let copy = try store.materialise(tree)
            #expect(try snapshot(copy)["config.json"]?.mode == 0o444)
            let file = copy.appending(path: "config.json")
            try FileAccess.setMode(0o644, file.path)
            let handle = try #require(FileHandle(forWritingAtPath: file.path))
            handle.write(Data("X".utf8))
            #expect(try store.materialise(tree) == copy)
            #expect(try Files.read(file) == Files.read(source.appending(path: "config.json")))
            #expect(try store.cachedTrees() == [tree])
            try store.evict(tree)
            #expect(try store.cachedTrees().isEmpty)
        }
    }

    @Test("a copy that nobody touched is not read again; any touch has it read, and a wrong byte made again")
    func checkedCopy() throws {
        try with { store, source, _ in
            _ = try makeModel(source, seed: 6)
            let tree = try store.importTree(source).tree
            let copy = try store.materialise(tree)
            let read = Mutex(0)
            func again() throws -> Bool {
                read.withLock { $0 = 0 }
                #expect(try store.materialise(tree) { _ in read.withLock { $0 += 1 } } == copy)
                return read.withLock { $0 } > 0
            }
            // Just written: another write could have the same time.
            #expect(try again() && again())
            Thread.sleep(forTimeInterval: 2.1)
            #expect(try again())
            #expect(try !again())
            let file = copy.appending(path: "model.safetensors")
            let status = try #require(try FileStatus(file.path, followLinks: false))
            let right = try Files.read(file)
            try FileAccess.setMode(0o644, file.path)
            let handle = try #require(FileHandle(forUpdatingAtPath: file.path))
            try handle.seek(toOffset: UInt64(right.count - 1))
            handle.write(Data([right[right.count - 1] ^ 1]))
            try handle.close()
            try FileAccess.setMode(status.mode, file.path)
            let modified = Date(timeIntervalSince1970: Double(status.modified) / 1e9)
            try FileManager.default.setAttributes([.modificationDate: modified], ofItemAtPath: file.path)
            #expect(try again())
            #expect(try Files.read(file) == right)
            // A file that appears beside the others is a change of their directory.
            try FileAccess.setMode(0o755, copy.path)
            try write([1], copy, "more")
            #expect(try again())
            #expect(!Files.exists(copy.appending(path: "more")))
        }
    }

    @Test("progress rises to the number of bytes")
    func progress() throws {
        try with { store, source, _ in
            _ = try makeModel(source, seed: 5)
            let furthest = Mutex<PawlCore.Progress?>(nil)
            // Several threads report; the last to be heard need not be the last to have read.
            let report = try store.importTree(source) { step in
                guard step.activity == "read" else { return }
                furthest.withLock { $0 = ($0?.completed ?? 0) < step.completed ? step : $0 }
            }
            let last = furthest.withLock { $0 }
            #expect(last?.completed == Int64(report.logicalBytes))
            #expect(last?.total == Int64(report.logicalBytes))
        }
    }
}
