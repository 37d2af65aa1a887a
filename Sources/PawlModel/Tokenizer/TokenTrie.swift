/// A trie over byte strings: finds the leftmost of them in text, of several there the longest.
struct TokenTrie: Sendable {
    private struct Node: Sendable {
        let byte: UInt8
        var firstChild: Int32 = -1
        var sibling: Int32 = -1
        /// The id of the string that ends here, or -1.
        var id: Int32 = -1
    }

    private var nodes = [Node(byte: 0)]
    /// The bytes that a string begins with.
    private var isStart = [Bool](repeating: false, count: 256)

    /// True when it holds no string.
    var isEmpty: Bool { nodes.count == 1 }

    /// Adds a string that is not empty; false when it is there already.
    mutating func insert(_ string: [UInt8], _ id: Int32) -> Bool {
        guard let first = string.first else { return false }
        isStart[Int(first)] = true
        var node = 0
        for byte in string {
            if let child = child(of: node, byte) {
                node = child
            } else {
                nodes.append(Node(byte: byte, sibling: nodes[node].firstChild))
                nodes[node].firstChild = Int32(nodes.count - 1)
                node = nodes.count - 1
            }
        }
        guard nodes[node].id < 0 else { return false }
        nodes[node].id = id
        return true
    }

    /// The leftmost, longest string from a position on.
    func first(in text: UnsafeBufferPointer<UInt8>, from start: Int) -> (id: Int32, range: Range<Int>)? {
        guard !isEmpty else { return nil }
        for position in start..<max(start, text.count) where isStart[Int(text[position])] {
            var node = 0
            var end = position
            var longest: (id: Int32, range: Range<Int>)?
            while end < text.count, let child = child(of: node, text[end]) {
                node = child
                end += 1
                if nodes[node].id >= 0 { longest = (nodes[node].id, position..<end) }
            }
            if let longest { return longest }
        }
        return nil
    }

    private func child(of node: Int, _ byte: UInt8) -> Int? {
        var child = nodes[node].firstChild
        while child >= 0, nodes[Int(child)].byte != byte { child = nodes[Int(child)].sibling }
        return child >= 0 ? Int(child) : nil
    }
}
