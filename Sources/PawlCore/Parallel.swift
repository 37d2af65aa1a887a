internal import Dispatch
internal import Foundation
internal import Synchronization

/// Data-parallel loops on plain threads, for work that must not block Swift's cooperative pool.
public enum Parallel {
    /// Number of processors that this process may use.
    public static var width: Int { ProcessInfo.processInfo.activeProcessorCount }

    /// Calls `body` for 0..<count on all processors; the first error stops the rest and is rethrown.
    public static func forEach(_ count: Int, _ body: @Sendable (Int) throws -> Void) throws {
        if count == 1 { return try body(0) }
        let failure = Mutex<(any Error)?>(nil)
        DispatchQueue.concurrentPerform(iterations: count) { index in
            guard failure.withLock({ $0 == nil }) else { return }
            do {
                try body(index)
            } catch {
                failure.withLock { if $0 == nil { $0 = error } }
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }
}

extension Parallel {
    /// Whether blocking work of this task gives way to what others wait for.
    @TaskLocal public static var isPatient = false

    /// Runs blocking work on a thread of its own and waits for it without holding a thread of Swift's pool.
    public static func blocking<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        let isPatient = isPatient
        return try await withCheckedThrowingContinuation { continuation in
            let work = { @Sendable in continuation.resume(with: Result { try body() }) }
            if isPatient {
                PatientThread.start("pawl.blocking", work)
            } else {
                DispatchQueue.global(qos: .userInitiated).async(execute: work)
            }
        }
    }
}
