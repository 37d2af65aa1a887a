internal import Dispatch
internal import Foundation
internal import Synchronization

/// A thread that gives way: arithmetic that goes on for minutes beside answers that somebody waits for.
///
/// On Linux a thread has a niceness of its own, and the threads that it starts inherit it. The Dispatch library gives its
/// threads one for their quality of service, but the threads of a compute pool are not its own.
public enum PatientThread {
    /// How much nicer than the program's first thread; at 10 the share of a busy processor is a tenth.
    static let niceness: Int32 = 10

    /// Starts a thread that runs `body` and ends.
    public static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread {
            beNice()
            body()
        }
        thread.name = name
        thread.start()
    }

    /// Runs `body` on such a thread and waits for it.
    public static func value<T: Sendable>(_ name: String, _ body: @escaping @Sendable () throws -> T) throws
        -> T
    {
        let result = Mutex<Result<T, any Error>?>(nil)
        let isDone = DispatchSemaphore(value: 0)
        start(name) {
            let value = Result { try body() }
            result.withLock { $0 = value }
            isDone.signal()
        }
        isDone.wait()
        guard let value = result.withLock({ $0 }) else {
            throw PawlError(.internalError, "the thread \(name) ended without a result")
        }
        return try value.get()
    }

    /// Where the system refuses, the thread works on as it is: this is a courtesy, and no answer depends on it.
    private static func beNice() {
        _ = setpriority(which, callingThread, niceness(of: firstThread) + niceness)
    }

    private static let which = __priority_which_t(PRIO_PROCESS.rawValue)
    static let callingThread: id_t = 0
    /// Has the number of the process.
    static let firstThread = id_t(getpid())

    /// What the system says of a thread.
    static func niceness(of thread: id_t) -> Int32 { getpriority(which, thread) }
}
