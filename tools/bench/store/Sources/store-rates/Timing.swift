import Foundation
import PawlCore

#if canImport(Glibc)
    import Glibc
#endif

/// What some work took.
struct Timing: Sendable {
    /// Seconds by the clock.
    let seconds: Double
    /// Seconds of all threads, user and system.
    let processorSeconds: Double

    /// The present moment.
    static var now: Timing {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return Timing(
            seconds: ProcessInfo.processInfo.systemUptime,
            processorSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime))
    }

    /// Since this moment.
    var elapsed: Timing {
        let now = Timing.now
        return Timing(
            seconds: now.seconds - seconds, processorSeconds: now.processorSeconds - processorSeconds)
    }

    /// The median of some runs by the clock, after one that does not count.
    ///
    /// - Parameter before: what is done before each run and is no part of it.
    static func median(_ count: Int, before: () throws -> Void = {}, _ body: () throws -> Void) throws
        -> Timing
    {
        try body()
        let runs = try (0..<count).map { _ in
            try before()
            let start = now
            try body()
            return start.elapsed
        }
        return runs.sorted { $0.seconds < $1.seconds }[count / 2]
    }
}
