internal import CKernels
internal import Foundation

/// Numbers of a seed, the same everywhere (SplitMix64).
struct Random {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func bits() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// Uniform in -scale ..< scale.
    mutating func floats(_ count: Int, scale: Float = 1) -> [Float] {
        (0..<count).map { _ in Float(Double(bits() >> 11) * 0x1p-53 * 2 - 1) * scale }
    }

    mutating func integers(_ count: Int, below bound: Int) -> [Int32] {
        (0..<count).map { _ in Int32(bits() % UInt64(bound)) }
    }
}

struct NoPool: Error {}

/// Runs the body with a pool of threads, which ends with it.
func withPool<Result>(
    threads: Int32, isa: pawl_isa = PAWL_ISA_BEST, _ body: (OpaquePointer) throws -> Result
) throws -> Result {
    guard let pool = pawl_pool_create(threads, isa) else { throw NoPool() }
    defer { pawl_pool_destroy(pool) }
    return try body(pool)
}

/// An instruction set of this processor and a number of threads.
struct Setting: CustomStringConvertible, Sendable {
    let isa: pawl_isa
    let threads: Int32

    var description: String { "instruction set \(isa.rawValue), \(threads) threads" }

    func run(_ body: (OpaquePointer) throws -> Void) throws {
        try withPool(threads: threads, isa: isa, body)
    }

    /// Every instruction set that this processor has, each with one thread and with three.
    static let all: [Setting] = [PAWL_ISA_BASELINE, PAWL_ISA_AVX2, PAWL_ISA_AVX512]
        .filter { pawl_isa_available($0) }
        .flatMap { isa in [1, 3].map { Setting(isa: isa, threads: $0) } }
}

/// The relative L2 distance of a result from a reference; infinite when one has a value that is not finite.
func distance(_ result: [Float], _ reference: [Double]) -> Double {
    precondition(result.count == reference.count, "\(result.count) results, \(reference.count) references")
    var difference = 0.0
    var size = 0.0
    for (x, y) in zip(result, reference) {
        difference += (Double(x) - y) * (Double(x) - y)
        size += y * y
    }
    guard difference.isFinite else { return .infinity }
    return size == 0 ? difference.squareRoot() : (difference / size).squareRoot()
}

/// The largest absolute difference; infinite when a result is not finite.
func largestError(_ result: [Float], _ reference: [Double]) -> Double {
    precondition(result.count == reference.count, "\(result.count) results, \(reference.count) references")
    return zip(result, reference).reduce(0) { worst, pair in
        let error = abs(Double(pair.0) - pair.1)
        return error.isNaN ? .infinity : max(worst, error)
    }
}

/// bf16 by the definition: the nearest of the two neighbours, ties to the even one.
func roundedToBF16(_ x: Float) -> Float {
    guard x.isFinite else { return x }
    let low = Float(bitPattern: x.bitPattern & 0xffff_0000)
    let high = Float(bitPattern: low.bitPattern &+ 0x1_0000)
    // Above the largest finite value the next step counts as one more spacing, as IEEE 754 has it.
    let top =
        high.isFinite ? Double(high) : Double(low) * 2 - Double(Float(bitPattern: low.bitPattern - 0x1_0000))
    let toLow = abs(Double(x) - Double(low))
    let toHigh = abs(top - Double(x))
    if toLow != toHigh { return toLow < toHigh ? low : high }
    return (low.bitPattern >> 16) & 1 == 0 ? low : high
}

func bf16(_ values: [Float]) -> [UInt16] { values.map { UInt16(roundedToBF16($0).bitPattern >> 16) } }
func widened(_ values: [UInt16]) -> [Float] { values.map { Float(bitPattern: UInt32($0) << 16) } }

extension [Float] {
    var doubles: [Double] { map(Double.init) }
}
