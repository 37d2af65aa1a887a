internal import Dispatch
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Turns the signals that end a program into the cancelling of its work.
public enum Interruption {
    /// Runs work that SIGINT, SIGTERM or SIGHUP cancels, so that a running engine is asked to stop.
    ///
    /// Engines run in sessions of their own, so a ^C at the terminal reaches only the host; this hands it
    /// on. A second signal does not wait: every engine is killed and the process exits with status 130.
    public static func cancelling<R: Sendable>(_ work: @escaping @Sendable () async throws -> R) async throws
        -> R
    {
        let task = Task { try await work() }
        let count = Mutex(0)
        let sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            let previous = signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                let received = count.withLock { count in
                    count += 1
                    return count
                }
                guard received > 1 else { return task.cancel() }
                RunningEngines.killAll()
                _exit(130)
            }
            source.activate()
            return (number, previous, source)
        }
        defer {
            for (number, previous, source) in sources {
                source.cancel()
                signal(number, previous)
            }
        }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
