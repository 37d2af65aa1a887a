internal import CCodec
internal import PawlCore

/// Writes the streams of payloads, each in the smallest way that a sample promises; for one thread.
final class StreamPacker {
    let zstd: Zstd
    private let output = Scratch(Zstd.bound(Blocks.size) + (1 << 16))
    private let picked = Scratch(StreamPacker.sampleSize)
    private let attempt = Scratch(Zstd.bound(StreamPacker.sampleSize))

    /// Bytes that decide whether a long stream is compressed at all.
    private static let sampleSize = 16 << 10
    /// Parts that they are taken from, each long enough for a run to show.
    private static let stretches = 16

    init(zstd: Zstd) { self.zstd = zstd }

    /// Appends a stream that entropy coding is expected to shrink; `cuts` is where new frames begin.
    func append(
        _ stream: UnsafeRawBufferPointer, to payload: inout PayloadWriter, cuts: [Int] = [],
        _ strategy: Zstd.Strategy = .entropyInSmallBlocks
    ) throws {
        var size = 0
        var start = 0
        if stream.count > 24 {
            for end in cuts + [stream.count] where end > start {
                let frame = UnsafeRawBufferPointer(rebasing: stream[start..<end])
                size += try zstd.compress(
                    frame, into: UnsafeMutableRawBufferPointer(rebasing: output.memory[size...]), strategy)
                start = end
            }
        }
        if size > 0, size < stream.count {
            payload.appendStream(.zstd, UnsafeRawBufferPointer(output.prefix(size)))
        } else {
            payload.appendStream(.raw, stream)
        }
    }

    /// Appends a stream that may well be noise: a sample tells. Returns whether it is.
    func appendSampled(_ stream: UnsafeRawBufferPointer, to payload: inout PayloadWriter) throws -> Bool {
        guard let strategy = try winner(stream) else {
            payload.appendStream(.raw, stream)
            return true
        }
        try append(stream, to: &payload, strategy)
        return false
    }

    /// What makes a sample of a stream smallest; nil when nothing takes half a per cent off it.
    ///
    /// The sample is of stretches all over it: some rows of a matrix may be unlike the others.
    private func winner(_ stream: UnsafeRawBufferPointer) throws -> Zstd.Strategy? {
        let size = min(stream.count, Self.sampleSize)
        var sample = stream
        if size < stream.count {
            let stretch = size / Self.stretches
            for number in 0..<Self.stretches {
                let start = (stream.count - stretch) / (Self.stretches - 1) * number
                let place = UnsafeMutableRawBufferPointer(
                    rebasing: picked.memory[stretch * number..<stretch * (number + 1)])
                place.copyMemory(from: UnsafeRawBufferPointer(rebasing: stream[start..<start + stretch]))
            }
            sample = UnsafeRawBufferPointer(picked.prefix(size))
        }
        let entropy = try zstd.compress(sample, into: attempt.memory, .entropyInSmallBlocks)
        let matches = try zstd.compress(sample, into: attempt.memory, .matches(level: 1))
        guard min(entropy, matches) + size / 200 < size else { return nil }
        return matches < entropy ? .matches(level: 1) : .entropyInSmallBlocks
    }

    /// Where to begin new frames in bytes that are made of groups ending at `ends`: as many groups go into a frame
    /// as are alike enough to share a table.
    static func cuts(_ bytes: UnsafeRawBufferPointer, ends: [Int]) -> [Int] {
        let none = [UInt32](repeating: 0, count: 256)
        var cuts: [Int] = []
        var (frame, frameCost, start) = (none, 0.0, 0)
        for end in ends where end > start {
            let group = count(bytes, start..<end, from: none)
            let joint = zip(frame, group).map { $0 + $1 }
            let (cost, jointCost) = (pawl_cost(group), pawl_cost(joint))
            if start > 0, frameCost + cost < jointCost {
                cuts.append(start)
                (frame, frameCost) = (group, cost)
            } else {
                (frame, frameCost) = (joint, jointCost)
            }
            start = end
        }
        return cuts
    }

    private static func count(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, from: [UInt32])
        -> [UInt32]
    {
        var counts = from
        let slice = UnsafeRawBufferPointer(rebasing: bytes[range])
        pawl_bytes_count(&counts, slice.baseAddress, slice.count)
        return counts
    }
}
