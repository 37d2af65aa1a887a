import Foundation
import PawlCore
import Synchronization

/// Sizes and rates of the store's codec in memory, beside zstd's and the entropies that limit both.
///
///     codec-rates [--repeats N] [--codecs NAME,NAME] FILE          a file on its own
///     codec-rates [--repeats N] [--codecs NAME,NAME] FILE BASE     as the difference to another of the same tensors
///
/// Sizes are per cent of the raw tensors. Rates are megabytes of raw tensors a second, medians: with one thread by
/// the time that it ran, with two by the clock. Every block is compared with what it was.
@main
struct CodecRates {
    static let codecs: [(name: String, codec: any TensorCodec)] = [
        ("fields", FieldCodec()), ("fast", FieldCodec(level: .fastReading)),
        ("smallest", FieldCodec(level: .smallest)), ("planes", PlaneCodec()),
        ("zstd-1", ZstdPeer(level: 1, planes: false)), ("zstd-3", ZstdPeer(level: 3, planes: false)),
        ("bitx", ZstdPeer(level: 3, planes: true)),
    ]

    static func main() throws {
        var arguments = Array(CommandLine.arguments.dropFirst())
        let repeats = option("--repeats", &arguments).flatMap { Int($0) } ?? 5
        let names = option("--codecs", &arguments)?.split(separator: ",").map(String.init)
        guard let path = arguments.first, arguments.count <= 2 else {
            throw PawlError(.usage, "codec-rates [--repeats N] [--codecs NAME,NAME] FILE [BASE]")
        }
        let file = try WeightFile(path)
        let base = arguments.count == 2 ? try WeightFile(arguments[1]) : nil
        print("\(file.name)\(base.map { " from \($0.name)" } ?? ""), \(file.size / 1_000_000) MB")
        print("| codec | size % | encode 1 thread | 2 threads | decode 1 thread | 2 threads |")
        print("|---|---|---|---|---|---|")
        for (name, codec) in codecs where names?.contains(name) ?? (base != nil || name != "bitx") {
            let one = try Measurement.run(codec, file, base, threads: 1, repeats: repeats)
            let two = try Measurement.run(codec, file, base, threads: 2, repeats: repeats)
            print("| \(name) | \(one.size) | \(one.encode) | \(two.encode) | \(one.decode) | \(two.decode) |")
        }
        printLimit(file, base)
    }

    private static func printLimit(_ file: WeightFile, _ base: WeightFile?) {
        let shifts: [DType: UInt16] = [.bf16: 7, .f16: 10]
        let large = file.blocks.max { $0.range.count < $1.range.count }
        guard let dtype = large?.dtype, let shift = shifts[dtype] else { return }
        let blocks = file.blocks.indices.filter { file.blocks[$0].dtype == dtype }
        let bits =
            base.map { Limits.delta(file, base: $0, blocks, exponentShift: shift) }
            ?? Limits.full(file, blocks, exponentShift: shift)
        let name = base == nil ? "H(exponent) + H(sign, mantissa)" : "H(difference, base's exponent known)"
        print("| limit: \(name) | \(String(format: "%.2f", 100 * bits / 8 / Double(file.size))) | | | | |")
    }

    private static func option(_ name: String, _ arguments: inout [String]) -> String? {
        guard let index = arguments.firstIndex(of: name), index + 1 < arguments.count else { return nil }
        defer { arguments.removeSubrange(index...index + 1) }
        return arguments[index + 1]
    }
}

/// One codec on one file.
struct Measurement {
    let size: String
    let encode: String
    let decode: String

    static func run(
        _ codec: any TensorCodec, _ file: WeightFile, _ base: WeightFile?, threads: Int, repeats: Int
    )
        throws -> Measurement
    {
        var (encodings, decodings): ([Double], [Double]) = ([], [])
        var bytes = 0
        for _ in 0..<repeats {
            let encoded = Mutex([EncodedBlock?](repeating: nil, count: file.blocks.count))
            encodings.append(
                try time(threads, file.blocks.count) { block, worker in
                    let result = try encode(codec, file, base, block, worker)
                    encoded.withLock { $0[block] = result }
                })
            let blocks = encoded.withLock { $0.compactMap { $0 } }
            bytes = blocks.reduce(0) { $0 + $1.payload.count }
            decodings.append(
                try time(threads, file.blocks.count) { block, worker in
                    try decode(codec, blocks[block], file, base, block, worker)
                })
            try check(codec, blocks, file, base)
        }
        func rate(_ seconds: [Double]) -> String {
            String(Int(Double(file.size) / 1e6 / seconds.sorted()[seconds.count / 2]))
        }
        let percent = 100 * Double(bytes) / Double(file.size)
        return Measurement(
            size: String(format: "%.2f", percent), encode: rate(encodings), decode: rate(decodings))
    }

    /// Scratch memory of one thread, warm from the first block on.
    final class Worker {
        let result = Scratch()
        private var coder: (any BlockCoder)?
        func coder(_ codec: any TensorCodec) throws -> any BlockCoder {
            if let coder { return coder }
            let made = try codec.makeCoder()
            coder = made
            return made
        }
    }

    /// Seconds that all blocks take.
    private static func time(_ threads: Int, _ blocks: Int, _ body: @Sendable (Int, Worker) throws -> Void)
        throws
        -> Double
    {
        let clock = threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC
        let next = Atomic(0)
        let begin = now(clock)
        try Parallel.forEach(threads) { _ in
            let worker = Worker()
            while true {
                let block = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard block < blocks else { return }
                try body(block, worker)
            }
        }
        return now(clock) - begin
    }

    private static func now(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func encode(
        _ codec: any TensorCodec, _ file: WeightFile, _ base: WeightFile?, _ block: Int, _ worker: Worker
    ) throws -> EncodedBlock {
        let dtype = file.blocks[block].dtype
        return try file.withBytes(block) { new in
            guard let base else { return try worker.coder(codec).encode(new, dtype: dtype, base: nil) }
            return try base.withBytes(block) { try worker.coder(codec).encode(new, dtype: dtype, base: $0) }
        }
    }

    private static func decode(
        _ codec: any TensorCodec, _ encoded: EncodedBlock, _ file: WeightFile, _ base: WeightFile?,
        _ block: Int,
        _ worker: Worker
    ) throws {
        let place = file.blocks[block]
        let result = worker.result.prefix(place.range.count)
        if encoded.encoding.needsBase { base?.withBytes(block) { result.copyMemory(from: $0) } }
        try encoded.payload.withUnsafeBytes { payload in
            switch encoded.encoding {
            case .raw: result.copyMemory(from: payload)
            // Nothing that a codec encodes is folded.
            case .same, .folded: break
            case .full: try worker.coder(codec).decodeFull(payload, dtype: place.dtype, into: result)
            case .delta: try worker.coder(codec).decodeDelta(payload, dtype: place.dtype, onto: result)
            }
        }
    }

    private static func check(
        _ codec: any TensorCodec, _ blocks: [EncodedBlock], _ file: WeightFile, _ base: WeightFile?
    ) throws {
        let worker = Worker()
        for block in blocks.indices {
            try decode(codec, blocks[block], file, base, block, worker)
            let isEqual = file.withBytes(block) { original in
                original.equals(UnsafeRawBufferPointer(worker.result.prefix(original.count)))
            }
            guard isEqual else {
                throw PawlError(.internalError, "block \(block) of \(file.name) is not restored")
            }
        }
    }
}
