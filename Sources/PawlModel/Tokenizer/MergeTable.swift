internal import PawlCore

/// The merges of byte-pair encoding: which two tokens become which, and in what order of preference.
struct MergeTable: Sendable {
    private struct Slot: Sendable {
        /// Left id in the upper half, right id in the lower; all ones when free.
        var pair: UInt64 = .max
        var rank: UInt32 = 0
    }

    /// Open addressing; a power of two, at most half full.
    private var slots: [Slot]
    /// The token that the merge of each rank makes.
    private var results: [Int32] = []

    /// Reads `model.merges`: "left right" or ["left", "right"], the most preferred first.
    init(_ source: TokenizerSource, _ vocabulary: Vocabulary) throws {
        let place = try source.settings.required("model").required("merges")
        guard let range = source.merges else { throw place.failure("must be an array") }
        slots = []
        resize(for: range.count / 8)
        var pair: [UInt8] = []
        var split = 0
        var fault: PawlError?
        var rank = 0
        source.bytes.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(bytes: UnsafeBufferPointer(rebasing: buffer[range]))
            do {
                try scanner.elements(from: UInt8(ascii: "["), to: UInt8(ascii: "]")) {
                    scanner throws(JSONScanner.Failure) in
                    try Self.read(&scanner, into: &pair, &split)
                    guard fault == nil else { return }
                    fault = add(pair, split, rank, vocabulary).map {
                        TokenizerField(value: .null, path: "\(place.path)[\(rank)]", file: place.file)
                            .failure($0)
                    }
                    rank += 1
                }
            } catch {
                fault =
                    fault
                    ?? TokenizerField(value: .null, path: "\(place.path)[\(rank)]", file: place.file)
                    .failure("a merge must be \"left right\" or [\"left\", \"right\"]")
            }
        }
        if let fault { throw fault }
    }

    /// Reads one merge: both spellings without a gap, and where the right one begins.
    private static func read(
        _ scanner: inout JSONScanner, into pair: inout [UInt8], _ split: inout Int
    ) throws(JSONScanner.Failure) {
        pair.removeAll(keepingCapacity: true)
        if scanner.next == UInt8(ascii: "[") {
            try scanner.expect(UInt8(ascii: "["))
            try scanner.string(into: &pair)
            split = pair.count
            try scanner.expect(UInt8(ascii: ","))
            try scanner.string(into: &pair)
            try scanner.expect(UInt8(ascii: "]"))
        } else {
            try scanner.string(into: &pair)
            guard let space = pair.firstIndex(of: 0x20), space == pair.lastIndex(of: 0x20) else {
                throw JSONScanner.Failure()
            }
            pair.remove(at: space)
            split = space
        }
    }

    /// Adds one merge; what is wrong with it when it names a token that is not there.
    private mutating func add(_ pair: [UInt8], _ split: Int, _ rank: Int, _ vocabulary: Vocabulary)
        -> String?
    {
        pair.withUnsafeBufferPointer { pair in
            let (left, right) = (
                UnsafeBufferPointer(rebasing: pair[..<split]), UnsafeBufferPointer(rebasing: pair[split...])
            )
            let absent = { (use: String, token: UnsafeBufferPointer<UInt8>) in
                "\(use) the token \(quoted(token)), which is not in model.vocab"
            }
            guard let leftID = vocabulary.id(left) else { return absent("names", left) }
            guard let rightID = vocabulary.id(right) else { return absent("names", right) }
            guard let result = vocabulary.id(pair) else { return absent("makes", pair) }
            results.append(result)
            insert(Self.key(leftID, rightID), UInt32(rank))
            return nil
        }
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private func slot(of key: UInt64) -> Int {
        let mixed = key &* 0x9E37_79B9_7F4A_7C15
        var slot = Int(truncatingIfNeeded: mixed >> 32) & (slots.count - 1)
        while slots[slot].pair != key, slots[slot].pair != .max { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }

    /// A merge that stands twice counts where it stands last, as in the reference.
    private mutating func insert(_ key: UInt64, _ rank: UInt32) {
        if results.count * 2 > slots.count { resize(for: results.count * 2) }
        slots[slot(of: key)] = Slot(pair: key, rank: rank)
    }

    private mutating func resize(for count: Int) {
        var size = 16
        while size < count * 2 { size *= 2 }
        let old = slots
        slots = [Slot](repeating: Slot(), count: size)
        for entry in old where entry.pair != .max { slots[slot(of: entry.pair)] = entry }
    }

    /// The rank of a merge; nil when the two tokens do not merge.
    @inline(__always)
    func rank(_ left: Int32, _ right: Int32) -> UInt32? {
        let found = slots[slot(of: Self.key(left, right))]
        return found.pair == .max ? nil : found.rank
    }

    /// The token that the merge of a rank makes.
    @inline(__always)
    func result(_ rank: UInt32) -> Int32 { results[Int(rank)] }
}
