/// Token sequences one after the other, without padding.
public struct SequenceBatch: Sendable {
    /// T tokens.
    public let tokens: [Int32]
    /// Sequence b is tokens starts[b] ..< starts[b + 1]; B + 1 numbers.
    public let starts: [Int32]
    /// Whether the first sequence is what all others begin with, run once for them; gradients reach it through each.
    public let isFirstShared: Bool

    public init(_ sequences: [[Int32]]) { self.init(sequences, isFirstShared: false) }

    /// Sequences by what they begin with and what follows; the beginning becomes a sequence of its own, the first.
    public init(beginning: [Int32], _ rests: [[Int32]]) {
        self.init([beginning] + rests, isFirstShared: true)
    }

    private init(_ sequences: [[Int32]], isFirstShared: Bool) {
        tokens = sequences.flatMap(\.self)
        var end: Int32 = 0
        starts =
            [0]
            + sequences.map {
                end += Int32($0.count); return end
            }
        self.isFirstShared = isFirstShared
    }

    /// B.
    public var count: Int { starts.count - 1 }

    /// Tokens of the longest sequence, what it begins with included.
    public var longest: Int {
        starts.indices.dropLast().map { Int(starts[$0 + 1] - starts[$0]) + firstPosition($0) }.max() ?? 0
    }

    /// The place of a sequence's first token.
    private func firstPosition(_ sequence: Int) -> Int {
        isFirstShared && sequence > 0 ? Int(starts[1]) : 0
    }

    /// The tokens' places in their sequences, each of which follows so many others.
    func positions(after first: Int) -> [Int32] {
        starts.indices.dropLast().flatMap { sequence in
            let begin = Int32(first + firstPosition(sequence))
            return begin..<begin + starts[sequence + 1] - starts[sequence]
        }
    }
}

/// Keys and values of tokens that many sequences begin with, computed once.
public struct Prefix: Sendable {
    /// S0.
    public let length: Int
    /// A layer's rotated keys, [S0, K, E].
    let keys: [FloatBuffer]
    let values: [FloatBuffer]
}

extension Transformer {
    /// Runs what sequences have in common through the model.
    public func prefix(_ tokens: [Int32]) throws -> Prefix {
        let c = configuration
        let size = c.keyValueHeadCount * c.headSize
        var keys: [FloatBuffer] = []
        var values: [FloatBuffer] = []
        _ = try forward(
            SequenceBatch([tokens]),
            onKeysValues: { _, rows in
                let (k, v) = (FloatBuffer(tokens.count * size), FloatBuffer(tokens.count * size))
                for row in tokens.indices {
                    let source = rows + row * c.queryKeyValueSize
                    (k.pointer + row * size).update(from: source, count: size)
                    (v.pointer + row * size).update(from: source + size, count: size)
                }
                keys.append(k)
                values.append(v)
            })
        return Prefix(length: tokens.count, keys: keys, values: values)
    }
}
