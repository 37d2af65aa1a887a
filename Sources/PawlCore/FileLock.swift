public import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// An advisory lock between processes (`flock`), released when the value goes away or the process dies.
public struct FileLock: ~Copyable {
    private let descriptor: Int32

    /// Who may hold it at the same time.
    public enum Mode: Sendable { case shared, exclusive }

    /// Takes the lock on a file, which is created when absent; waits for it.
    public init(_ url: URL, _ mode: Mode = .exclusive) throws {
        let descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Files.error("open", url.path) }
        while flock(descriptor, mode == .shared ? LOCK_SH : LOCK_EX) != 0 {
            guard errno == EINTR else {
                close(descriptor)
                throw Files.error("lock", url.path)
            }
        }
        self.descriptor = descriptor
    }

    /// Takes the lock if nobody else has it; nil when somebody has.
    public static func attempt(_ url: URL, _ mode: Mode = .exclusive) throws -> FileLock? {
        let descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Files.error("open", url.path) }
        if flock(descriptor, (mode == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 {
            return FileLock(descriptor: descriptor)
        }
        let code = errno
        close(descriptor)
        guard code == EWOULDBLOCK else { throw Files.error("lock", url.path, errno: code) }
        return nil
    }

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }
}
