import Foundation
import PawlCore

/// Safetensors shards with the tensors of a Llama of 7B, in bf16, of any number of layers.
struct LlamaShards {
    private struct Tensor {
        let name: String
        let shape: [Int]
        var byteCount: Int { shape.reduce(2, *) }
    }

    /// Raw bytes of the tensors, about.
    let byteCount: Int
    /// Bytes that are written, the first ones; behind them are holes.
    let denseBytes: Int

    private static let shardBytes = 5_000_000_000
    private static let (hidden, inner, words) = (4096, 11008, 32000)

    /// Writes the shards to a new directory.
    func write(to directory: URL) throws {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        var (shard, left, dense) = ([Tensor](), byteCount, denseBytes)
        var number = 0
        func close() throws {
            guard !shard.isEmpty else { return }
            number += 1
            let file = directory.appending(path: "model-\(number).safetensors")
            try write(shard, to: file, dense: &dense)
            shard = []
        }
        for tensor in tensors() {
            guard left > 0 else { break }
            left -= tensor.byteCount
            shard.append(tensor)
            if shard.reduce(0, { $0 + $1.byteCount }) > Self.shardBytes { try close() }
        }
        try close()
    }

    private func tensors() -> some Sequence<Tensor> {
        let (hidden, inner) = (Self.hidden, Self.inner)
        let embed = Tensor(name: "model.embed_tokens.weight", shape: [Self.words, hidden])
        let layers = (0..<1000).lazy.flatMap { layer -> [Tensor] in
            func part(_ name: String, _ shape: [Int]) -> Tensor {
                Tensor(name: "model.layers.\(layer).\(name).weight", shape: shape)
            }
            return ["q", "k", "v", "o"].map { part("self_attn.\($0)_proj", [hidden, hidden]) } + [
                part("mlp.gate_proj", [inner, hidden]), part("mlp.up_proj", [inner, hidden]),
                part("mlp.down_proj", [hidden, inner]), part("input_layernorm", [hidden]),
                part("post_attention_layernorm", [hidden]),
            ]
        }
        return [[embed], Array(layers)].joined()
    }

    private func write(_ tensors: [Tensor], to file: URL, dense: inout Int) throws {
        var (offset, entries) = (0, [String]())
        for tensor in tensors {
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            let described = #"{"dtype":"BF16","shape":[\#(shape)],"data_offsets":[\#(offset),"#
            entries.append("\"\(tensor.name)\":\(described)\(offset + tensor.byteCount)]}")
            offset += tensor.byteCount
        }
        var header = Array("{\(entries.joined(separator: ","))}".utf8)
        header += Array(repeating: 0x20, count: (8 - header.count % 8) % 8)
        let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
        try Data(length + header).write(to: file)
        let handle = try FileHandle(forWritingTo: file)
        defer { try? handle.close() }
        try handle.truncate(atOffset: UInt64(8 + header.count + offset))
        var place = 8 + header.count
        for tensor in tensors {
            try handle.seek(toOffset: UInt64(place))
            // No two tensors are the same: each begins with its name.
            let mark = Data(tensor.name.utf8.prefix(tensor.byteCount))
            if dense > 0 {
                for written in stride(from: 0, to: tensor.byteCount, by: Self.tile.count) {
                    try handle.write(contentsOf: Self.tile.prefix(tensor.byteCount - written))
                }
                dense -= tensor.byteCount
                try handle.seek(toOffset: UInt64(place))
            }
            try handle.write(contentsOf: mark)
            place += tensor.byteCount
        }
    }

    /// 8 MB of bf16 numbers, normally distributed about zero with a deviation of 0.02, as weights are.
    private static let tile: Data = {
        var random = SplitMix(state: 1)
        var words: [UInt16] = []
        words.reserveCapacity(4 << 20)
        for _ in 0..<(4 << 20) {
            let sum = (0..<12).reduce(Float(-6)) { sum, _ in sum + Float.random(in: 0..<1, using: &random) }
            words.append(UInt16(truncatingIfNeeded: (0.02 * sum).bitPattern >> 16))
        }
        return words.withUnsafeBytes { Data($0) }
    }()
}

/// The same numbers every time.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
