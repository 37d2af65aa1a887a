internal import CKernels
internal import Foundation
internal import Testing

@Suite("Matrix products")
struct ProductTests {
    /// Edges of the blocks (32, 256 rows; 64, 1024 columns) and sizes that are no multiple of anything.
    static let shapes = [
        (1, 1, 1), (3, 5, 7), (33, 70, 17), (8, 64, 129), (9, 130, 64), (289, 65, 9), (5, 1100, 3),
    ]

    /// op(A) · op(B) in double, with rows `ld` apart.
    static func product(
        _ a: [Float], _ lda: Int, _ aTransposed: Bool, _ b: [Float], _ ldb: Int, _ bTransposed: Bool,
        _ m: Int, _ n: Int, _ k: Int
    ) -> [Double] {
        var c = [Double](repeating: 0, count: m * n)
        for i in 0..<m {
            for t in 0..<k {
                let left = Double(a[aTransposed ? t * lda + i : i * lda + t])
                for j in 0..<n { c[i * n + j] += left * Double(b[bTransposed ? j * ldb + t : t * ldb + j]) }
            }
        }
        return c
    }

    @Test("every orientation, type and accumulation", arguments: [Int32(1), 3])
    func orientations(_ threads: Int32) throws {
        try withPool(threads: threads) { pool in
            var random = Random(seed: 50)
            for (m, n, k) in Self.shapes {
                for (aTransposed, bTransposed) in [
                    (false, false), (false, true), (true, false), (true, true),
                ] {
                    let (lda, ldb, ldc) = ((aTransposed ? m : k) + 3, (bTransposed ? k : n) + 1, n + 2)
                    let a = random.floats((aTransposed ? k : m) * lda)
                    let b = random.floats((bTransposed ? n : k) * ldb)
                    let before = random.floats(m * ldc)
                    for (type, add) in [
                        (PAWL_F32, false), (PAWL_F32, true), (PAWL_BF16, false), (PAWL_BF16, true),
                    ] {
                        let rounded = type == PAWL_BF16
                        let (x, y) = rounded ? (widened(bf16(a)), widened(bf16(b))) : (a, b)
                        let sums = Self.product(x, lda, aTransposed, y, ldb, bTransposed, m, n, k)
                        var expected = before.doubles
                        for i in 0..<m * n {
                            let at = i / n * ldc + i % n
                            expected[at] = sums[i] + (add ? expected[at] : 0)
                        }
                        var c = before
                        let status =
                            rounded
                            ? pawl_product(
                                pool, &c, ldc, bf16(a), lda, aTransposed, bf16(b), ldb, bTransposed, type, m,
                                n, k,
                                add)
                            : pawl_product(
                                pool, &c, ldc, a, lda, aTransposed, b, ldb, bTransposed, type, m, n, k, add)
                        #expect(status == PAWL_OK)
                        #expect(
                            distance(c, expected) < 2e-6,
                            "\(m) \(n) \(k) \(aTransposed) \(bTransposed) \(add)")
                    }
                }
            }
        }
    }

    @Test("a product over tokens is cut at 512 and 32, and adds up", arguments: [Int32(1), 2])
    func overTokens(_ threads: Int32) throws {
        try withPool(threads: threads) { pool in
            var random = Random(seed: 51)
            for tokens in [1, 31, 512, 1000] {
                let a = random.floats(tokens * 20)
                let b = random.floats(tokens * 9)
                var c = [Float](repeating: 1, count: 20 * 9)
                #expect(
                    pawl_product(pool, &c, 9, a, 20, true, b, 9, false, PAWL_F32, 20, 9, tokens, true)
                        == PAWL_OK)
                let expected = Self.product(a, 20, true, b, 9, false, 20, 9, tokens).map { $0 + 1 }
                #expect(distance(c, expected) < 2e-6)
            }
        }
    }

    @Test("nothing to sum: zeros, or what was there")
    func empty() throws {
        try withPool(threads: 2) { pool in
            var c: [Float] = [1, 2, 3]
            #expect(
                pawl_product(pool, &c, 3, [Float](), 1, false, [Float](), 3, false, PAWL_F32, 1, 2, 0, true)
                    == PAWL_OK)
            #expect(c == [1, 2, 3])
            #expect(
                pawl_product(pool, &c, 3, [Float](), 1, false, [Float](), 3, false, PAWL_F32, 1, 2, 0, false)
                    == PAWL_OK)
            #expect(c == [0, 0, 3])
            #expect(
                pawl_product(pool, &c, 3, [Float](), 1, false, [Float](), 3, false, PAWL_F32, 0, 2, 1, false)
                    == PAWL_OK)
        }
    }

    @Test("packed weights, both directions, refilled, from fp32 and bf16", arguments: [Int32(1), 3])
    func packed(_ threads: Int32) throws {
        try withPool(threads: threads) { pool in
            var random = Random(seed: 52)
            for (rows, out, into) in [(1, 1, 1), (7, 130, 33), (40, 65, 50), (289, 70, 9)] {
                for direction in [PAWL_FORWARD, PAWL_BACKWARD] {
                    for type in [PAWL_F32, PAWL_BF16] {
                        let packed = try #require(pawl_packed_create(pool, out, into, type, direction))
                        defer { pawl_packed_destroy(packed) }
                        #expect(pawl_packed_bytes(packed) >= out * into * (type == PAWL_F32 ? 4 : 2))
                        for source in [PAWL_F32, PAWL_BF16] {
                            let w = random.floats(out * into)
                            let filled =
                                source == PAWL_F32
                                ? pawl_packed_fill(pool, packed, w, source)
                                : pawl_packed_fill(pool, packed, bf16(w), source)
                            #expect(filled == PAWL_OK)
                            let exact = type == PAWL_F32 && source == PAWL_F32
                            try check(
                                pool, packed, exact ? w : widened(bf16(w)), rows, out, into, direction, type,
                                &random)
                        }
                    }
                }
            }
        }
    }

    private func check(
        _ pool: OpaquePointer, _ packed: OpaquePointer, _ w: [Float], _ rows: Int, _ out: Int, _ into: Int,
        _ direction: pawl_direction, _ type: pawl_type, _ random: inout Random
    ) throws {
        let forward = direction == PAWL_FORWARD
        let (k, n) = forward ? (into, out) : (out, into)
        let a = random.floats(rows * (k + 1))
        let before = random.floats(rows * n)
        let roundsInput = type == PAWL_BF16 && pawl_bf16_is_native()
        for aType in [PAWL_F32, PAWL_BF16] {
            let x = aType == PAWL_BF16 || roundsInput ? widened(bf16(a)) : a
            let expected = Self.product(x, k + 1, false, w, into, forward, rows, n, k)
            for add in [false, true] {
                var c = before
                let status =
                    aType == PAWL_F32
                    ? pawl_packed_product(pool, &c, n, a, k + 1, aType, packed, rows, add)
                    : pawl_packed_product(pool, &c, n, bf16(a), k + 1, aType, packed, rows, add)
                #expect(status == PAWL_OK)
                let sums = zip(expected, before).map { add ? $0 + Double($1) : $0 }
                #expect(distance(c, sums) < 2e-6)
            }
        }
    }

    /// Edges of the groups of rows (4, 8), of the blocks (24 outputs, 768 terms) and of the vectors.
    static let fewRows = [
        (1, 1, 1), (1, 100, 576), (3, 7, 33), (13, 50, 65), (8, 3, 1537), (40, 31, 16), (9, 25, 768),
        (65, 26, 769),
        (4, 300, 31), (7, 24, 2304),
    ]

    @Test("few rows with weights as they are stored", arguments: Setting.all)
    func small(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 53)
            for (rows, n, k) in Self.fewRows {
                let a = random.floats(rows * (k + 2))
                let w = random.floats(n * k)
                let before = random.floats(rows * (n + 1))
                for (type, weights) in [(PAWL_F32, w), (PAWL_BF16, widened(bf16(w)))] {
                    let sums = Self.product(a, k + 2, false, weights, k, true, rows, n, k)
                    for add in [false, true] {
                        var c = before
                        if type == PAWL_F32 {
                            pawl_small_product(pool, &c, n + 1, a, k + 2, w, type, rows, n, k, add)
                        } else {
                            pawl_small_product(pool, &c, n + 1, a, k + 2, bf16(w), type, rows, n, k, add)
                        }
                        var expected = before.doubles
                        for i in 0..<rows * n {
                            let at = i / n * (n + 1) + i % n
                            expected[at] = sums[i] + (add ? expected[at] : 0)
                        }
                        #expect(distance(c, expected) < 2e-6, "\(rows) \(n) \(k) \(type) \(add)")
                    }
                }
            }
        }
    }

    @Test(
        "a row's bits do not depend on the other rows, the threads or the weights' type",
        arguments: Setting.all)
    func rowsAlone(_ setting: Setting) throws {
        var random = Random(seed: 55)
        for (rows, n, k) in Self.fewRows {
            let a = random.floats(rows * k)
            let rounded = bf16(random.floats(n * k))
            let w = widened(rounded)
            var together = [Float](repeating: .nan, count: rows * n)
            var alone = together
            try setting.run {
                pawl_small_product($0, &together, n, a, k, rounded, PAWL_BF16, rows, n, k, false)
            }
            try withPool(threads: 1, isa: setting.isa) { pool in
                for row in 0..<rows {
                    alone.withUnsafeMutableBufferPointer { c in
                        pawl_small_product(
                            pool, c.baseAddress! + row * n, n, Array(a[row * k..<(row + 1) * k]), k, w,
                            PAWL_F32, 1, n,
                            k, false)
                    }
                }
            }
            #expect(together.map(\.bitPattern) == alone.map(\.bitPattern), "\(rows) \(n) \(k)")
        }
    }

    @Test("the same bits again, and a pool used by several threads at once")
    func again() async throws {
        var random = Random(seed: 54)
        let a = random.floats(100 * 70)
        let w = random.floats(90 * 70)
        let pool = Shared(pool: try #require(pawl_pool_create(3, PAWL_ISA_BEST)))
        defer { pawl_pool_destroy(pool.pool) }
        let results = await withTaskGroup(of: [UInt32].self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var c = [Float](repeating: 0, count: 100 * 90)
                    _ = pawl_product(
                        pool.pool, &c, 90, a, 70, false, w, 70, true, PAWL_F32, 100, 90, 70, false)
                    return c.map(\.bitPattern)
                }
            }
            return await group.reduce(into: Set<[UInt32]>()) { $0.insert($1) }
        }
        #expect(results.count == 1)
    }

    /// A pool guards itself, so that its handle may cross to other threads.
    private struct Shared: @unchecked Sendable {
        let pool: OpaquePointer
    }
}
