internal import CCodec
internal import Foundation

/// Which bits of the words go to the entropy coder, judged by a sample.
struct FieldPlan {
    /// Bits of a word that stay as they are: 6 or 8.
    let restBits: Int32
    /// The joint value of symbol 0.
    let top: UInt32
    /// Number of symbols that stand for a joint value.
    let window: UInt32

    /// Elements that are looked at: all of a few, or four stretches.
    private static let sample = (stretches: 4, elements: 8 << 10)

    init(_ words: UnsafePointer<UInt16>, _ count: Int) {
        let fine = Self.counts(words, count)
        // With two mantissa bits fewer, four joint values become one.
        let coarse = stride(from: 0, to: fine.count, by: 4).map { fine[$0..<$0 + 4].reduce(0, +) }
        let total = Double(max(fine.reduce(0, +), 1))
        let (best6, best8) = (Self.best(fine, total, step: 4), Self.best(coarse, total, step: 1))
        // libzstd takes bytes for noise of which none is more frequent than one in 120.
        let isPeaked = Double(fine.max() ?? 0) > total / 60
        let isFine = isPeaked && best6.bits + 6 * total < best8.bits + 8 * total
        restBits = isFine ? 6 : 8
        top = UInt32(isFine ? best6.top : best8.top)
        window = UInt32(isFine ? best6.window : best8.window)
    }

    private static func counts(_ words: UnsafePointer<UInt16>, _ count: Int) -> [Int] {
        var (sum, part) = ([Int](repeating: 0, count: 1024), [UInt32](repeating: 0, count: 1024))
        let whole = sample.stretches * sample.elements
        let starts = count <= whole ? [0] : (0..<sample.stretches).map { count / sample.stretches * $0 }
        for start in starts {
            pawl_fields_count(&part, words + start, count <= whole ? count : sample.elements, 6)
            for value in part.indices { sum[value] += Int(part[value]) }
        }
        return sum
    }

    /// The window with the smallest estimate, of a multiple of `step` symbols that all differ from one another.
    private static func best(_ counts: [Int], _ total: Double, step: Int) -> (
        bits: Double, top: Int, window: Int
    ) {
        // Some too large values become escapes rather than symbols of their own.
        var (top, above) = (counts.count - 1, 0)
        while top > 0, Double(above + counts[top]) <= total / 16384 {
            above += counts[top]
            top -= 1
        }
        top = min(counts.count - 1, top / step * step + step - 1)
        // What is outside the window is written by exponent, and its lower bits as they are.
        let groups = stride(from: 0, to: counts.count, by: step).map { counts[$0..<$0 + step].reduce(0, +) }
        var outside = groups.reduce(0.0) { $0 + weight($1) }
        var (inside, insideCount, excess) = (0.0, 0, 0.0)
        var best = (bits: Double.infinity, top: top, window: 1)
        for window in 1...min(255, top + 1) {
            let symbol = counts[top - window + 1]
            inside += bits(symbol, total)
            excess += surplus(symbol, total)
            insideCount += symbol
            guard window % step == 0 else { continue }
            outside -= weight(groups[(top - window + 1) / step])
            let escapes = Int(total) - insideCount
            // Two bits more for the time that an escape takes.
            let escaped = max(weight(escapes) - outside, Double(escapes)) + Double(escapes * (step / 2 + 2))
            // A code of at most 11 bits a symbol takes room from the others.
            let share = min(0.9, excess + surplus(escapes, total))
            let estimate =
                inside + bits(escapes, total) - total * log2(1 - share) + escaped + Double(4 * window)
            if estimate < best.bits { best = (estimate, top, window) }
        }
        return best
    }

    /// n log n: what n numbers of one kind save of n times the logarithm of all.
    private static func weight(_ count: Int) -> Double {
        count == 0 ? 0 : Double(count) * log2(Double(count))
    }

    /// Bits of so many equal symbols: a Huffman code of libzstd has 1 to 11 bits each.
    private static func bits(_ count: Int, _ total: Double) -> Double {
        count == 0 ? 0 : Double(count) * max(1, min(11, -log2(Double(count) / total)))
    }

    /// What the shortest share that such a code can give a symbol takes beyond the symbol's own.
    private static func surplus(_ count: Int, _ total: Double) -> Double {
        count == 0 ? 0 : max(0, 1.0 / 2048 - Double(count) / total)
    }
}
