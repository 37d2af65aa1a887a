/// Token sequences one after the other, without padding.
public struct SequenceBatch: Sendable {
    /// T tokens.
    public let tokens: [Int32]
    /// Sequence b is tokens starts[b] ..< starts[b + 1]; B + 1 numbers.
    public let starts: [Int32]

    public init(_ sequences: [[Int32]]) {
        tokens = sequences.flatMap(\.self)
        var end: Int32 = 0
        starts =
            [0]
            + sequences.map {
                end += Int32($0.count); return end
            }
    }

    /// B.
    public var count: Int { starts.count - 1 }

    /// Tokens of the longest sequence.
    public var longest: Int { zip(starts, starts.dropFirst()).map { Int($1 - $0) }.max() ?? 0 }

    /// The tokens' places in their sequences, each of which follows so many others.
    func positions(after first: Int) -> [Int32] {
        var result: [Int32] = []
        result.reserveCapacity(tokens.count)
        for (start, end) in zip(starts, starts.dropFirst()) {
            result += (0..<end - start).map { Int32(first) + $0 }
        }
        return result
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
