internal import CKernels
internal import Foundation
internal import Testing

@Suite("Attention")
struct AttentionTests {
    static let batches = [
        AttentionReference(
            heads: 1, kvHeads: 1, headSize: 1, lengths: [1], prefix: 0, window: 0, seed: 20),
        AttentionReference(
            heads: 2, kvHeads: 2, headSize: 5, lengths: [3, 0, 1, 70], prefix: 0, window: 0, seed: 21),
        AttentionReference(
            heads: 9, kvHeads: 3, headSize: 64, lengths: [65, 17], prefix: 0, window: 0, seed: 22),
        AttentionReference(
            heads: 4, kvHeads: 1, headSize: 20, lengths: [5, 130], prefix: 67, window: 0, seed: 23),
        AttentionReference(
            heads: 2, kvHeads: 1, headSize: 16, lengths: [140, 2], prefix: 0, window: 33, seed: 24),
        AttentionReference(
            heads: 3, kvHeads: 3, headSize: 33, lengths: [90, 7], prefix: 40, window: 64, seed: 25),
        AttentionReference(
            heads: 8, kvHeads: 1, headSize: 8, lengths: [40], prefix: 5, window: 1, seed: 26),
        AttentionReference(
            heads: 6, kvHeads: 2, headSize: 20, lengths: [70, 3, 0, 90], prefix: 0, window: 0, seed: 28,
            firstIsShared: true),
        AttentionReference(
            heads: 3, kvHeads: 3, headSize: 16, lengths: [80, 40, 1], prefix: 0, window: 21, seed: 29,
            firstIsShared: true),
        AttentionReference(
            heads: 2, kvHeads: 1, headSize: 8, lengths: [9], prefix: 0, window: 0, seed: 30,
            firstIsShared: true),
    ]
    static let results = batches.map { $0.result() }

    @Test("forward and backward match the definition in double", arguments: Setting.all)
    func whole(_ setting: Setting) throws {
        try setting.run { pool in
            for (batch, reference) in zip(Self.batches, Self.results) {
                var out = [Float](repeating: .nan, count: batch.q.count)
                var lse = [Float](repeating: .nan, count: batch.tokens * batch.heads)
                var dq = out
                var dk = [Float](repeating: .nan, count: batch.k.count)
                var dv = dk
                let width = batch.heads * batch.headSize
                let narrow = batch.kvHeads * batch.headSize
                batch.describe { attention in
                    #expect(pawl_attention_forward(pool, &out, width, &lse, attention) == PAWL_OK)
                    #expect(
                        pawl_attention_backward(
                            pool, &dq, width, &dk, narrow, &dv, narrow, batch.dout, width, out, width, lse,
                            attention) == PAWL_OK)
                }
                #expect(distance(out, reference.out) < 2e-6)
                #expect(largestError(lse, reference.lse) < 2e-5)
                #expect(distance(dq, reference.dq) < 5e-6 || largestError(dq, reference.dq) < 1e-6)
                #expect(distance(dk, reference.dk) < 5e-6 || largestError(dk, reference.dk) < 1e-6)
                #expect(distance(dv, reference.dv) < 2e-6)
            }
        }
    }

    @Test("the same bits for any number of threads")
    func threads() throws {
        let batch = Self.batches[2]
        let runs = try [Int32(1), 2, 4].map { threads in
            try withPool(threads: threads) { pool in
                var out = [Float](repeating: 0, count: batch.q.count)
                batch.describe { attention in
                    _ = pawl_attention_forward(pool, &out, batch.heads * batch.headSize, nil, attention)
                }
                return out.map(\.bitPattern)
            }
        }
        #expect(runs[0] == runs[1] && runs[0] == runs[2])
    }

    @Test("decoding equals the last row of the whole sequence", arguments: Setting.all)
    func decoding(_ setting: Setting) throws {
        let batches =
            Self.batches.filter { !$0.lengths.contains(0) && !$0.firstIsShared } + [
                AttentionReference(
                    heads: 3, kvHeads: 1, headSize: 24, lengths: [700, 3], prefix: 530, window: 0, seed: 27)
            ]
        try setting.run { pool in
            for batch in batches {
                let reference = batch.result(lastAlone: true)
                for type in [PAWL_F32, PAWL_BF16] {
                    let out = Self.decode(batch, type: type, pool: pool)
                    let width = batch.heads * batch.headSize
                    let expected = batch.starts.dropFirst().flatMap { end in
                        reference.out[(Int(end) - 1) * width..<Int(end) * width]
                    }
                    #expect(distance(out, Array(expected)) < (type == PAWL_F32 ? 2e-6 : 5e-2))
                }
            }
        }
    }

    /// The last token of each sequence over the keys of all its tokens.
    private static func decode(
        _ batch: AttentionReference, type: pawl_type, pool: OpaquePointer
    ) -> [Float] {
        let width = batch.heads * batch.headSize
        let narrow = batch.kvHeads * batch.headSize
        let size = type == PAWL_BF16 ? 2 : 4
        let caches = [batch.k, batch.v, batch.prefixK, batch.prefixV].map { values in
            let raw = UnsafeMutableRawPointer.allocate(byteCount: values.count * size + 1, alignment: 64)
            for (i, x) in values.enumerated() {
                if type == PAWL_BF16 {
                    raw.storeBytes(of: bf16([x])[0], toByteOffset: i * 2, as: UInt16.self)
                } else {
                    raw.storeBytes(of: x, toByteOffset: i * 4, as: Float.self)
                }
            }
            return raw
        }
        defer { caches.forEach { $0.deallocate() } }
        let q = batch.starts.dropFirst().flatMap { batch.q[(Int($0) - 1) * width..<Int($0) * width] }
        let keys = batch.starts.dropLast().map { UnsafeRawPointer?(caches[0] + Int($0) * narrow * size) }
        let values = batch.starts.dropLast().map { UnsafeRawPointer?(caches[1] + Int($0) * narrow * size) }
        let lengths = batch.lengths.map(Int32.init)
        var out = [Float](repeating: .nan, count: q.count)
        q.withUnsafeBufferPointer { q in
            keys.withUnsafeBufferPointer { keys in
                values.withUnsafeBufferPointer { values in
                    lengths.withUnsafeBufferPointer { lengths in
                        var decoding = pawl_decoding()
                        (decoding.q, decoding.ldq) = (q.baseAddress, width)
                        (decoding.k, decoding.v) = (keys.baseAddress, values.baseAddress)
                        (decoding.lengths, decoding.sequences) = (lengths.baseAddress, lengths.count)
                        (decoding.prefix_k, decoding.prefix_v) =
                            (UnsafeRawPointer(caches[2]), UnsafeRawPointer(caches[3]))
                        (decoding.prefix_length, decoding.type) = (batch.prefix, type)
                        (decoding.window, decoding.heads) = (batch.window, batch.heads)
                        (decoding.kv_heads, decoding.head_size) = (batch.kvHeads, batch.headSize)
                        decoding.scale = batch.scale
                        #expect(pawl_attention_decode(pool, &out, width, &decoding) == PAWL_OK)
                    }
                }
            }
        }
        return out
    }
}
