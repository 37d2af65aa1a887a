internal import Foundation
internal import PawlCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// A file open for reading at any place; for one thread.
final class FileReader {
    let path: String
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Files.error("open", path) }
        self.path = path
    }

    deinit { close(descriptor) }

    /// Size in bytes.
    func size() throws -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Files.error("look at", path) }
        return Int(status.st_size)
    }

    /// Fills the buffer from `offset`, or what there is up to the end of the file; returns the count.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(
                descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw Files.error("read", path)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Bytes `range` of the file, or what there is of them.
    func bytes(_ range: Range<Int>) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            count = try read(into: UnsafeMutableRawBufferPointer(buffer), at: range.lowerBound)
        }
    }

    /// Asks the system to fetch the whole file from the disk; returns at once.
    func fetch() {
        #if os(Linux)
            // The system takes only so much of one request.
            guard let size = try? size() else { return }
            for offset in stride(from: 0, to: size, by: 1 << 20) {
                posix_fadvise(descriptor, off_t(offset), 1 << 20, POSIX_FADV_WILLNEED)
            }
        #endif
    }

    /// Whether the end of the file can be read without the disk; true where the system does not say.
    func isInMemory() -> Bool {
        #if os(Linux)
            let page = Int(sysconf(Int32(_SC_PAGESIZE)))
            guard let size = try? size(), size > 0,
                let last = mmap(
                    nil, page, PROT_READ, MAP_SHARED, descriptor, off_t((size - 1) / page * page)),
                last != MAP_FAILED
            else { return true }
            defer { munmap(last, page) }
            var resident: UInt8 = 0
            return mincore(last, page, &resident) != 0 || resident & 1 == 1
        #else
            return true
        #endif
    }

    /// SHA-256 of the whole file, its size, and its first bytes.
    func digest() throws -> (digest: Digest, size: Int, magic: [UInt8]) {
        let chunk = Scratch()
        var hasher = SHA256()
        var size = 0
        var magic: [UInt8] = []
        while true {
            let count = try read(into: chunk.memory, at: size)
            if size == 0 { magic = Array(chunk.prefix(min(count, 8))) }
            hasher.update(UnsafeRawBufferPointer(chunk.prefix(count)))
            size += count
            if count < chunk.memory.count { return (hasher.finish(), size, magic) }
        }
    }
}

/// What the operating system says about a file.
struct FileStatus: Sendable, Hashable {
    enum Kind: Sendable, Hashable { case file, directory, link, other(String) }

    let kind: Kind
    let mode: Int
    let size: Int
    let inode: UInt64
    let device: UInt64
    /// Nanoseconds since 1970.
    let modified: Int64
    let changed: Int64

    /// Looks at a path; nil when nothing is there.
    init?(_ path: String, followLinks: Bool) throws {
        var status = stat()
        guard (followLinks ? stat(path, &status) : lstat(path, &status)) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw Files.error("look at", path)
        }
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            case S_IFLNK: .link
            case S_IFIFO: .other("a named pipe")
            case S_IFSOCK: .other("a socket")
            case S_IFCHR, S_IFBLK: .other("a device")
            default: .other("of an unknown kind")
            }
        mode = Int(status.st_mode & 0o777)
        size = Int(status.st_size)
        inode = UInt64(status.st_ino)
        device = UInt64(status.st_dev)
        #if canImport(Darwin)
            let (modified, changed) = (status.st_mtimespec, status.st_ctimespec)
        #else
            let (modified, changed) = (status.st_mtim, status.st_ctim)
        #endif
        self.modified = Int64(modified.tv_sec) * 1_000_000_000 + Int64(modified.tv_nsec)
        self.changed = Int64(changed.tv_sec) * 1_000_000_000 + Int64(changed.tv_nsec)
    }
}

/// File operations that `Files` of Core has no need for.
enum FileAccess {
    /// The names in a directory, sorted by their bytes; refuses one that is no UTF-8.
    static func names(in directory: String) throws -> [String] {
        guard let stream = opendir(directory) else { throw Files.error("open", directory) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                let shown = String(decoding: bytes, as: UTF8.self)
                throw PawlError(
                    .invalidArgument, "\(shown.escaped) in \(directory.escaped): the name is not valid UTF-8")
            }
            if name != "." && name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw Files.error("read", directory) }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The path with every link resolved; nil when it leads nowhere or in a circle.
    static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(validatingCString: real)
    }

    /// Sets the modification time to now; false when that is not possible.
    static func touch(_ path: String) -> Bool { utimes(path, nil) == 0 }

    /// Sets permission bits.
    static func setMode(_ mode: Int, _ path: String) throws {
        guard chmod(path, mode_t(mode)) == 0 else { throw Files.error("set the mode of", path) }
    }

    /// Removes a file.
    static func unlinkFile(_ path: String) throws {
        guard unlink(path) == 0 || errno == ENOENT else { throw Files.error("remove", path) }
    }

    /// Makes a directory; nothing happens when it is there.
    static func makeDirectory(_ path: String, mode: Int = 0o755) throws {
        guard mkdir(path, mode_t(mode)) == 0 || errno == EEXIST else {
            throw Files.error("create the directory", path)
        }
    }

    /// Calls `body` with a new file open for writing, which is synced and closed afterwards.
    static func create(
        _ path: String, mode: Int, beforeSync: () -> Void = {}, _ body: (Int32) throws -> Void
    ) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(mode))
        guard descriptor >= 0 else { throw Files.error("create", path) }
        defer { close(descriptor) }
        try body(descriptor)
        beforeSync()
        guard fsync(descriptor) == 0 else { throw Files.error("sync", path) }
    }

    /// Renames within a file system, replacing what is there; durable only once the directory is synced.
    static func move(_ from: String, to: String) throws {
        guard rename(from, to) == 0 else { throw Files.error("rename \(from) to", to) }
    }

    /// Makes a file of a size, all zero bytes.
    static func createSized(_ path: String, size: Int) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Files.error("create", path) }
        defer { close(descriptor) }
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw Files.error("write", path) }
    }

    /// Makes what was written to a file durable.
    static func syncFile(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Files.error("open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Files.error("sync", path) }
    }
}

/// A file open for writing at any place; for one thread.
final class FileWriter {
    let path: String
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Files.error("open", path) }
        self.path = path
    }

    deinit { close(descriptor) }

    /// Writes all bytes at `offset`.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < bytes.count {
            let count = pwrite(
                descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw Files.error("write", path)
            }
            done += count
        }
    }
}
