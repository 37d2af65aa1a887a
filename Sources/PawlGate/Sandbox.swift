internal import Foundation
internal import PawlCore

/// Runs a program that came with a suite: in an empty directory, with limits of time, memory and file size, without the
/// network where the system allows it.
///
/// The limits are set by `timeout`, `prlimit` and `unshare` of coreutils and util-linux. What this does not do: the program
/// can read what the user can read.
public struct Sandbox: Sendable {
    /// Seconds.
    let timeout: Int
    /// MiB of address space for each process.
    let memory: Int

    /// What the machine at hand can enforce.
    public struct Protection: Sendable, Hashable {
        /// Memory, processor time and file sizes are limited.
        public let hasLimits: Bool
        /// The program sees no network and none of the machine's processes.
        public let hasNamespaces: Bool

        /// What is missing, in words; nil when nothing is.
        public var shortfall: String? {
            switch (hasLimits, hasNamespaces) {
            case (true, true): nil
            case (true, false): "it can reach the network: this system allows no namespaces to ordinary users"
            case (false, true): "its memory is not limited: there is no prlimit here"
            case (false, false):
                "it can reach the network, and its memory is not limited: neither unshare nor prlimit works here"
            }
        }
    }

    /// Tried once in a process.
    public static let protection = Protection(
        hasLimits: succeeds(["prlimit", "--as=1073741824", "true"]),
        hasNamespaces: succeeds(namespaces + ["true"]))

    /// Its own user, network and process namespaces; all of it ends with its first process.
    private static let namespaces = [
        "unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child",
    ]

    private static let largestFile = 64 << 20

    /// Runs a program on some input and gives its standard output.
    ///
    /// - Throws: `engine` with the end of its standard error when it fails or exceeds a limit.
    func run(program: [UInt8], input: [UInt8]) throws -> [UInt8] {
        let place = FileManager.default.temporaryDirectory.appending(path: "pawl-grader-\(UUID().uuidString)")
        try Files.createDirectory(place)
        defer { try? Files.remove(place) }
        let file = place.appending(path: "program")
        let work = place.appending(path: "work")
        try Files.createDirectory(work)
        try Files.writeAtomically(program, to: file)
        try Files.setMode(0o500, of: file)
        let streams = ["input", "output", "errors"].map { place.appending(path: $0) }
        try Files.writeAtomically(input, to: streams[0])
        for stream in streams.dropFirst() { try Files.writeAtomically([UInt8](), to: stream) }
        let status = try Self.start(command(file), in: work, streams)
        guard status == 0 else { throw try failure(status, streams[2]) }
        return try Files.read(streams[1])
    }

    private func command(_ program: URL) -> [String] {
        var command = ["timeout", "--kill-after=1", "\(timeout)"]
        if Self.protection.hasNamespaces { command += Self.namespaces }
        if Self.protection.hasLimits {
            command += [
                "prlimit", "--as=\(memory << 20)", "--cpu=\(timeout)", "--fsize=\(Self.largestFile)",
                "--core=0",
            ]
        }
        return command + [program.path]
    }

    private func failure(_ status: Int32, _ errors: URL) throws -> PawlError {
        let text = String(decoding: try Files.read(errors).suffix(500), as: UTF8.self).escaped
        // What `timeout` exits with when it had to end the command, by TERM or by KILL.
        let isLate = status == 124 || status == 137
        return PawlError(
            .engine,
            isLate
                ? "was not done after \(timeout) s"
                : "failed with status \(status)"
                    + (text.isEmpty ? "" : ": \(text)"))
    }

    private static func succeeds(_ command: [String]) -> Bool {
        let null = URL(filePath: "/dev/null")
        return (try? start(command, in: URL(filePath: "/"), [null, null, null])) == 0
    }

    /// Starts a command with three files as its standard streams, waits, and gives its status (128 and the signal, where
    /// one ended it).
    private static func start(_ command: [String], in directory: URL, _ streams: [URL]) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.currentDirectoryURL = directory
        process.environment = [
            "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": directory.path,
        ]
        do {
            let input = try FileHandle(forReadingFrom: streams[0])
            let output = try FileHandle(forWritingTo: streams[1])
            let errors = try FileHandle(forWritingTo: streams[2])
            defer { for handle in [input, output, errors] { try? handle.close() } }
            process.standardInput = input
            process.standardOutput = output
            process.standardError = errors
            try process.run()
            process.waitUntilExit()
        } catch {
            throw PawlError(.io, "cannot start \(command.first ?? "")", underlying: error)
        }
        let isSignal = process.terminationReason == .uncaughtSignal
        return process.terminationStatus + (isSignal ? 128 : 0)
    }
}
