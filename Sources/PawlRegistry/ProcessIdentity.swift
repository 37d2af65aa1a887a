internal import Foundation
internal import PawlCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// A process as a lease names it: `host:pid:start-time`, so that a reused pid is not taken for its former owner.
struct ProcessIdentity: Sendable, Hashable, CustomStringConvertible {
    var host: String
    var pid: Int32
    /// Start time in clock ticks since boot; 0 where the system does not tell.
    var start: UInt64

    static var current: ProcessIdentity {
        let pid = getpid()
        return ProcessIdentity(host: hostName, pid: pid, start: startTime(of: pid) ?? 0)
    }

    static var hostName: String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = buffer.count - 1
        let result = buffer.withUnsafeMutableBytes { raw in
            raw.bindMemory(to: CChar.self).baseAddress.map { gethostname($0, length) } ?? -1
        }
        return result == 0 ? String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self) : "localhost"
    }

    init(host: String, pid: Int32, start: UInt64) {
        self.host = host
        self.pid = pid
        self.start = start
    }

    /// Parses `host:pid:start-time`; a host may hold colons.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 3, let start = UInt64(parts[parts.count - 1]),
            let pid = Int32(parts[parts.count - 2])
        else { return nil }
        self.init(host: parts.dropLast(2).joined(separator: ":"), pid: pid, start: start)
    }

    var description: String { "\(host):\(pid):\(start)" }

    /// False when the process is known to be gone; nil when that cannot be told (another host).
    var isAlive: Bool? {
        guard host == Self.hostName else { return nil }
        #if os(Linux)
            guard let current = Self.startTime(of: pid) else { return false }
            return start == 0 || current == start
        #else
            return kill(pid, 0) == 0 || errno == EPERM
        #endif
    }

    /// Field 22 of `/proc/PID/stat`; nil when there is no such process or it is a zombie.
    private static func startTime(of pid: Int32) -> UInt64? {
        #if os(Linux)
            guard let bytes = try? Files.read(URL(filePath: "/proc/\(pid)/stat")) else { return nil }
            // The second field is the program's name in parentheses and may hold anything, so count after it.
            guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
            let fields = String(decoding: bytes[(end + 1)...], as: UTF8.self).split(separator: " ")
            guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
            return UInt64(fields[19])
        #else
            return nil
        #endif
    }
}
