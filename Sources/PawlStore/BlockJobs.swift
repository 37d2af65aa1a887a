internal import PawlCore
internal import Synchronization

/// Blocks of several runs of bytes, numbered one after the other.
struct BlockJobs: Sendable {
    private let starts: [Int]

    init(_ byteCounts: [Int]) {
        var starts = [0]
        for count in byteCounts { starts.append(starts[starts.count - 1] + Blocks.count(count)) }
        self.starts = starts
    }

    /// Number of blocks in all.
    var count: Int { starts[starts.count - 1] }

    /// The numbers of the blocks of a run.
    func range(_ run: Int) -> Range<Int> { starts[run]..<starts[run + 1] }

    /// Run and block of a number.
    subscript(job: Int) -> (run: Int, block: Int) {
        var (low, high) = (0, starts.count - 1)
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= job { low = middle } else { high = middle }
        }
        return (low, job - starts[low])
    }
}

/// Counts bytes for a progress handler, which hears of it about two hundred times.
final class Meter: Sendable {
    private let activity: String
    private let total: Int
    private let handler: ProgressHandler?
    private let state = Mutex((done: 0, told: 0))

    init(_ activity: String, total: Int, _ handler: ProgressHandler?) {
        self.activity = activity
        self.total = total
        self.handler = handler
    }

    func add(_ bytes: Int) {
        guard let handler else { return }
        let news: Int? = state.withLock { state in
            state.done += bytes
            guard state.done - state.told >= total / 200 || state.done == total else { return nil }
            state.told = state.done
            return state.done
        }
        if let news { handler(Progress(activity, Int64(news), of: Int64(total), unit: "bytes")) }
    }
}
