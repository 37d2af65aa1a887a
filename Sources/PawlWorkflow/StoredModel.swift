internal import PawlCore
internal import PawlModel
internal import PawlStore

/// A checkpoint as an engine in this process reads it: straight from the store.
struct StoredModel: ModelSource {
    private let reader: TreeReader
    /// Where each tensor is: its entry in the manifest, shape, type and name by content.
    private let tensors: [String: Place]

    private typealias Place = (entry: Int, shape: [Int], dtype: DType, digest: Digest)

    /// Opens a checkpoint; its weights are what the safetensors files beside its config.json hold.
    init(_ store: Store, _ checkpoint: Digest) throws {
        reader = try TreeReader(store, checkpoint)
        var tensors: [String: Place] = [:]
        for (index, entry) in reader.manifest.entries.enumerated() where Self.holdsWeights(entry) {
            guard case .safetensors(_, _, let list) = entry.content else { continue }
            for tensor in list
            where tensors.updateValue((index, tensor.shape, tensor.dtype, tensor.digest), forKey: tensor.name)
                != nil
            {
                throw PawlError(
                    .invalidArgument,
                    "checkpoint \(checkpoint.short): tensor \"\(tensor.name)\" stands in two files")
            }
        }
        self.tensors = tensors
    }

    private static func holdsWeights(_ entry: TreeManifest.Entry) -> Bool {
        guard case .safetensors = entry.content else { return false }
        return !entry.path.contains("/")
    }

    var description: String { "checkpoint \(reader.tree.short)" }

    func file(_ path: String) throws -> [UInt8]? {
        guard let entry = reader.manifest.entries.first(where: { $0.path == path }) else { return nil }
        // A safetensors file in a folder is none of the model's weights; it is kept as it is.
        if case .safetensors = entry.content { return try reader.store.file(path, in: reader.tree) }
        return try reader.file(path)
    }

    func weightFiles() throws -> [WeightFile] {
        try reader.manifest.entries.filter(Self.holdsWeights).map { entry in
            WeightFile(path: entry.path, header: try reader.file(entry.path) ?? [], size: entry.size)
        }
    }

    func otherEntries() throws -> [OtherEntry] {
        reader.manifest.entries.filter { !Self.holdsWeights($0) }
            .map { .init(path: $0.path, isDirectory: $0.content == .directory) }
    }

    var names: [String] { tensors.keys.sorted() }

    func digest(of name: String) throws -> Digest? { try place(name).digest }

    private func place(_ name: String) throws -> Place {
        guard let place = tensors[name] else {
            throw PawlError(.notFound, "\(description): no tensor \"\(name)\"")
        }
        return place
    }

    /// Path of the file that holds a tensor.
    func path(of name: String) throws -> String { reader.manifest.entries[try place(name).entry].path }

    func form(of name: String) throws -> (shape: [Int], dtype: DType) {
        let place = try place(name)
        return (place.shape, place.dtype)
    }

    func read(_ name: String, _ body: ([Int], DType, UnsafeRawBufferPointer) throws -> Void) throws {
        let place = try place(name)
        try withoutActuallyEscaping(body) { body in
            let caller = Caller(body: body)
            try reader.read([(place.entry, name)]) { _, bytes in
                try caller.body(place.shape, place.dtype, bytes)
            }
        }
    }

    /// One tensor is handed out by one thread while the caller waits.
    private struct Caller: @unchecked Sendable {
        let body: ([Int], DType, UnsafeRawBufferPointer) throws -> Void
    }

    func read(
        _ names: [String], _ body: @Sendable (Int, [Int], DType, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let places = try names.map(place)
        try reader.read(zip(places, names).map { ($0.entry, $1) }) { index, bytes in
            try body(index, places[index].shape, places[index].dtype, bytes)
        }
    }
}
