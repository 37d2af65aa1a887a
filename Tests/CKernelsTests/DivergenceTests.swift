internal import CKernels
internal import Foundation
internal import Testing

@Suite("Divergence of teacher and student")
struct DivergenceTests {
    static let kinds: [pawl_divergence_settings] = [
        .init(kind: PAWL_FORWARD_KL, beta: 0, temperature: 1),
        .init(kind: PAWL_REVERSE_KL, beta: 0, temperature: 1),
        .init(kind: PAWL_JENSEN_SHANNON, beta: 0.5, temperature: 1),
        .init(kind: PAWL_FORWARD_KL, beta: 0, temperature: 2),
        .init(kind: PAWL_REVERSE_KL, beta: 0, temperature: 0.5),
        .init(kind: PAWL_JENSEN_SHANNON, beta: 0.1, temperature: 1.7),
    ]

    /// The divergence over the elements of p and q, which need not sum to 1.
    static func divergence(_ p: [Double], _ q: [Double], _ settings: pawl_divergence_settings) -> Double {
        func term(_ a: Double, _ b: Double) -> Double { a == 0 ? 0 : a * log(a / b) }
        switch settings.kind {
        case PAWL_FORWARD_KL: return zip(p, q).reduce(0) { $0 + term($1.0, $1.1) }
        case PAWL_REVERSE_KL: return zip(p, q).reduce(0) { $0 + term($1.1, $1.0) }
        default:
            let beta = Double(settings.beta)
            return zip(p, q).reduce(0) { sum, pair in
                let m = beta * pair.0 + (1 - beta) * pair.1
                return sum + beta * term(pair.0, m) + (1 - beta) * term(pair.1, m)
            }
        }
    }

    /// The loss and its gradient for the student's logits, the latter by differences of the loss in double.
    static func reference(
        _ student: [Double], loss: ([Double]) -> Double
    ) -> (loss: Double, gradient: [Double]) {
        let gradient = student.indices.map { i in
            var moved = student
            let step = 1e-5
            moved[i] = student[i] + step
            let above = loss(moved)
            moved[i] = student[i] - step
            return (above - loss(moved)) / (2 * step)
        }
        return (loss(student), gradient)
    }

    static func softmax(_ x: [Double], _ temperature: Float) -> [Double] {
        let top = x.max() ?? 0
        let powers = x.map { exp(($0 - top) / Double(temperature)) }
        let total = powers.reduce(0, +)
        return powers.map { $0 / total }
    }

    @Test("loss and gradient over the whole vocabulary", arguments: Setting.all)
    func whole(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 40)
            for settings in Self.kinds {
                for v in [1, 2, 19, 130] {
                    let rows = 3
                    let student = random.floats(rows * v, scale: 5)
                    let teacher = random.floats(rows * v, scale: 5)
                    let weights: [Float] = [1, 0, -0.25]
                    var loss = [Float](repeating: 9, count: rows)
                    var dx = student
                    dx.withUnsafeMutableBufferPointer {
                        pawl_divergence(
                            pool, &loss, $0.baseAddress, $0.baseAddress, teacher, weights, rows, v, settings)
                    }
                    for r in 0..<rows {
                        let p = Self.softmax(
                            Array(teacher[r * v..<(r + 1) * v]).doubles, settings.temperature)
                        let expected = Self.reference(Array(student[r * v..<(r + 1) * v]).doubles) {
                            Self.divergence(p, Self.softmax($0, settings.temperature), settings)
                        }
                        let weight = Double(weights[r])
                        #expect(abs(Double(loss[r]) - (weight == 0 ? 0 : expected.loss)) < 5e-6)
                        let gradient = expected.gradient.map { $0 * weight }
                        #expect(largestError(Array(dx[r * v..<(r + 1) * v]), gradient) < 2e-6)
                    }
                    var alone = [Float](repeating: 0, count: rows)
                    pawl_divergence(pool, &alone, nil, student, teacher, weights, rows, v, settings)
                    #expect(alone == loss)
                }
            }
        }
    }

    @Test("loss and gradient over the teacher's top K", arguments: Setting.all)
    func topK(_ setting: Setting) throws {
        try setting.run { pool in
            var random = Random(seed: 41)
            for settings in Self.kinds {
                for (v, k) in [(1, 1), (40, 1), (40, 7), (33, 33)] {
                    let student = random.floats(v, scale: 5)
                    let all = random.floats(v, scale: 5)
                    var support = [Int32](repeating: 0, count: k)
                    var teacher = [Float](repeating: 0, count: k)
                    #expect(pawl_top_k(pool, &support, &teacher, all, 1, v, k) == PAWL_OK)
                    let p = Self.softmax(teacher.doubles, settings.temperature)
                    for renormalise in [true, false] {
                        var loss: [Float] = [9]
                        var dx = student
                        let status = dx.withUnsafeMutableBufferPointer {
                            pawl_divergence_top_k(
                                pool, &loss, $0.baseAddress, $0.baseAddress, support, teacher, [0.5], 1, v, k,
                                renormalise, settings)
                        }
                        #expect(status == PAWL_OK)
                        let expected = Self.reference(student.doubles) { x in
                            let inside = support.map { x[Int($0)] }
                            let all = Self.softmax(x, settings.temperature)
                            let q =
                                renormalise
                                ? Self.softmax(inside, settings.temperature) : support.map { all[Int($0)] }
                            return Self.divergence(p, q, settings)
                        }
                        #expect(abs(Double(loss[0]) - expected.loss) < 5e-6)
                        #expect(largestError(dx, expected.gradient.map { $0 * 0.5 }) < 2e-6)
                    }
                }
            }
            var loss: [Float] = [0]
            #expect(
                pawl_divergence_top_k(
                    pool, &loss, nil, [1, 2], [2], [1], nil, 1, 2, 1, true, Self.kinds[0])
                    == PAWL_OUT_OF_RANGE)
        }
    }

    @Test(
        "equal teacher and student: no loss, no gradient; tokens that cannot occur do no harm",
        arguments: kinds)
    func equal(_ settings: pawl_divergence_settings) throws {
        try withPool(threads: 1) { pool in
            var random = Random(seed: 42)
            var x = random.floats(1000, scale: 9)
            x[3] = -.infinity
            x[999] = -1e9
            var loss: [Float] = [9]
            var dx = [Float](repeating: 9, count: 1000)
            pawl_divergence(pool, &loss, &dx, x, x, nil, 1, 1000, settings)
            #expect(abs(loss[0]) < 1e-7)
            #expect(largestError(dx, [Double](repeating: 0, count: 1000)) < 1e-7)
        }
    }
}
