/// Byte strings with a number each, found by content: open addressing over one block of bytes.
struct ByteTable: Sendable {
    private var bytes: [UInt8] = []
    /// Where each entry begins in `bytes`; one more at the end.
    private var starts: [Int32] = [0]
    private var values: [Int32] = []
    /// Entry of each slot, or -1; a power of two, at most half full.
    private var slots: [Int32] = []

    /// Number of entries.
    var count: Int { values.count }

    init(minimumCapacity: Int = 0) {
        var size = 16
        while size < minimumCapacity * 2 { size *= 2 }
        slots = [Int32](repeating: -1, count: size)
        starts.reserveCapacity(minimumCapacity + 1)
        values.reserveCapacity(minimumCapacity)
    }

    /// The bytes of an entry, in order of insertion.
    func key(_ entry: Int) -> ArraySlice<UInt8> { bytes[Int(starts[entry])..<Int(starts[entry + 1])] }

    /// The number of an entry, in order of insertion.
    func value(_ entry: Int) -> Int32 { values[entry] }

    /// Adds an entry; false when its bytes are there already.
    mutating func insert(_ key: UnsafeBufferPointer<UInt8>, _ value: Int32) -> Bool {
        if (values.count + 1) * 2 > slots.count { grow() }
        var slot = Int(truncatingIfNeeded: Self.hash(key)) & (slots.count - 1)
        while slots[slot] >= 0 {
            if equals(Int(slots[slot]), key) { return false }
            slot = (slot + 1) & (slots.count - 1)
        }
        slots[slot] = Int32(values.count)
        bytes.append(contentsOf: key)
        starts.append(Int32(bytes.count))
        values.append(value)
        return true
    }

    /// The number of these bytes; nil when they are not there.
    func find(_ key: UnsafeBufferPointer<UInt8>) -> Int32? {
        var slot = Int(truncatingIfNeeded: Self.hash(key)) & (slots.count - 1)
        while slots[slot] >= 0 {
            if equals(Int(slots[slot]), key) { return values[Int(slots[slot])] }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// The number of these bytes; nil when they are not there.
    func find(_ key: [UInt8]) -> Int32? { key.withUnsafeBufferPointer { find($0) } }

    private func equals(_ entry: Int, _ key: UnsafeBufferPointer<UInt8>) -> Bool {
        let start = Int(starts[entry])
        guard Int(starts[entry + 1]) - start == key.count else { return false }
        return bytes.withUnsafeBufferPointer { stored in
            for index in 0..<key.count where stored[start + index] != key[index] { return false }
            return true
        }
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        let mask = slots.count - 1
        for entry in 0..<values.count {
            var slot = key(entry).withUnsafeBufferPointer { Int(truncatingIfNeeded: Self.hash($0)) } & mask
            while slots[slot] >= 0 { slot = (slot + 1) & mask }
            slots[slot] = Int32(entry)
        }
    }

    /// A quick hash, eight bytes at a time; it need not withstand an adversary, only spread words.
    static func hash(_ key: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(key.count)
        var index = 0
        let raw = UnsafeRawBufferPointer(key)
        while index + 8 <= key.count {
            hash = mixed(hash ^ raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            index += 8
        }
        var rest: UInt64 = 0
        while index < key.count {
            rest = rest << 8 | UInt64(key[index])
            index += 1
        }
        return mixed(hash ^ rest)
    }

    @inline(__always)
    private static func mixed(_ value: UInt64) -> UInt64 {
        let product = value &* 0xD6E8_FEB8_6659_FD93
        return product ^ product >> 32
    }
}
