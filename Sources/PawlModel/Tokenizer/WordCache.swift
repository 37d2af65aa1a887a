/// Words that were merged lately, with their ids. Emptied when it is full.
struct WordCache {
    /// Longer words are rare and would crowd out the short ones; in bytes.
    private static let longestWord = 48
    private static let capacity = 1 << 15

    private var words = ByteTable(minimumCapacity: 1 << 10)
    private var ids: [Int32] = []
    /// Where the ids of each word begin; one more at the end.
    private var starts: [Int32] = [0]

    /// Appends the ids of a word that is here; false when it is not.
    func find(_ word: UnsafeBufferPointer<UInt8>, into out: inout [Int32]) -> Bool {
        guard word.count <= Self.longestWord, let entry = words.find(word) else { return false }
        out.append(contentsOf: ids[Int(starts[Int(entry)])..<Int(starts[Int(entry) + 1])])
        return true
    }

    /// Keeps the ids of a word that was not here.
    mutating func insert(_ word: UnsafeBufferPointer<UInt8>, _ found: ArraySlice<Int32>) {
        guard word.count <= Self.longestWord else { return }
        if words.count == Self.capacity { self = WordCache() }
        guard words.insert(word, Int32(words.count)) else { return }
        ids.append(contentsOf: found)
        starts.append(Int32(ids.count))
    }
}
