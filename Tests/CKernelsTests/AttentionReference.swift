internal import CKernels
internal import Foundation

/// Attention by its definition in double, one query and one head after the other.
struct AttentionReference {
    let heads: Int
    let kvHeads: Int
    let headSize: Int
    let lengths: [Int]
    let prefix: Int
    let window: Int
    /// Whether the others follow the first sequence.
    let firstIsShared: Bool
    /// [T, H, E], [T, K, E], [T, K, E], [S0, K, E] twice, [T, H, E].
    let q, k, v, prefixK, prefixV, dout: [Float]

    var scale: Float { 1 / Float(headSize).squareRoot() }
    var tokens: Int { lengths.reduce(0, +) }
    var starts: [Int32] { lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + Int32($1)) } }

    init(
        heads: Int, kvHeads: Int, headSize: Int, lengths: [Int], prefix: Int, window: Int, seed: UInt64,
        firstIsShared: Bool = false
    ) {
        var random = Random(seed: seed)
        let tokens = lengths.reduce(0, +)
        (self.heads, self.kvHeads, self.headSize) = (heads, kvHeads, headSize)
        (self.lengths, self.prefix, self.window) = (lengths, prefix, window)
        self.firstIsShared = firstIsShared
        q = random.floats(tokens * heads * headSize, scale: 3)
        k = random.floats(tokens * kvHeads * headSize, scale: 3)
        v = random.floats(tokens * kvHeads * headSize)
        prefixK = random.floats(prefix * kvHeads * headSize, scale: 3)
        prefixV = random.floats(prefix * kvHeads * headSize)
        dout = random.floats(tokens * heads * headSize)
    }

    struct Result {
        var out, lse, dq, dk, dv: [Double]
    }

    /// Where the vector of a key and its value starts: in the prefix from outside or in the batch.
    private func place(_ key: Int, start: Int, head: Int) -> (isPrefix: Bool, at: Int) {
        let before = keysBefore(start)
        let row = key < before ? key : start + key - before
        return (key < before && !firstIsShared, (row * kvHeads + head) * headSize)
    }

    /// Keys that a sequence, which starts at a row of the batch, follows.
    private func keysBefore(_ start: Int) -> Int { firstIsShared ? (start > 0 ? lengths[0] : 0) : prefix }

    /// All of it, or the last token of each sequence alone.
    func result(lastAlone: Bool = false) -> Result {
        var result = Result(
            out: [Double](repeating: 0, count: q.count), lse: [Double](repeating: 0, count: tokens * heads),
            dq: [Double](repeating: 0, count: q.count), dk: [Double](repeating: 0, count: k.count),
            dv: [Double](repeating: 0, count: v.count))
        var start = 0
        for length in lengths {
            for i in (lastAlone ? max(0, length - 1) : 0)..<length {
                for head in 0..<heads { query(i, start: start, head: head, into: &result) }
            }
            start += length
        }
        return result
    }

    private func query(_ i: Int, start: Int, head: Int, into result: inout Result) {
        let row = ((start + i) * heads + head) * headSize
        let kvHead = head / (heads / kvHeads)
        let last = keysBefore(start) + i
        let keys = (window > 0 ? max(0, last - window + 1) : 0)...last
        let places = keys.map { place($0, start: start, head: kvHead) }
        let scores = places.map { isPrefix, at in
            (0..<headSize).reduce(0.0) {
                $0 + Double(q[row + $1]) * Double((isPrefix ? prefixK : k)[at + $1])
            } * Double(scale)
        }
        let largest = scores.max() ?? 0
        let total = scores.reduce(0) { $0 + exp($1 - largest) }
        result.lse[(start + i) * heads + head] = largest + log(total)
        let p = scores.map { exp($0 - largest) / total }
        // dp = dout · v, delta = Σ p dp, dscore = p (dp − delta).
        let dp = places.map { isPrefix, at in
            (0..<headSize).reduce(0.0) {
                $0 + Double(dout[row + $1]) * Double((isPrefix ? prefixV : v)[at + $1])
            }
        }
        let delta = zip(p, dp).reduce(0) { $0 + $1.0 * $1.1 }
        for (index, (isPrefix, at)) in places.enumerated() {
            let dscore = p[index] * (dp[index] - delta) * Double(scale)
            for c in 0..<headSize {
                result.out[row + c] += p[index] * Double((isPrefix ? prefixV : v)[at + c])
                result.dq[row + c] += dscore * Double((isPrefix ? prefixK : k)[at + c])
                if !isPrefix {
                    result.dk[at + c] += dscore * Double(q[row + c])
                    result.dv[at + c] += p[index] * Double(dout[row + c])
                }
            }
        }
    }

    /// Calls the body with the kernels' description of this batch.
    func describe(_ body: (UnsafePointer<pawl_attention>) -> Void) {
        q.withUnsafeBufferPointer { q in
            k.withUnsafeBufferPointer { k in
                v.withUnsafeBufferPointer { v in
                    prefixK.withUnsafeBufferPointer { prefixK in
                        prefixV.withUnsafeBufferPointer { prefixV in
                            starts.withUnsafeBufferPointer { starts in
                                var attention = pawl_attention()
                                (attention.q, attention.ldq) = (q.baseAddress, heads * headSize)
                                (attention.k, attention.ldk) = (k.baseAddress, kvHeads * headSize)
                                (attention.v, attention.ldv) = (v.baseAddress, kvHeads * headSize)
                                (attention.starts, attention.sequences) = (starts.baseAddress, lengths.count)
                                (attention.prefix_k, attention.prefix_v) =
                                    (prefixK.baseAddress, prefixV.baseAddress)
                                (attention.prefix_length, attention.window) = (prefix, window)
                                attention.first_is_shared = firstIsShared
                                (attention.heads, attention.kv_heads) = (heads, kvHeads)
                                (attention.head_size, attention.scale) = (headSize, scale)
                                withUnsafePointer(to: &attention) { body($0) }
                            }
                        }
                    }
                }
            }
        }
    }
}
