internal import Dispatch
internal import Foundation
internal import Synchronization

/// A thread that gives way: arithmetic that goes on for minutes beside answers that somebody waits for.
///
/// On Linux a thread has a niceness of its own, and the threads that it starts inherit it. The Dispatch library's
/// qualities of service do nothing there.
public enum PatientThread {
    /// Added to a thread's niceness; at 10 its share of a busy processor is a tenth of an impatient thread's.
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
    private static func beNice() { _ = setpriority(which, callingThread, ownNiceness + niceness) }

    private static let which = __priority_which_t(PRIO_PROCESS.rawValue)
    private static let callingThread: id_t = 0

    /// The calling thread's.
    static var ownNiceness: Int32 { getpriority(which, callingThread) }
}
