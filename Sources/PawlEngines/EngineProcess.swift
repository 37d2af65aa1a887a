internal import Foundation
internal import Logging
internal import PawlCore
internal import Subprocess
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// A running engine program: messages go out by ``send(_:)`` and come in through the inbox.
///
/// The program leads a session of its own, so a ^C at the terminal does not reach it and its helpers
/// can all be signalled together. Whatever the conversation does, the group is gone when `run` returns.
struct EngineProcess: Sendable {
    /// What to start, and where.
    struct Launch: Sendable {
        var program: URL
        var environment: [String: String]
        var workdir: URL
        var limits: EngineLimits
        var logger: Logger
    }

    /// How a process ended.
    struct Ending: Sendable {
        var status: TerminationStatus
        /// Whether the host had to end it by a signal.
        var isForced: Bool

        /// Whether the program exited with status 0.
        var isSuccess: Bool { status.isSuccess }

        /// The status in words.
        var text: String {
            switch status {
            case .exited(let code): "exit status \(code)"
            case .signaled(let signal): "signal \(signal) (\(String(cString: strsignal(signal))))"
            }
        }
    }

    let inbox: Inbox
    let transcript: TranscriptRecorder
    let launch: Launch
    private let group: pid_t
    private let outbox: AsyncStream<[UInt8]>.Continuation
    private let force: ForceFlag

    /// Remembers that a signal was needed.
    private final class ForceFlag: Sendable {
        let isSet = Mutex(false)
    }

    /// Starts the program, holds the conversation and ends the program's whole process group.
    ///
    /// It must not run in a task that can be cancelled: the conversation decides what cancelling means.
    static func run<R: Sendable>(
        _ launch: Launch, inbox: Inbox, transcript: TranscriptRecorder, standardError: StandardErrorLog,
        _ conversation: @escaping @Sendable (EngineProcess) async -> R
    ) async throws -> (R, Ending) {
        ignoreBrokenPipes
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [
            .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: launch.limits.terminate)
        ]
        let force = ForceFlag()
        let result = try await Subprocess.run(
            .path(literal(launch.program.path)), environment: .custom(variables(launch.environment)),
            workingDirectory: literal(launch.workdir.path), platformOptions: options,
            input: .inputWriter, output: .sequence, error: .sequence
        ) { execution in
            let (messages, outbox) = AsyncStream.makeStream(of: [UInt8].self)
            let process = EngineProcess(
                inbox: inbox, transcript: transcript, launch: launch,
                group: execution.processIdentifier.value, outbox: outbox, force: force)
            RunningEngines.insert(process.group)
            process.watchForExit()
            return await withTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await process.read(execution.standardOutput) }
                tasks.addTask { await Self.drain(execution.standardError, into: standardError) }
                tasks.addTask { await Self.write(messages, to: execution.standardInputWriter) }
                let value = await conversation(process)
                await process.end()
                outbox.finish()
                await tasks.waitForAll()
                // Helpers that outlived the leader; its id is not free yet, so the group is still ours.
                kill(-process.group, SIGKILL)
                RunningEngines.remove(process.group)
                return value
            }
        }
        let isForced = force.isSet.withLock { $0 }
        return (result.closureResult, Ending(status: result.terminationStatus, isForced: isForced))
    }

    /// Sends one message; never waits for the engine to read it.
    func send(_ message: JSONValue) throws {
        transcript.record(.host, message: message)
        let line = try JSON.canonical(message)
        guard line.count <= LineSplitter.maximumLineLength else {
            throw PawlError(
                .invalidArgument,
                "the message \(message["type"]?.string ?? "?") is \(line.count) bytes, above the protocol's 1 MiB"
            )
        }
        outbox.yield(line + [0x0A])
    }

    /// Sends bytes as they are, for the conformance checks.
    func sendRaw(_ line: [UInt8]) {
        transcript.record(.host, text: line)
        outbox.yield(line + [0x0A])
    }

    /// Closes the engine's stdin, which it must take as `shutdown`.
    func closeInput() { outbox.finish() }

    /// Waits for the process to go, reading past its last messages; false when it is still there.
    func waitForExit(_ limit: Duration) async -> Bool {
        let deadline = SuspendingClock.now + limit
        while !inbox.hasExited {
            if await inbox.next(until: deadline) == nil { return inbox.hasExited }
        }
        return true
    }

    /// Makes sure that the process is gone: SIGTERM to its group, a pause, SIGKILL.
    func end() async {
        guard !inbox.hasExited else { return }
        force.isSet.withLock { $0 = true }
        kill(-group, SIGTERM)
        if await waitForExit(launch.limits.terminate) { return }
        launch.logger.warning("engine ignores SIGTERM, killing it", metadata: ["engine.pid": "\(group)"])
        kill(-group, SIGKILL)
        _ = await waitForExit(.seconds(60))
    }

    private func watchForExit() {
        let (group, inbox) = (group, inbox)
        // A thread of its own, because waiting blocks; WNOWAIT leaves the status to Subprocess.
        Thread.detachNewThread {
            var info = siginfo_t()
            while waitid(P_PID, id_t(group), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
            inbox.put(.exited)
        }
    }

    private func read(_ output: SubprocessOutputSequence) async {
        var splitter = LineSplitter()
        let emit = { (event: EngineEvent, line: [UInt8]) in
            if case .message(let message) = event {
                transcript.record(.engine, message: message)
            } else {
                transcript.record(.engine, text: line)
            }
            inbox.put(event)
        }
        do {
            for try await buffer in output { buffer.withUnsafeBytes { splitter.push($0, emit) } }
            splitter.finish(emit)
        } catch {
            inbox.put(.violation("its stdout cannot be read: \(error)"))
        }
        inbox.put(.outputEnded)
    }

    private static func drain(_ output: SubprocessOutputSequence, into log: StandardErrorLog) async {
        do {
            for try await buffer in output { log.append(buffer.withUnsafeBytes { Array($0) }) }
        } catch {
            log.append(Array("\n[pawl: stderr cannot be read: \(error)]\n".utf8))
        }
    }

    private static func write(_ messages: AsyncStream<[UInt8]>, to input: StandardInputWriter) async {
        for await line in messages {
            // A failed write means that the engine closed its stdin or is gone, which shows elsewhere.
            guard (try? await input.write(line)) != nil else { break }
        }
        try? await input.finish()
    }

    private static func variables(_ environment: [String: String]) -> [[UInt8]] {
        environment.sorted { $0.key < $1.key }.map { Array("\($0.key)=\($0.value)\0".utf8) }
    }

    /// A path as Subprocess wants it, without importing the package that its path type comes from.
    private static func literal<T: ExpressibleByStringLiteral>(_ text: String) -> T
    where T.StringLiteralType == String { T(stringLiteral: text) }
}

/// Subprocess writes to pipes without guarding against SIGPIPE, which would end the host when an engine dies.
private let ignoreBrokenPipes: Void = {
    _ = signal(SIGPIPE, SIG_IGN)
}()

/// The process groups of the engines that run now, for a host that has no time left to be polite.
enum RunningEngines {
    private static let groups = Mutex<Set<pid_t>>([])

    static func insert(_ group: pid_t) { groups.withLock { _ = $0.insert(group) } }
    static func remove(_ group: pid_t) { groups.withLock { _ = $0.remove(group) } }

    /// Sends SIGKILL to every one of them.
    static func killAll() {
        groups.withLock { groups in
            for group in groups { kill(-group, SIGKILL) }
        }
    }
}
