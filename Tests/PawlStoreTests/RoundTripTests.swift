import Foundation
import PawlCore
import Testing

@testable import PawlStore

@Suite struct RoundTripTests {
    @Test("every dtype comes back bit for bit, alone and as a delta", arguments: DType.allCases)
    func everyDType(dtype: DType) throws {
        try withTemporaryDirectory { directory in
            var random = SeededGenerator(seed: UInt64(dtype.bits))
            let store = try Store.create(at: directory.appending(path: "store"))
            // Two bytes: all patterns. Else random ones and the special values of every width.
            var bytes =
                dtype.bits == 16
                ? (0..<65536).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] } : random.bytes(3000)
            for (index, special) in Self.specials.enumerated() {
                bytes.replaceSubrange(
                    index * 8..<index * 8 + 8, with: withUnsafeBytes(of: special.littleEndian, Array.init))
            }
            let shape = [bytes.count * 8 / dtype.bits / 8, 8]
            bytes = Array(bytes.prefix(shape[0] * 8 * dtype.bits / 8))
            var changed = bytes
            for index in stride(from: 0, to: bytes.count, by: 7) {
                changed[index] = UInt8(truncatingIfNeeded: random.next())
            }

            var parent: Digest?
            for (index, version) in [bytes, changed].enumerated() {
                let source = directory.appending(path: "source\(index)")
                let tensor = SampleTensor(name: "t", dtype: dtype, shape: shape, bytes: version)
                try write(try safetensors([tensor]), source, "model.safetensors")
                let report = try store.importTree(
                    source, options: ImportOptions(parents: parent.map { [$0] } ?? []))
                try expectExport(store, report.tree, equals: source, directory)
                let digest = try #require(try store.tree(report.tree).pieces.last?.digest)
                #expect(try store.tensor(digest) == Tensor(dtype: dtype, shape: shape, bytes: version))
                parent = report.tree
            }
            #expect(try store.verify(deep: true).isEmpty)
        }
    }

    /// As 64-bit words: -0 and NaNs with payloads of every float width, all ones.
    static let specials: [UInt64] = [
        0x8000_0000_0000_0000, 0x8000_8000_8000_8000, 0x8000_0000_8000_0000, 0x7FF0_0000_0000_0001,
        0xFFF8_DEAD_BEEF_CAFE, 0x7F80_0001_FFC0_1234, 0x7F81_FFC1_7FFF_FF80, 0x7C01_FE37_7C00_FC00,
        0xFFFF_FFFF_FFFF_FFFF, 0,
    ]

    @Test(
        "random trees come back with bytes, modes, links and empty directories",
        arguments: 1...12 as ClosedRange<UInt64>)
    func randomTrees(seed: UInt64) throws {
        print("seed \(seed)")
        try withTemporaryDirectory { directory in
            var random = SeededGenerator(seed: seed)
            let store = try Store.create(at: directory.appending(path: "store"))
            let source = directory.appending(path: "source")
            try Files.createDirectory(source)
            try Self.fill(source, depth: 0, &random)
            let report = try store.importTree(source)
            try expectExport(store, report.tree, equals: source, directory, "seed \(seed)")
            let again = try store.importTree(source)
            #expect(again.tree == report.tree)
            #expect(again.storedBytes == 0)
            let cached = try store.materialise(report.tree)
            #expect(try snapshot(cached).mapValues(\.bytes) == snapshot(source).mapValues(\.bytes))
            #expect(try store.verify(deep: true).isEmpty)
        }
    }

    private static func fill(_ directory: URL, depth: Int, _ random: inout SeededGenerator) throws {
        let modes = [0o644, 0o600, 0o755, 0o444, 0o640]
        for index in 0..<Int.random(in: 0...4, using: &random) {
            let name =
                ["weights", "ä ö", "a\"b", "new\nline", "README.md", ".hidden", "日本"].randomElement(
                    using: &random) ?? ""
            let url = directory.appending(path: "\(name)\(index)")
            switch Int.random(in: 0..<5, using: &random) {
            case 0 where depth < 3:
                try Files.createDirectory(url)
                try fill(url, depth: depth + 1, &random)
                try FileAccess.setMode(random.next() % 2 == 0 ? 0o755 : 0o700, url.path)
            case 1:
                let target = directory.appending(path: "target\(index)")
                try write(random.bytes(Int.random(in: 0...99, using: &random)), directory, "target\(index)")
                try FileManager.default.createSymbolicLink(
                    atPath: url.path,
                    withDestinationPath: random.next() % 2 == 0 ? target.path : "target\(index)")
            case 2:
                let tensors = try (0..<Int.random(in: 0...3, using: &random)).map { number in
                    let dtype = try #require(DType.allCases.randomElement(using: &random))
                    let shape =
                        (0..<Int.random(in: 1...3, using: &random)).map { _ in
                            Int.random(in: 0...5, using: &random)
                        } + [4]
                    let count = try #require(dtype.byteCount(shape: shape))
                    return SampleTensor(
                        name: "t \(number)", dtype: dtype, shape: shape, bytes: random.bytes(count))
                }
                let bytes = try safetensors(tensors, padding: Int.random(in: 0...7, using: &random))
                try write(bytes, directory, url.lastPathComponent + ".safetensors")
            default:
                let size =
                    [0, 1, Int.random(in: 0...5000, using: &random)].randomElement(using: &random) ?? 0
                let bytes = random.next() % 2 == 0 ? random.bytes(size) : Array(repeating: 7, count: size)
                try write(
                    bytes, directory, url.lastPathComponent,
                    mode: modes.randomElement(using: &random) ?? 0o644)
            }
        }
    }

    @Test("a tensor of several blocks, larger than an object, is cut into parts and comes back")
    func parts() throws {
        try withTemporaryDirectory { directory in
            var random = SeededGenerator(seed: 9)
            var store = try Store.create(at: directory.appending(path: "store"))
            store.objectLimit = 3 << 19
            let source = directory.appending(path: "source")
            let bytes = random.bytes(2 << 20) + Array(repeating: 0, count: 1 << 20) + random.bytes(12345)
            let tensor = SampleTensor(name: "t", dtype: .u8, shape: [bytes.count], bytes: bytes)
            try write(try safetensors([tensor]), source, "model.safetensors")
            let tree = try store.importTree(source).tree
            try expectExport(store, tree, equals: source, directory)
            let parts = try store.objectNames().filter { try store.objectKind($0) == .part }
            #expect(parts.count >= 2)
            for object in try store.objectNames() {
                #expect(try store.openObject(object).size() <= store.objectLimit)
            }
            #expect(try store.verify(deep: true).isEmpty)
            // A part is named with what it belongs to.
            let part = store.url(ofObject: parts[0])
            try FileAccess.setMode(0o600, part.path)
            try Data([1]).write(to: part)
            let damage = try store.verify(deep: false)
            #expect(damage.count == 1 && damage.first?.names == ["model.safetensors: t"])
            #expect(
                pawlError { try store.exportTree(tree, to: directory.appending(path: "x")) }?.code == .corrupt
            )
            // Importing it again repairs it.
            _ = try store.importTree(source)
            #expect(try store.verify(deep: true).isEmpty)
        }
    }

    @Test("equal tensors and files are stored once, within a tree and between trees")
    func deduplication() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let first = directory.appending(path: "a")
            var tensors = try makeModel(first, seed: 1)
            tensors.append(
                SampleTensor(name: "lm_head", dtype: .bf16, shape: tensors[0].shape, bytes: tensors[0].bytes))
            try write(try safetensors(tensors), first, "model.safetensors")
            let a = try store.importTree(first)
            #expect(a.tensors == 3 && a.newTensors == 2)
            // The same tensors in another order, in two files, under other names.
            let second = directory.appending(path: "b")
            try write(try safetensors([tensors[1]]), second, "model-1.safetensors")
            try write(try safetensors([tensors[0]]), second, "model-2.safetensors")
            let b = try store.importTree(second)
            #expect(b.newTensors == 0 && b.tree != a.tree)
            try expectExport(store, b.tree, equals: second, directory)
        }
    }

    @Test("a tensor's digest is the documented one")
    func documentedDigest() {
        let bytes: [UInt8] = [1, 2, 3, 4]
        let digest = bytes.withUnsafeBytes { Blocks.tensorDigest(dtype: .bf16, shape: [1, 2], bytes: $0) }
        #expect(digest == Digest(of: Array("pawl tensor 1\nBF16\n1,2\n".utf8) + Digest(of: bytes).bytes))
    }
}
