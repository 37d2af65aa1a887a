import Foundation
import PawlCore

#if canImport(Glibc)
    import Glibc
#endif

/// The files of a directory as they lie there.
struct RawFiles: Sendable {
    private let files: [(path: String, size: Int)]

    /// Bytes of all files.
    var bytes: Int { files.reduce(0) { $0 + $1.size } }

    /// - Parameter suffix: only files whose name ends so; those in directories below count.
    init(_ directory: URL, suffix: String = "") throws {
        let names = FileManager.default.enumerator(atPath: directory.path)?.allObjects as? [String] ?? []
        files = try names.sorted().filter { $0.hasSuffix(suffix) }.compactMap { name in
            let path = directory.appending(path: name).path
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            guard attributes[.type] as? FileAttributeType == .typeRegular else { return nil }
            return (path, attributes[.size] as? Int ?? 0)
        }
    }

    /// Reads everything, each file into memory of its size as a loader does, with threads that take turns of 1 MiB.
    func read(threads: Int) throws {
        for file in files {
            let descriptor = Glibc.open(file.path, O_RDONLY)
            guard descriptor >= 0 else { throw Files.error("open", file.path) }
            defer { close(descriptor) }
            let room = UnsafeMutableRawBufferPointer.allocate(byteCount: max(file.size, 1), alignment: 64)
            defer { room.deallocate() }
            let address = UInt(bitPattern: room.baseAddress)
            try Parallel.forEach(threads) { thread in
                for offset in stride(from: thread << 20, to: file.size, by: threads << 20) {
                    let target = UnsafeMutableRawPointer(bitPattern: address + UInt(offset))
                    let count = min(1 << 20, file.size - offset)
                    guard pread(descriptor, target, count, off_t(offset)) == count else {
                        throw Files.error("read", file.path)
                    }
                }
            }
        }
    }

    /// Asks the system to forget what it holds of these files in memory; they have been synced first.
    func drop() throws {
        for file in files {
            let descriptor = Glibc.open(file.path, O_RDONLY)
            guard descriptor >= 0 else { throw Files.error("open", file.path) }
            defer { close(descriptor) }
            guard fsync(descriptor) == 0, posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) == 0 else {
                throw Files.error("drop", file.path)
            }
        }
    }
}
