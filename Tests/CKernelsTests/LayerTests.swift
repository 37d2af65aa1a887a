internal import CKernels
internal import Foundation
internal import Testing

@Suite("Embedding, RMSNorm and rotary embedding")
struct LayerTests {
    @Test("embedding gathers rows, and its gradient adds repeated tokens", arguments: Setting.all)
    func embedding(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 10)
            for (t, d, v) in [(1, 1, 1), (9, 17, 5), (70, 576, 11)] {
                let table = random.floats(v * d)
                let tokens = random.integers(t, below: v)
                var out = [Float](repeating: 0, count: t * d)
                #expect(pawl_embedding_forward(pool, &out, table, PAWL_F32, tokens, t, d, v) == PAWL_OK)
                #expect(out == tokens.flatMap { table[Int($0) * d..<Int($0 + 1) * d] })
                let rounded = bf16(table)
                #expect(pawl_embedding_forward(pool, &out, rounded, PAWL_BF16, tokens, t, d, v) == PAWL_OK)
                #expect(out == tokens.flatMap { widened(Array(rounded[Int($0) * d..<Int($0 + 1) * d])) })

                let dout = random.floats(t * d)
                var dtable = table
                #expect(pawl_embedding_backward(pool, &dtable, dout, tokens, t, d, v) == PAWL_OK)
                var expected = table.doubles
                for (i, token) in tokens.enumerated() {
                    for c in 0..<d { expected[Int(token) * d + c] += Double(dout[i * d + c]) }
                }
                #expect(largestError(dtable, expected) < 1e-5)
            }
        }
    }

    @Test("a token outside the vocabulary is refused and nothing is written", arguments: [Int32(-1), 3])
    func outside(_ token: Int32) throws {
        try withPool(threads: 2) { pool in
            let table = [Float](repeating: 1, count: 6)
            var out = [Float](repeating: 0, count: 4)
            #expect(
                pawl_embedding_forward(pool, &out, table, PAWL_F32, [0, token], 2, 2, 3) == PAWL_OUT_OF_RANGE)
            #expect(pawl_embedding_backward(pool, &out, table, [0, token], 2, 2, 3) == PAWL_OUT_OF_RANGE)
            #expect(out == [0, 0, 0, 0])
        }
    }

    /// out, 1/rms, dx and dweight of one norm, by their definitions in double.
    private static func norm(
        _ x: [Float], _ weight: [Float], _ dout: [Float], groups: Int, epsilon: Double
    ) -> (out: [Double], inverse: [Double], dx: [Double], dweight: [Double]) {
        let n = weight.count
        var out = x.doubles
        var dx = out
        var inverses: [Double] = []
        var dweight = [Double](repeating: 0, count: n)
        for g in 0..<x.count / n {
            let base = g * n
            let squares = (0..<n).reduce(0) { $0 + Double(x[base + $1]) * Double(x[base + $1]) }
            let r = 1 / (squares / Double(n) + epsilon).squareRoot()
            let along = (0..<n).reduce(0) {
                $0 + Double(dout[base + $1]) * Double(weight[$1]) * Double(x[base + $1])
            }
            for i in 0..<n {
                let value = Double(x[base + i])
                out[base + i] = value * r * Double(weight[i])
                dweight[i] += Double(dout[base + i]) * value * r
                dx[base + i] =
                    r * Double(weight[i]) * Double(dout[base + i]) - value * r * r * r / Double(n) * along
            }
            inverses.append(r)
        }
        return (out, inverses, dx, dweight)
    }

    @Test("RMSNorm and its gradients, whole rows and heads", arguments: Setting.all)
    func rmsnorm(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 11)
            for (rows, groups, n) in [(1, 1, 1), (5, 1, 37), (3, 4, 16), (40, 1, 576), (9, 3, 65)] {
                let width = groups * n
                let x = random.floats(rows * width, scale: 2)
                let weight = random.floats(n)
                let dout = random.floats(rows * width)
                let reference = Self.norm(x, weight, dout, groups: groups, epsilon: Double(Float(1e-5)))
                var out = [Float](repeating: 0, count: rows * width)
                var inverse = [Float](repeating: 0, count: rows * groups)
                pawl_rmsnorm_forward(
                    pool, &out, width, &inverse, x, width, weight, rows, groups, n, 1e-5)
                #expect(distance(out, reference.out) < 1e-6)
                #expect(distance(inverse, reference.inverse) < 1e-6)

                var dx = dout
                var dweight = weight
                pawl_rmsnorm_backward(
                    pool, &dx, width, false, &dweight, dout, width, x, width, weight, inverse, rows, groups, n
                )
                // One element alone has a gradient of nearly nothing: rounding of its two terms is left.
                #expect(largestError(dx, reference.dx) < (n == 1 ? 1e-5 : 3e-6))
                #expect(largestError(dweight, zip(weight, reference.dweight).map { Double($0) + $1 }) < 3e-5)

                var added = x
                pawl_rmsnorm_backward(
                    pool, &added, width, true, nil, dout, width, x, width, weight, inverse, rows, groups, n)
                #expect(largestError(added, zip(x, reference.dx).map { Double($0) + $1 }) < 1e-5)
            }
        }
    }

    @Test("RMSNorm in place over part of wider rows", arguments: Setting.all)
    func inPlace(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 12)
            let (rows, groups, n, ld) = (4, 2, 8, 21)
            let x = random.floats(rows * ld)
            let weight = random.floats(n)
            var out = x
            out.withUnsafeMutableBufferPointer { buffer in
                pawl_rmsnorm_forward(
                    pool, buffer.baseAddress, ld, nil, buffer.baseAddress, ld, weight, rows, groups, n, 1e-6)
            }
            var expected = x.doubles
            for r in 0..<rows {
                let part = Array(x[r * ld..<r * ld + groups * n])
                let norm = Self.norm(part, weight, part, groups: groups, epsilon: 1e-6)
                expected.replaceSubrange(r * ld..<r * ld + groups * n, with: norm.out)
            }
            #expect(largestError(out, expected) < 1e-6)
        }
    }

    @Test("rotation by the table, and back", arguments: Setting.all)
    func rope(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 13)
            for (t, heads, e) in [(1, 1, 2), (7, 3, 64), (5, 2, 10), (3, 1, 34)] {
                let half = e / 2
                let inverse = (0..<half).map { pow(10000, -Double(2 * $0) / Double(e)) }
                let positions = random.integers(t, below: 40)
                var cosine = [Float](repeating: 0, count: 40 * half)
                var sine = cosine
                pawl_rope_table(&cosine, &sine, inverse, half, 0, 40, 1.25)
                let ld = heads * e + 3
                let x = random.floats(t * ld)
                var out = x
                pawl_rope_forward(pool, &out, ld, positions, cosine, sine, t, heads, e)
                var expected = x.doubles
                for i in 0..<t {
                    for h in 0..<heads {
                        for c in 0..<half {
                            let angle = Double(Float(positions[i]) * Float(inverse[c]))
                            let at = i * ld + h * e + c
                            let (a, b) = (Double(x[at]), Double(x[at + half]))
                            expected[at] = 1.25 * (a * cos(angle) - b * sin(angle))
                            expected[at + half] = 1.25 * (b * cos(angle) + a * sin(angle))
                        }
                    }
                }
                #expect(largestError(out, expected) < 1e-6)
                pawl_rope_backward(pool, &out, ld, positions, cosine, sine, t, heads, e)
                let factors = x.indices.map { $0 % ld < heads * e ? 1.25 * 1.25 : 1 }
                #expect(largestError(out, zip(x, factors).map { Double($0) * $1 }) < 2e-6)
            }
        }
    }

    @Test("Angles of far positions are rounded as in fp32")
    func farPositions() {
        let inverse = [1, 0.30000001192092896]
        var (cosine, sine) = ([Float](repeating: 0, count: 4), [Float](repeating: 0, count: 4))
        pawl_rope_table(&cosine, &sine, inverse, 2, 8190, 2, 1)
        for (index, position) in [8190, 8191].enumerated() {
            for (c, frequency) in inverse.enumerated() {
                let angle = Double(Float(position) * Float(frequency))
                #expect(abs(Double(cosine[index * 2 + c]) - cos(angle)) < 1e-7)
                #expect(abs(Double(sine[index * 2 + c]) - sin(angle)) < 1e-7)
            }
        }
        // In double this sine differs by more than twice the tolerance.
        #expect(abs(sin(8191 * inverse[1]) - sin(Double(Float(8191) * Float(inverse[1])))) > 2e-7)
    }
}
