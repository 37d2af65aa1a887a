import Foundation
import PawlCore
import Synchronization
import Testing

@Suite struct FilesTests {
    private func withDirectory(_ body: (URL) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "pawl-files-\(UUID().uuidString)")
        try Files.createDirectory(directory)
        defer { try? Files.remove(directory) }
        try body(directory)
    }

    @Test("an atomic write replaces the content and leaves no temporary file")
    func atomicWrite() throws {
        try withDirectory { directory in
            let file = directory.appending(path: "f")
            try Files.writeAtomically([1, 2, 3], to: file)
            try Files.writeAtomically([4], to: file)
            #expect(try Files.read(file) == [4])
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["f"])
        }
    }

    @Test("errors name the path")
    func errors() throws {
        try withDirectory { directory in
            let missing = directory.appending(path: "no/such")
            #expect { try Files.read(missing) } throws: {
                ($0 as? PawlError)?.message.contains(missing.path) ?? false
            }
            #expect { try Files.writeAtomically([1], to: missing) } throws: {
                ($0 as? PawlError)?.code == .notFound
            }
        }
    }

    @Test("an exclusive lock keeps a second one out until it is gone")
    func locks() throws {
        try withDirectory { directory in
            let file = directory.appending(path: "lock")
            do {
                let held = try FileLock(file)
                #expect(try FileLock.attempt(file) == nil)
                _ = consume held
            }
            let again = try FileLock.attempt(file, .shared)
            let shared = try FileLock.attempt(file, .shared)
            #expect(again != nil && shared != nil)
        }
    }

    @Test("time stamps round trip at millisecond precision")
    func timestamps() throws {
        for milliseconds in Int64(1_795_370_712_000)..<1_795_370_713_000 {
            let time = Timestamp(milliseconds: milliseconds)
            #expect(Timestamp(time.description) == time)
        }
        let time = Timestamp(milliseconds: 1_795_374_312_045)
        #expect(time.description == "2026-11-22T19:05:12.045Z")
        #expect(Timestamp(milliseconds: -1).description == "1969-12-31T23:59:59.999Z")
        #expect(Timestamp(time.description) == time)
        #expect(Timestamp("yesterday") == nil)
    }

    @Test("a parallel loop visits every index once and rethrows an error")
    func parallel() throws {
        let visits = Mutex([Int](repeating: 0, count: 100))
        try Parallel.forEach(100) { index in visits.withLock { $0[index] += 1 } }
        #expect(visits.withLock { $0 } == [Int](repeating: 1, count: 100))
        #expect(throws: PawlError.self) {
            try Parallel.forEach(100) { if $0 == 57 { throw PawlError(.io, "57") } }
        }
    }

    @Test(
        "names and versions follow their rules",
        arguments: [
            ("tool-use", true), ("a", true), ("", false), ("-a", false), ("A", false), ("a_b", false),
        ])
    func names(name: String, valid: Bool) {
        #expect(((try? Name.check(name, "name")) != nil) == valid)
        #expect(throws: PawlError.self) { try Name.checkVersion("1.0", "version") }
        #expect(throws: Never.self) { try Name.checkVersion("1.0.0-rc.1", "version") }
    }
}
