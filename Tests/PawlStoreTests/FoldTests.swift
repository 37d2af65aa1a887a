import Foundation
import PawlCore
import Testing

@testable import PawlStore

/// Low-rank updates folded into tensors, and restored to the bit.
@Suite struct FoldTests {
    /// An adapter for one tensor or several in a directory of its own.
    private static func adapter(_ tensors: [SampleTensor], _ directory: URL) throws -> URL {
        let place = directory.appending(path: "adapter-\(UUID().uuidString)")
        try write(try safetensors(tensors), place, "adapter_model.safetensors")
        try write(Array(#"{"r":2}"#.utf8), place, "adapter_config.json")
        return place
    }

    private static func fold(
        _ store: Store, _ parent: Digest, _ adapter: URL, _ updates: [LowRankUpdate],
        _ options: ImportOptions = ImportOptions()
    ) throws -> ImportReport {
        try store.foldTree(
            parent, adapter: adapter, file: "adapter_model.safetensors", updates: updates, options: options)
    }

    private static func update(_ tensor: String, scale: Float = 2) -> LowRankUpdate {
        LowRankUpdate(
            file: "model.safetensors", tensor: tensor, a: "\(tensor).A", b: "\(tensor).B", scale: scale)
    }

    /// Factors of a tensor in fp32.
    private static func factors(
        _ tensor: String, _ rows: Int, _ columns: Int, rank: Int, _ random: inout SeededGenerator
    ) -> [SampleTensor] {
        func factor(_ name: String, _ shape: [Int]) -> SampleTensor {
            let numbers = (0..<shape[0] * shape[1]).map { _ in Float.random(in: -0.1...0.1, using: &random) }
            return SampleTensor(
                name: "\(tensor).\(name)", dtype: .f32, shape: shape,
                bytes: numbers.withUnsafeBytes { Array($0) })
        }
        return [factor("A", [rank, columns]), factor("B", [rows, rank])]
    }

    @Test("one update and a second one on it give NumPy's bits", arguments: ["bf16", "f16", "f32"])
    func reference(type: String) throws {
        let fixture = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/fold/reference.safetensors")
        let bytes = try Files.read(fixture)
        let layout = try SafetensorsLayout(size: bytes.count, name: "fixture") { Array(bytes[$0]) }
        func sample(_ key: String, as name: String) throws -> SampleTensor {
            let entry = try #require(layout.tensors.first { $0.name == "\(type).\(key)" })
            return SampleTensor(
                name: name, dtype: entry.dtype, shape: entry.shape, bytes: Array(bytes[entry.range]))
        }
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let model = directory.appending(path: "model")
            try write(try safetensors([sample("start", as: "w")]), model, "model.safetensors")
            var tree = try store.importTree(model).tree
            for (index, scale) in [Float(2), 0.3].enumerated() {
                let adapter = try Self.adapter(
                    [sample("a\(index)", as: "w.A"), sample("b\(index)", as: "w.B")], directory)
                tree = try Self.fold(store, tree, adapter, [Self.update("w", scale: scale)]).tree
                let piece = try #require(try store.tree(tree).pieces.first { $0.isTensor })
                let expected = try sample("after\(index)", as: "w").bytes
                #expect(try store.tensor(piece.digest).bytes == expected, "update \(index)")
            }
            // Both updates stand beside one base.
            #expect(try store.storedSize(of: tree).depths.count == 2)
        }
    }

    @Test("matrices of several blocks, rows across their borders, are what a plain loop makes")
    func blocks() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            var random = SeededGenerator(seed: 5)
            let (rows, columns, rank) = (701, 1003, 3)
            let start = (0..<rows * columns).map { _ in Float.random(in: -1...1, using: &random) }
            let weights = SampleTensor(
                name: "w", dtype: .f32, shape: [rows, columns], bytes: start.withUnsafeBytes { Array($0) })
            let other = SampleTensor.weights("other", [50, 2], &random)
            let model = directory.appending(path: "model")
            try write(try safetensors([weights, other]), model, "model.safetensors")
            let parent = try store.importTree(model).tree
            let factors = Self.factors("w", rows, columns, rank: rank, &random)
            let report = try Self.fold(
                store, parent, Self.adapter(factors, directory), [Self.update("w", scale: 0.7)])

            let (a, b) = (Self.floats(factors[0]), Self.floats(factors[1]))
            var expected = start
            for row in 0..<rows {
                for column in 0..<columns {
                    var sum = b[row * rank] * a[column]
                    for k in 1..<rank {
                        let product = b[row * rank + k] * a[k * columns + column]
                        sum = sum + product
                    }
                    expected[row * columns + column] += Float(0.7) * sum
                }
            }
            var updated = weights
            updated.bytes = expected.withUnsafeBytes { Array($0) }
            try write(try safetensors([updated, other]), model, "model.safetensors")
            try expectExport(store, report.tree, equals: model, directory)
            // Nothing but factors and heads was added.
            let use = try store.use(of: [parent, report.tree]).trees[1]
            let factorBytes = factors.reduce(0) { $0 + $1.bytes.count }
            #expect(use.addedBytes < factorBytes + 6000, "\(use)")
            #expect(report.newTensors == 3)
            // The same model, imported as files, is the same tree.
            #expect(try store.importTree(model).tree == report.tree)
            #expect(try store.verify(deep: true).isEmpty)
        }
    }

    private static func floats(_ tensor: SampleTensor) -> [Float] {
        tensor.bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    }

    /// A model and updates of it, one on the other: every tree with its files.
    private static func history(_ store: Store, _ directory: URL, count: Int) throws -> [Digest] {
        let model = directory.appending(path: "model")
        _ = try makeModel(model, seed: 9)
        var trees = [try store.importTree(model).tree]
        var random = SeededGenerator(seed: 10)
        for _ in 0..<count {
            let adapter = try adapter(factors("model.embed", 300, 2, rank: 2, &random), directory)
            trees.append(try fold(store, trees[trees.count - 1], adapter, [update("model.embed")]).tree)
        }
        return trees
    }

    private static func embed(_ store: Store, _ tree: Digest) throws -> TensorReader {
        let piece = try #require(try store.tree(tree).pieces.first { $0.tensorName == "model.embed" })
        return try ReadSession(store).reader(tensor: piece.digest)
    }

    @Test("a long history of updates stays shallow, and all of it can be read")
    func history() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let trees = try Self.history(store, directory, count: 27)
            #expect(Set(trees).count == trees.count)
            let heads = try trees.map { try Self.embed(store, $0).header }
            #expect(heads.map { $0.folds?.count ?? 0 } == [0] + (0..<3).flatMap { _ in 1...8 } + [0, 1, 2])
            #expect(heads.map(\.depth).max() == TensorHead.maximumDepth)
            #expect(try store.verify(deep: true).isEmpty)
        }
    }

    @Test("a collection keeps the factors of what it keeps, and nothing else of an adapter")
    func collection() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let trees = try Self.history(store, directory, count: 2)
            let before = try store.tensor(Self.embed(store, trees[2]).header.tensor).bytes
            let report = try store.collect(
                keepingTrees: [trees[2]], documents: [], graceSeconds: 0, rootsRead: .now, dryRun: true)
            // The manifests of both others, and the tensor between them.
            #expect(report.objects.count == 3)
            Thread.sleep(forTimeInterval: 0.05)
            _ = try store.collect(
                keepingTrees: [trees[2]], documents: [], graceSeconds: 0, rootsRead: .now, dryRun: false)
            #expect(try store.tensor(Self.embed(store, trees[2]).header.tensor).bytes == before)
            #expect(try store.verify(deep: true).isEmpty)
        }
    }

    @Test("a damaged or missing factor is named, and nothing made of it is served", arguments: [true, false])
    func damage(missing: Bool) throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let trees = try Self.history(store, directory, count: 1)
            let head = try Self.embed(store, trees[1]).header
            let factor = try #require(head.folds?.first).b
            let url = store.url(ofObject: factor.object)
            var bytes = try Files.read(url)
            try FileAccess.unlinkFile(url.path)
            if !missing {
                bytes[bytes.count - 1] ^= 1
                try Data(bytes).write(to: url)
            }
            let damage = try store.verify(deep: false)
            let named = try #require(damage.first { $0.object == Store.name(ofObject: factor.object) })
            #expect(named.trees == [trees[1]] && named.names == ["model.safetensors: model.embed"])
            let error = pawlError { _ = try store.tensor(head.tensor) }
            #expect(error?.code == .corrupt && error?.message.contains("missing") == missing)
            let norm = try #require(try store.tree(trees[1]).pieces.first { $0.tensorName == "model.norm" })
            #expect(try store.tensor(norm.digest).bytes.count == 600)
        }
    }

    @Test("an update that does not fit is refused, and nothing is stored")
    func misfits() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let trees = try Self.history(store, directory, count: 0)
            var random = SeededGenerator(seed: 1)
            let fitting = try Self.adapter(Self.factors("model.embed", 300, 2, rank: 2, &random), directory)
            let wide = try Self.adapter(Self.factors("model.embed", 300, 3, rank: 2, &random), directory)
            let flat = try Self.adapter(Self.factors("model.norm", 300, 1, rank: 1, &random), directory)
            let cases: [(URL, [LowRankUpdate], String)] = [
                (wide, [Self.update("model.embed")], "cannot take one update by factors of shapes [2, 3]"),
                (flat, [Self.update("model.norm")], "BF16 of shape [300] cannot take"),
                (fitting, [Self.update("model.head")], "no tensor model.safetensors: model.head"),
                (flat, [Self.update("model.embed")], "the adapter has no tensor \"model.embed.A\""),
                (
                    fitting, [Self.update("model.embed"), Self.update("model.embed")],
                    "cannot take one update"
                ),
            ]
            for (adapter, updates, message) in cases {
                let error = pawlError { _ = try Self.fold(store, trees[0], adapter, updates) }
                #expect(error?.code == .invalidArgument && error?.message.contains(message) == true)
            }
            #expect(try store.verify(deep: true).isEmpty)
        }
    }

    @Test("heads whose updates do not fit their blocks are no tensors")
    func heads() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let trees = try Self.history(store, directory, count: 1)
            let reader = try Self.embed(store, trees[1])
            let original = reader.header
            func header(depth: Int = original.depth, folds: [TensorHead.Fold], shape: [Int]? = nil)
                -> TensorHead.Header
            {
                TensorHead.Header(
                    tensor: original.tensor, dtype: original.dtype, shape: shape ?? original.shape,
                    depth: depth,
                    base: original.base, folds: folds, codec: original.codec, parts: [])
            }
            let folds = try #require(original.folds)
            let swapped = folds.map { TensorHead.Fold(a: $0.b, b: $0.a, scale: $0.scale) }
            let cases = [
                header(folds: []), header(folds: Array(repeating: folds[0], count: 9)),
                header(folds: swapped),
                header(depth: 1, folds: folds),
            ]
            let publisher = try Publisher(store)
            defer { publisher.close() }
            for header in cases {
                let bytes = try TensorHead(header: header, blocks: reader.head.blocks).encoded()
                let object = try publisher.publish([bytes]).digest
                let error = pawlError { _ = try ReadSession(store).reader(object: object) }
                #expect(error?.code == .corrupt, "\(header)")
            }
        }
    }
}
