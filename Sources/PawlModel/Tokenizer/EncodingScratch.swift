internal import Synchronization

/// Memory that one encoding works in, kept from call to call.
///
/// It may pass from thread to thread, but only one works with it at a time: whoever has it, has taken it
/// out of the pool. The compiler cannot see that, hence `@unchecked`.
final class EncodingScratch: @unchecked Sendable {
    var cache = WordCache()
    var merger = PairMerger()
    var symbols: [Int32] = []
    let matcher = PatternMatcher()
}

/// Scratch that no call uses at the moment. Several threads may encode with one tokenizer: each takes its
/// own, so that they wait for each other only while taking it.
final class EncodingScratchPool: Sendable {
    private let free = Mutex<[EncodingScratch]>([])

    func with<R>(_ body: (EncodingScratch) throws -> R) rethrows -> R {
        let scratch = free.withLock { $0.popLast() } ?? EncodingScratch()
        defer { free.withLock { $0.append(scratch) } }
        return try body(scratch)
    }
}
