internal import Foundation

/// How much memory this process may have.
public enum MachineMemory {
    /// The machine's memory in bytes, or the limit of the container that the process runs in.
    public static let bytes = limit(physical: Int(ProcessInfo.processInfo.physicalMemory), files: limitFiles)

    /// Where Linux shows a container its limit: control groups of version 2 and 1.
    private static let limitFiles = [
        "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]

    /// The smallest of the machine's memory and the limits that files state; "max" and what is no number limit nothing.
    static func limit(physical: Int, files: [String]) -> Int {
        files.compactMap { file in
            (try? String(contentsOfFile: file, encoding: .utf8))
                .flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        }.filter { $0 > 0 }.reduce(physical, min)
    }
}
