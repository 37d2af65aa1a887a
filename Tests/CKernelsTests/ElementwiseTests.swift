internal import CKernels
internal import Foundation
internal import Testing

@Suite("Element-wise kernels")
struct ElementwiseTests {
    /// Around the vector widths, and past one piece of work.
    static let counts = [0, 1, 3, 15, 16, 17, 63, 100, 16384, 16391]

    @Test("bf16 rounds to nearest even and keeps NaN and infinity", arguments: Setting.all)
    func rounding(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 1)
            var values: [Float] = [
                0, -0.0, 1, -1, .infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude,
                Float(bitPattern: 0x3f80_8000), Float(bitPattern: 0x3f81_8000),
                Float(bitPattern: 0x3f80_7fff),
                Float(bitPattern: 0x3f80_8001),
            ]
            values += (0..<5000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.bits())) }
                .filter { !$0.isNaN }
            values.append(.nan)
            values.append(Float(bitPattern: 0x7f80_0001))
            values.append(Float(bitPattern: 0xffff_ffff))
            var out = [UInt16](repeating: 0, count: values.count)
            pawl_bf16_from_f32(pool, &out, values, values.count)
            var wrong: [String] = []
            for (x, y) in zip(values, out) {
                let back = Float(bitPattern: UInt32(y) << 16)
                let right =
                    x.isNaN
                    ? back.isNaN && back.sign == x.sign : back.bitPattern == roundedToBF16(x).bitPattern
                if !right { wrong.append("\(x): \(back)") }
            }
            #expect(wrong == [])
            var wide = [Float](repeating: 0, count: out.count)
            pawl_f32_from_bf16(pool, &wide, out, out.count)
            #expect(wide.map(\.bitPattern) == widened(out).map(\.bitPattern))
        }
    }

    @Test("every half-precision number widens to itself", arguments: Setting.all)
    func half(_ setting: Setting) throws {
        try setting.run { pool in
            let all = (0...UInt16.max).map { $0 }
            var out = [Float](repeating: 0, count: all.count)
            pawl_f32_from_f16(pool, &out, all, all.count)
            var wrong: [String] = []
            for (bits, value) in zip(all, out) {
                let exponent = Int(bits >> 10) & 31
                let mantissa = Double(bits & 1023)
                let size =
                    exponent == 31
                    ? (mantissa == 0 ? Double.infinity : .nan)
                    : exponent == 0 ? mantissa * 0x1p-24 : (1024 + mantissa) * pow(2, Double(exponent - 25))
                let expected = Float(bits >> 15 == 0 ? size : -size)
                let same = expected.isNaN ? value.isNaN : expected.bitPattern == value.bitPattern
                if !same { wrong.append("\(bits): \(value), not \(expected)") }
            }
            #expect(wrong == [])
        }
    }

    @Test("sums, scaling, averages and norms match double loops", arguments: Setting.all)
    func simple(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 2)
            for count in Self.counts {
                let x = random.floats(count, scale: 3)
                let y = random.floats(count, scale: 3)
                var out = x
                pawl_add(pool, &out, y, count)
                #expect(largestError(out, zip(x, y).map { Double($0) + Double($1) }) < 1e-6)
                out = x
                pawl_scale(pool, &out, 0.37, count)
                #expect(largestError(out, x.map { Double($0) * Double(Float(0.37)) }) < 1e-6)
                out = x
                pawl_ema(pool, &out, y, 0.05, count)
                #expect(
                    largestError(out, zip(x, y).map { Double($0) + 0.05 * (Double($1) - Double($0)) }) < 1e-6)
                let norm = x.doubles.reduce(0) { $0 + $1 * $1 }
                #expect(abs(pawl_squared_norm(pool, x, count) - norm) <= 1e-13 * norm)
            }
        }
    }

    @Test("the squared norm is the same bits for any number of threads")
    func norm() throws {
        var random = Random(seed: 3)
        let x = random.floats(300_001)
        let norms = try [Int32(1), 2, 5].map { threads in
            try withPool(threads: threads) { pawl_squared_norm($0, x, x.count) }
        }
        #expect(Set(norms.map(\.bitPattern)).count == 1)
    }

    @Test("SwiGLU and its gradient, with rows apart and in place", arguments: Setting.all)
    func swiglu(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 4)
            for (rows, f) in [(1, 1), (3, 17), (5, 64), (40, 1003)] {
                let ld = 2 * f + 3
                var both = random.floats(rows * ld, scale: 6)
                both[0] = 100
                if rows > 1 { both[(rows - 1) * ld] = -100 }
                let dout = random.floats(rows * f)
                var out = [Float](repeating: 0, count: rows * f)
                var expected: [Double] = []
                var gradient = both.doubles
                for r in 0..<rows {
                    for i in 0..<f {
                        let g = Double(both[r * ld + i])
                        let u = Double(both[r * ld + f + i])
                        let d = Double(dout[r * f + i])
                        let s = 1 / (1 + exp(-g))
                        expected.append(g * s * u)
                        gradient[r * ld + i] = d * u * s * (1 + g * (1 - s))
                        gradient[r * ld + f + i] = d * g * s
                    }
                }
                both.withUnsafeMutableBufferPointer { buffer in
                    guard let base = buffer.baseAddress else { return }
                    pawl_swiglu_forward(pool, &out, base, base + f, ld, rows, f)
                    pawl_swiglu_backward(pool, base, base + f, dout, base, base + f, ld, rows, f)
                }
                #expect(distance(out, expected) < 1e-6)
                #expect(distance(both, gradient) < 1e-6)
            }
        }
    }

    @Test("bias, its gradient and row sums leave what lies between rows alone", arguments: Setting.all)
    func bias(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 5)
            for (rows, n) in [(1, 1), (7, 5), (33, 130)] {
                let ld = n + 2
                let x = random.floats(rows * ld)
                let b = random.floats(n)
                var out = x
                pawl_bias_add(pool, &out, ld, b, rows, n)
                let expected = x.indices.map { i in
                    Double(x[i]) + (i % ld < n ? Double(b[i % ld]) : 0)
                }
                #expect(largestError(out, expected) < 1e-6)
                var db = b
                pawl_bias_backward(pool, &db, x, ld, rows, n)
                let sums = (0..<n).map { c in (0..<rows).reduce(Double(b[c])) { $0 + Double(x[$1 * ld + c]) }
                }
                #expect(largestError(db, sums) < 1e-5)
                var totals = [Double](repeating: 0, count: rows)
                pawl_row_sums(pool, &totals, x, ld, rows, n)
                for r in 0..<rows {
                    #expect(abs(totals[r] - (0..<n).reduce(0) { $0 + Double(x[r * ld + $1]) }) < 1e-12)
                }
            }
        }
    }

    @Test("ten AdamW steps match the definition in double", arguments: Setting.all)
    func adamw(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 6)
            for count in [1, 17, 16390] {
                var w = random.floats(count)
                var m = [Float](repeating: 0, count: count)
                var v = m
                var rounded = [UInt16](repeating: 0, count: count)
                var reference = w.doubles
                var m64 = m.doubles
                var v64 = m64
                for step in 1...10 {
                    let g = random.floats(count, scale: 0.3)
                    var settings = pawl_adamw_settings(
                        learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1,
                        gradient_scale: 0.5, step: Int64(step))
                    pawl_adamw(pool, &w, &m, &v, g, &rounded, count, &settings)
                    for i in 0..<count {
                        let d = Double(g[i]) * 0.5
                        m64[i] = 0.9 * m64[i] + 0.1 * d
                        v64[i] = 0.999 * v64[i] + 0.001 * d * d
                        let first = m64[i] / (1 - pow(0.9, Double(step)))
                        let second = v64[i] / (1 - pow(0.999, Double(step)))
                        reference[i] -= 1e-3 * 0.1 * reference[i]
                        reference[i] -= 1e-3 * first / (second.squareRoot() + 1e-8)
                    }
                }
                #expect(largestError(w, reference) < 1e-6)
                #expect(distance(m, m64) < 1e-6)
                #expect(distance(v, v64) < 1e-6)
                #expect(rounded == bf16(w))
            }
        }
    }
}
