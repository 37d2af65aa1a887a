/// Rotated keys and values of one sequence's own tokens, for every layer.
final class KeyValueCache {
    /// A layer's keys, [capacity, K, E].
    let keys: [FloatBuffer]
    let values: [FloatBuffer]
    /// Tokens that it holds.
    var length = 0
    /// K E.
    private let size: Int

    init(_ c: ModelConfiguration, capacity: Int) {
        let size = c.keyValueHeadCount * c.headSize
        self.size = size
        keys = (0..<c.layerCount).map { _ in FloatBuffer(capacity * size) }
        values = (0..<c.layerCount).map { _ in FloatBuffer(capacity * size) }
    }

    /// Memory that a cache takes, in bytes.
    static func bytes(_ c: ModelConfiguration, capacity: Int) -> Int {
        2 * c.layerCount * capacity * c.keyValueHeadCount * c.headSize * MemoryLayout<Float>.stride
    }

    /// Puts rows of a fused projection, `stride` apart and keys before values, behind the first `place` tokens.
    func store(_ rows: UnsafePointer<Float>, count: Int, stride: Int, layer: Int, at place: Int) {
        for row in 0..<count {
            let source = rows + row * stride
            (keys[layer].pointer + (place + row) * size).update(from: source, count: size)
            (values[layer].pointer + (place + row) * size).update(from: source + size, count: size)
        }
    }
}
