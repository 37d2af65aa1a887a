public import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// File operations with the durability that the store promises.
public enum Files {
    /// An error of the operating system as ours.
    public static func error(_ operation: String, _ path: String, errno code: Int32 = errno) -> PawlError {
        let reason = String(cString: strerror(code))
        let hint = code == ENOSPC ? "free some space on that disk, then run the same command again" : nil
        return PawlError(
            code == ENOENT ? .notFound : .io, "cannot \(operation) \(path): \(reason)", hint: hint)
    }

    /// Reads a whole file.
    public static func read(_ url: URL) throws -> [UInt8] {
        do {
            return Array(try Data(contentsOf: url))
        } catch {
            guard FileManager.default.fileExists(atPath: url.path) else {
                throw PawlError(.notFound, "cannot read \(url.path): there is no such file")
            }
            throw PawlError(.io, "cannot read \(url.path)", underlying: error)
        }
    }

    /// True when something (a file, a directory, the target of a link) is there.
    public static func exists(_ url: URL) -> Bool { access(url.path, F_OK) == 0 }

    /// True when `url` is a directory.
    public static func isDirectory(_ url: URL) -> Bool {
        var status = stat()
        return stat(url.path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Creates a directory with its parents.
    public static func createDirectory(_ url: URL) throws {
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            throw PawlError(.io, "cannot create the directory \(url.path)", underlying: error)
        }
    }

    /// Removes a file or a whole directory; nothing happens when it is not there.
    public static func remove(_ url: URL) throws {
        do {
            try FileManager.default.removeItem(at: url)
        } catch let error as CocoaError where error.code == .fileNoSuchFile {
            return
        } catch {
            throw PawlError(.io, "cannot remove \(url.path)", underlying: error)
        }
    }

    /// Sets the permission bits of a file or directory (0...0o777).
    public static func setMode(_ mode: Int, of url: URL) throws {
        guard chmod(url.path, mode_t(mode)) == 0 else { throw error("change the mode of", url.path) }
    }

    /// Removes a directory that holds nothing; fails when it holds something.
    public static func removeEmptyDirectory(_ url: URL) throws {
        guard rmdir(url.path) == 0 else { throw error("remove the directory", url.path) }
    }

    /// Writes all bytes to an open descriptor.
    public static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw error("write", path)
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Replaces a file atomically and durably: temporary file beside it, fsync, rename, fsync of the directory.
    ///
    /// After it returns, the new content survives a power cut; at any instant the file holds
    /// either the old content or the new, never a part.
    public static func writeAtomically(_ bytes: some ContiguousBytesLike, to url: URL) throws {
        let directory = url.deletingLastPathComponent()
        let temporary = directory.appending(path: ".tmp-\(UUID().uuidString)")
        let descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw error("create", temporary.path) }
        do {
            defer { close(descriptor) }
            try bytes.withBytes { try writeAll($0, to: descriptor, path: url.path) }
            guard fsync(descriptor) == 0 else { throw error("sync", url.path) }
        } catch {
            unlink(temporary.path)
            throw error
        }
        guard posixRename(temporary.path, url.path) == 0 else {
            let failure = error("rename to", url.path)
            unlink(temporary.path)
            throw failure
        }
        try syncDirectory(directory)
    }

    /// Makes the names in a directory durable.
    public static func syncDirectory(_ url: URL) throws {
        let descriptor = open(url.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw error("open", url.path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw error("sync", url.path) }
    }

    /// Renames a file or directory within a file system and makes it durable.
    public static func rename(_ from: URL, to: URL) throws {
        guard Self.posixRename(from.path, to.path) == 0 else {
            throw error("rename \(from.path) to", to.path)
        }
        try syncDirectory(to.deletingLastPathComponent())
    }

    private static func posixRename(_ from: String, _ to: String) -> Int32 {
        #if canImport(Glibc)
            Glibc.rename(from, to)
        #elseif canImport(Musl)
            Musl.rename(from, to)
        #else
            Darwin.rename(from, to)
        #endif
    }
}
