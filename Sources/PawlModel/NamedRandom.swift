internal import PawlCore

/// Random numbers that a name decides: the same name, the same numbers, on every machine and in every run.
///
/// The name's SHA-256 seeds SplitMix64 (Steele, Lea and Flood 2014). A draw thus depends on what it is for (seed, step,
/// record), never on how many were drawn before it, which is what lets a killed training go on to the same bytes.
public struct NamedRandom: Sendable {
    private var state: UInt64

    public init(_ name: String) {
        state = Digest(of: name).bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// 64 uniform bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// The indices 0..<count in random order (Fisher and Yates; the bias of the multiplication is below count / 2^64).
    public mutating func shuffled(_ count: Int) -> [Int] {
        var result = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) {
            result.swapAt(last, Int(next().multipliedFullWidth(by: UInt64(last + 1)).high))
        }
        return result
    }
}
