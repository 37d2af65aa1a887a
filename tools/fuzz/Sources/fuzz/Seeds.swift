internal import Foundation
internal import PawlCore

@testable import PawlRecords
@testable import PawlStore

/// Inputs to begin with: what the writers write, so that the fuzzer starts behind the first checks.
enum Seeds {
    static func write(to directory: URL) throws {
        for (target, inputs) in try all() {
            let place = directory.appending(path: target.rawValue)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            for input in inputs {
                try Data(input).write(to: place.appending(path: String(Digest(of: input).hex.prefix(16))))
            }
        }
    }

    private static func all() throws -> [Target: [[UInt8]]] {
        let documents = try [
            #"{"entries":[],"type":"tree","version":1}"#,
            #"{"entries":[{"kind":"directory","mode":493,"path":"a"},{"blob":"\#(digest)","kind":"file","mode":420,"path":"a/b","size":3},{"header":"\#(digest)","kind":"safetensors","mode":420,"path":"m.safetensors","size":24,"tensors":[{"digest":"\#(digest)","dtype":"BF16","name":"w","shape":[2,2]}]}],"type":"tree","version":1}"#,
            #"{"actor":"a","body":{"documents":["\#(digest)"]},"checkpoint":"\#(digest)","format":1,"kind":"init","previous":null,"sequence":1,"time":"2026-11-23T10:00:00.000Z","type":"journal_entry"}"#,
            #"{"created":"2026-11-23T10:00:00.000Z","digest":"\#(digest)","format":1,"origin":"base","type":"checkpoint"}"#,
            #"{"a":[1,-2.5e3,true,null,"é\n\"\\"],"b":{}}"#,
        ].map { Array($0.utf8) }
        var (full, delta, trips): ([[UInt8]], [[UInt8]], [[UInt8]]) = ([], [], [])
        for (index, dtype) in DType.allCases.enumerated() {
            for coder in 0..<2 {
                let prefix = [UInt8(index), UInt8(coder)]
                full += try payloads(dtype, coder, isDelta: false).map { prefix + $0 }
                delta += try payloads(dtype, coder, isDelta: true).map { prefix + $0 }
                trips.append(
                    prefix + [UInt8(coder), 0] + block(96, seed: index) + block(96, seed: index + 1))
            }
        }
        return [
            .safetensors: safetensors, .full: full, .delta: delta, .roundTrip: trips, .head: try heads(),
            .fold: (0..<3).map { [3, UInt8($0), 0, 0, 0, 0, 0, 64] + block(300, seed: $0) },
            .tree: documents, .journal: documents, .json: documents,
        ]
    }

    private static let digest = String(repeating: "0f", count: 32)

    /// Bytes as weights have them: small numbers of either sign.
    private static func block(_ count: Int, seed: Int) -> [UInt8] {
        (0..<count).map { index in
            let mixed = UInt64(index &* 2 &+ seed &+ 1) &* 0x9E37_79B9_7F4A_7C15
            return index % 2 == 1
                ? UInt8(0x3B + mixed >> 40 % 3) | UInt8(mixed >> 60 & 8) << 4
                : UInt8(truncatingIfNeeded: mixed >> 32)
        }
    }

    /// Payloads of blocks of several lengths, behind their number of elements.
    private static func payloads(_ dtype: DType, _ coder: Int, isDelta: Bool) throws -> [[UInt8]] {
        let codecs: [any TensorCodec] = [FieldCodec(), PlaneCodec()]
        let coder = try codecs[coder].makeCoder()
        return try [8, 200, 4000].compactMap { count in
            guard let size = dtype.byteCount(shape: [count]) else { return nil }
            let raw = block(size, seed: 1)
            let payload = try raw.withUnsafeBytes { raw in
                try isDelta
                    ? block(size, seed: 2).withUnsafeBytes {
                        try coder.encodeDelta(raw, base: $0, dtype: dtype)
                    }
                    : coder.encodeFull(raw, dtype: dtype)
            }
            return payload.map { [UInt8(truncatingIfNeeded: count), UInt8(count >> 8)] + $0 }
        }
    }

    private static let safetensors = [
        #"{"w":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}}"#,
        #"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}} "#,
    ].map { header in
        var bytes: [UInt8] = []
        bytes.append(littleEndian: UInt64(header.utf8.count))
        return bytes + Array(header.utf8) + block(8, seed: 4)
    }

    private static func heads() throws -> [[UInt8]] {
        let (object, raw) = (Digest(of: "object"), block(64, seed: 3))
        let tensor = TensorHead.Source(object: object, tensor: object)
        let row = Digest(of: raw)
        return try [BlockEncoding.raw, .delta, .folded].map { encoding in
            let isBased = encoding != .raw
            let folds = encoding == .folded ? [TensorHead.Fold(a: tensor, b: tensor, scale: 1)] : []
            let header = TensorHead.Header(
                tensor: Blocks.tensorDigest(dtype: .bf16, shape: [4, 8], blocks: [row]), dtype: .bf16,
                shape: [4, 8],
                depth: isBased ? 2 : 1, base: isBased ? tensor : nil, folds: folds,
                codec: FieldCodec().identity, parts: [])
            let payload = encoding.hasPayload ? raw : []
            let block = TensorHead.Block(encoding: encoding, length: payload.count, digest: row)
            return try TensorHead(header: header, blocks: [block]).encoded() + payload
        }
    }
}
