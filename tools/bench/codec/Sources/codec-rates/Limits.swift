import Foundation

/// What an ideal coder could do with the same contexts, of 16-bit floats: bits of whole files.
enum Limits {
    /// H(exponent | 64 Ki block) + H(sign, mantissa | exponent, file).
    static func full(_ file: WeightFile, _ blocks: [Int], exponentShift: UInt16) -> Double {
        let mask = UInt16(0x7FFF)
        var joint: [Int: Int] = [:]
        var bits = 0.0
        for block in blocks {
            file.withBytes(block) { bytes in
                let words = bytes.assumingMemoryBound(to: UInt16.self)
                for start in stride(from: 0, to: words.count, by: 64 << 10) {
                    var exponents = [Int](repeating: 0, count: 256)
                    for word in words[start..<min(start + 64 << 10, words.count)] {
                        exponents[Int((word & mask) >> exponentShift)] += 1
                        joint[Int(word), default: 0] += 1
                    }
                    bits += entropy(exponents)
                }
            }
        }
        var exponents: [Int: Int] = [:]
        for (word, count) in joint {
            exponents[(word & Int(mask)) >> Int(exponentShift), default: 0] += count
        }
        return bits + entropy(Array(joint.values)) - entropy(Array(exponents.values))
    }

    /// H(zigzag of the difference | exponent of the parent, block).
    static func delta(_ file: WeightFile, base: WeightFile, _ blocks: [Int], exponentShift: UInt16) -> Double
    {
        var bits = 0.0
        for block in blocks {
            file.withBytes(block) { new in
                base.withBytes(block) { old in
                    let (new, old) = (
                        new.assumingMemoryBound(to: Int16.self), old.assumingMemoryBound(to: Int16.self)
                    )
                    var counts = [[Int: Int]](repeating: [:], count: 256)
                    for (x, y) in zip(new, old) {
                        let context = Int((UInt16(bitPattern: y) & 0x7FFF) >> exponentShift)
                        counts[context][Int(ordered(x) &- ordered(y)), default: 0] += 1
                    }
                    for context in counts { bits += entropy(Array(context.values)) }
                }
            }
        }
        return bits
    }

    private static func ordered(_ x: Int16) -> Int16 { x ^ (x >> 15 & 0x7FFF) }

    /// Bits that so many of each need.
    static func entropy(_ counts: [Int]) -> Double {
        let total = Double(counts.reduce(0, +))
        return counts.reduce(0.0) { $1 == 0 ? $0 : $0 - Double($1) * log2(Double($1) / total) }
    }
}
