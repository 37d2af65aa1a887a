import Foundation
import PawlCore
import Testing

@testable import PawlStore

/// SplitMix64: the same numbers for the same seed everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { withUnsafeBytes(of: next()) { bytes.append(contentsOf: $0) } }
        return Array(bytes.prefix(count))
    }
}

/// A directory of its own for a test, removed at the end.
func withTemporaryDirectory<R>(_ body: (URL) throws -> R) throws -> R {
    let url = FileManager.default.temporaryDirectory.appending(path: "pawl-store-\(UUID().uuidString)")
    try Files.createDirectory(url)
    defer { try? Store.removeTree(url) }
    return try body(url)
}

/// The same for a test that waits.
func withTemporaryDirectory<R>(_ body: (URL) async throws -> R) async throws -> R {
    let url = FileManager.default.temporaryDirectory.appending(path: "pawl-store-\(UUID().uuidString)")
    try Files.createDirectory(url)
    defer { try? Store.removeTree(url) }
    return try await body(url)
}

/// A tensor to put into a safetensors file.
struct SampleTensor {
    var name: String
    var dtype: DType
    var shape: [Int]
    var bytes: [UInt8]

    /// Random small bf16 numbers, as weights are.
    static func weights(_ name: String, _ shape: [Int], _ random: inout SeededGenerator) -> SampleTensor {
        let count = shape.reduce(1, *)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(2 * count)
        for _ in 0..<count {
            let bits = UInt64.random(in: 0..<(1 << 20), using: &random)
            bytes.append(UInt8(truncatingIfNeeded: bits))
            bytes.append(UInt8(truncatingIfNeeded: 0x3B + (bits >> 8) % 3 | bits >> 12 & 0x80))
        }
        return SampleTensor(name: name, dtype: .bf16, shape: shape, bytes: bytes)
    }

    /// The tensor after a training step: one element in four moves a little.
    func trained(_ random: inout SeededGenerator) -> SampleTensor {
        var copy = self
        for i in stride(from: 0, to: bytes.count, by: 2) where random.next() % 4 == 0 {
            copy.bytes[i] &+= UInt8(truncatingIfNeeded: random.next() % 3 &- 1)
        }
        return copy
    }
}

/// The bytes of a safetensors file.
func safetensors(_ tensors: [SampleTensor], padding: Int = 0) throws -> [UInt8] {
    var members: [String: JSONValue] = ["__metadata__": ["format": "pt"]]
    var data: [UInt8] = []
    for tensor in tensors {
        let end = data.count + tensor.bytes.count
        members[tensor.name] = [
            "dtype": .string(tensor.dtype.rawValue), "shape": .array(tensor.shape.map { .int(Int64($0)) }),
            "data_offsets": [.int(Int64(data.count)), .int(Int64(end))],
        ]
        data += tensor.bytes
    }
    return safetensors(
        header: try JSON.canonical(JSONValue.object(members)) + Array(repeating: 0x20, count: padding),
        data: data)
}

/// The bytes of a safetensors file with any header.
func safetensors(header: [UInt8], data: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: UInt64(header.count))
    return bytes + header + data
}

/// Writes a file, with the directories above it.
func write(_ bytes: [UInt8], _ directory: URL, _ path: String, mode: Int = 0o644) throws {
    let url = directory.appending(path: path)
    try Files.createDirectory(url.deletingLastPathComponent())
    try Data(bytes).write(to: url)
    try FileAccess.setMode(mode, url.path)
}

/// Everything in a directory by path: mode and bytes, nil for a directory; links are followed.
func snapshot(_ directory: URL) throws -> [String: Snapshot] {
    var found: [String: Snapshot] = [:]
    func visit(_ url: URL, _ path: String) throws {
        for name in try FileAccess.names(in: url.path) {
            let child = url.appending(path: name)
            let childPath = path.isEmpty ? name : path + "/" + name
            guard let status = try FileStatus(child.path, followLinks: true) else { continue }
            if status.kind == .directory {
                found[childPath] = Snapshot(mode: status.mode, bytes: nil)
                try visit(child, childPath)
            } else {
                found[childPath] = Snapshot(mode: status.mode, bytes: try Files.read(child))
            }
        }
    }
    try visit(directory, "")
    return found
}

struct Snapshot: Hashable {
    let mode: Int
    let bytes: [UInt8]?
}

/// A directory like a small model: two tensors of weights, a configuration, a tokenizer.
func makeModel(_ directory: URL, seed: UInt64, elements: Int = 300) throws -> [SampleTensor] {
    var random = SeededGenerator(seed: seed)
    let tensors = [
        SampleTensor.weights("model.embed", [elements, 2], &random),
        SampleTensor.weights("model.norm", [elements], &random),
    ]
    try write(try safetensors(tensors), directory, "model.safetensors")
    try write(Array(#"{"hidden_size":2}"#.utf8), directory, "config.json")
    try write(random.bytes(200), directory, "tokenizer/vocabulary.bin")
    return tensors
}

/// The next checkpoint of a model in a directory of its own.
func trainModel(
    _ tensors: [SampleTensor], _ from: URL, _ to: URL, seed: UInt64
) throws -> [SampleTensor] {
    var random = SeededGenerator(seed: seed)
    try FileManager.default.copyItem(at: from, to: to)
    let trained = tensors.map { $0.trained(&random) }
    try write(try safetensors(trained), to, "model.safetensors")
    return trained
}

/// Expects an export of a tree to be what was imported.
func expectExport(
    _ store: Store, _ tree: Digest, equals source: URL, _ scratch: URL, _ comment: Comment? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let target = scratch.appending(path: "export-\(UUID().uuidString)")
    try store.exportTree(tree, to: target)
    #expect(try snapshot(target) == snapshot(source), comment, sourceLocation: sourceLocation)
    try Store.removeTree(target)
}

/// The error that a call throws.
func pawlError(
    _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) -> PawlError? {
    do {
        try body()
        Issue.record("nothing was thrown: \(comment?.rawValue ?? "")", sourceLocation: sourceLocation)
        return nil
    } catch let error as PawlError {
        return error
    } catch {
        Issue.record("\(error) is no PawlError", sourceLocation: sourceLocation)
        return nil
    }
}
