/// Applies merges to the symbols of one word, the lowest rank first and of equal ranks the leftmost.
///
/// A linked list over the symbols and a heap of possible merges: n log n for n symbols, so that a line of
/// a megabyte that is one word stays quick. Memory is kept from word to word.
struct PairMerger {
    private var symbols: [Int32] = []
    private var previous: [Int32] = []
    private var next: [Int32] = []
    /// Possible merges, rank in the upper half and position of the left symbol in the lower; a binary heap.
    private var heap: [UInt64] = []

    /// Merges `word` and appends the tokens that remain.
    mutating func merge(_ word: [Int32], by merges: borrowing MergeTable, into ids: inout [Int32]) {
        let count = word.count
        symbols = word
        previous.removeAll(keepingCapacity: true)
        next.removeAll(keepingCapacity: true)
        heap.removeAll(keepingCapacity: true)
        for index in 0..<count {
            previous.append(Int32(index) - 1)
            next.append(index + 1 < count ? Int32(index) + 1 : -1)
            if index + 1 < count { push(index, index + 1, merges) }
        }
        while let (rank, left) = pop() {
            // A symbol that was merged into its left neighbour is -1; an entry may be older than its pair.
            guard symbols[left] >= 0, next[left] >= 0 else { continue }
            let right = Int(next[left])
            guard let current = merges.rank(symbols[left], symbols[right]),
                merges.result(current) == merges.result(rank)
            else { continue }
            symbols[left] = merges.result(rank)
            symbols[right] = -1
            next[left] = next[right]
            if next[left] >= 0 {
                previous[Int(next[left])] = Int32(left)
                push(left, Int(next[left]), merges)
            }
            if previous[left] >= 0 { push(Int(previous[left]), left, merges) }
        }
        for symbol in symbols where symbol >= 0 { ids.append(symbol) }
    }

    @inline(__always)
    private mutating func push(_ left: Int, _ right: Int, _ merges: borrowing MergeTable) {
        guard let rank = merges.rank(symbols[left], symbols[right]) else { return }
        let entry = UInt64(rank) << 32 | UInt64(left)
        var hole = heap.count
        heap.append(entry)
        while hole > 0 {
            let parent = (hole - 1) / 2
            guard heap[parent] > entry else { break }
            heap[hole] = heap[parent]
            hole = parent
        }
        heap[hole] = entry
    }

    private mutating func pop() -> (rank: UInt32, left: Int)? {
        guard let top = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            var hole = 0
            while true {
                var child = hole * 2 + 1
                guard child < heap.count else { break }
                if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
                guard heap[child] < last else { break }
                heap[hole] = heap[child]
                hole = child
            }
            heap[hole] = last
        }
        return (UInt32(top >> 32), Int(top & 0xFFFF_FFFF))
    }
}
