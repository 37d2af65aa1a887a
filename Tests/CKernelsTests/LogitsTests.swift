internal import CKernels
internal import Foundation
internal import Testing

@Suite("Rows of logits")
struct LogitsTests {
    static let shapes = [(1, 1), (3, 2), (4, 17), (2, 1030), (3, 5003)]

    static func softmax(_ x: ArraySlice<Float>, temperature: Double = 1) -> [Double] {
        let scaled = x.map { Double($0) / temperature }
        let top = scaled.max() ?? 0
        let powers = scaled.map { exp($0 - top) }
        let total = powers.reduce(0, +)
        return powers.map { $0 / total }
    }

    @Test("draws by running sums, never of weight 0", arguments: Setting.all)
    func draws(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 36)
            for (rows, v) in Self.shapes {
                // A third of the weights is 0. Some shares are at or beyond the end, where rounding leaves a rest.
                let x = random.floats(rows * v).map { max($0 + 0.33, 0) }
                for share in [0, 0.1, 0.5, 0.9, 0.999999, 1] {
                    let shares = (0..<rows).map { share * (1 - Double($0) * 1e-3) }
                    var out = [Int32](repeating: -1, count: rows)
                    var totals = [Double](repeating: .nan, count: rows)
                    pawl_draw(pool, &out, &totals, x, shares, rows, v)
                    for r in 0..<rows {
                        let row = x[r * v..<(r + 1) * v].map(Double.init)
                        let total = row.reduce(0, +)
                        #expect(abs(totals[r] - total) <= 1e-12 * total)
                        let drawn = Int(out[r])
                        guard total > 0 else {
                            #expect(drawn == 0)
                            continue
                        }
                        #expect(row[drawn] > 0)
                        let (low, high) = (row[..<drawn].reduce(0, +), row[...drawn].reduce(0, +))
                        #expect(low <= shares[r] * total * (1 + 1e-12))
                        #expect(share == 1 || high > shares[r] * total * (1 - 1e-12))
                        if share == 1, r == 0 { #expect(drawn == row.lastIndex { $0 > 0 }) }
                    }
                }
            }
        }
    }

    @Test("softmax, its logarithm and the likelihood of a token", arguments: Setting.all)
    func softmaxes(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 30)
            for (rows, v) in Self.shapes {
                let x = random.floats(rows * v, scale: 12)
                let expected = (0..<rows).flatMap { Self.softmax(x[$0 * v..<($0 + 1) * v], temperature: 0.7) }
                var out = x
                out.withUnsafeMutableBufferPointer {
                    pawl_softmax(pool, $0.baseAddress, $0.baseAddress, rows, v, 0.7)
                }
                #expect(distance(out, expected) < 3e-6)
                pawl_log_softmax(pool, &out, x, rows, v, 0.7)
                #expect(largestError(out, expected.map { log($0) }) < 1e-5)

                let targets = random.integers(rows, below: v)
                var likelihood = [Float](repeating: 0, count: rows)
                #expect(pawl_log_likelihood(pool, &likelihood, x, targets, rows, v) == PAWL_OK)
                let logs = (0..<rows).map { log(Self.softmax(x[$0 * v..<($0 + 1) * v])[Int(targets[$0])]) }
                #expect(largestError(likelihood, logs) < 1e-5)
            }
        }
    }

    @Test("a token that cannot occur has probability 0, and NaN shows", arguments: Setting.all)
    func extremes(_ setting: Setting) throws {
        try setting.run { pool in
            let x: [Float] = [0, -.infinity, 0, -1000, 1, .nan, 2, 3]
            var out = [Float](repeating: 7, count: 8)
            pawl_softmax(pool, &out, x, 2, 4, 1)
            #expect(out[0..<4] == [0.5, 0, 0.5, 0])
            #expect(out[4..<8].filter { $0.isNaN }.count == 4)
            var best = [Int32](repeating: -1, count: 2)
            pawl_argmax(pool, &best, x, 2, 4)
            #expect(best == [0, 1])
        }
    }

    @Test("argmax and top k: the lower index among equals", arguments: Setting.all)
    func largest(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 31)
            for (rows, v) in Self.shapes {
                // Few distinct values, so that many are equal.
                let x = random.integers(rows * v, below: 40).map { Float($0) - 50 }
                var best = [Int32](repeating: -1, count: rows)
                pawl_argmax(pool, &best, x, rows, v)
                for k in [1, min(20, v), v] where k < 100 {
                    var indices = [Int32](repeating: -1, count: rows * k)
                    var values = [Float](repeating: 0, count: rows * k)
                    #expect(pawl_top_k(pool, &indices, &values, x, rows, v, k) == PAWL_OK)
                    for r in 0..<rows {
                        let order = (0..<v).sorted { (x[r * v + $0], $1) > (x[r * v + $1], $0) }.prefix(k)
                        #expect(indices[r * k..<(r + 1) * k].map(Int.init) == Array(order))
                        #expect(values[r * k..<(r + 1) * k].elementsEqual(order.map { x[r * v + $0] }))
                        #expect(Int(best[r]) == order[0])
                    }
                }
                var untouched: [Float] = [5]
                #expect(pawl_top_k(pool, &best, &untouched, x, rows, v, v + 1) == PAWL_OUT_OF_RANGE)
                #expect(untouched == [5])
            }
        }
    }

    @Test("cross-entropy and its gradient, in place, with weights and ignored rows", arguments: Setting.all)
    func crossEntropy(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 32)
            for (rows, v) in Self.shapes {
                let x = random.floats(rows * v, scale: 8)
                var targets = random.integers(rows, below: v)
                if rows > 2 { targets[1] = -100 }
                let weights = random.floats(rows)
                var expected: [Double] = []
                var losses: [Double] = []
                for r in 0..<rows {
                    let p = Self.softmax(x[r * v..<(r + 1) * v])
                    let target = Int(targets[r])
                    losses.append(target < 0 ? 0 : -log(p[target]))
                    expected += p.indices.map {
                        target < 0 ? 0 : Double(weights[r]) * (p[$0] - ($0 == target ? 1 : 0))
                    }
                }
                var loss = [Float](repeating: 9, count: rows)
                var dx = x
                dx.withUnsafeMutableBufferPointer {
                    let status = pawl_cross_entropy(
                        pool, &loss, $0.baseAddress, $0.baseAddress, targets, weights, rows, v)
                    #expect(status == PAWL_OK)
                }
                #expect(largestError(loss, losses) < 1e-5)
                #expect(largestError(dx, expected) < 1e-6)
                #expect(
                    pawl_cross_entropy(pool, &loss, nil, x, [Int32(v)], nil, 1, v) == PAWL_OUT_OF_RANGE)
            }
        }
    }
}
