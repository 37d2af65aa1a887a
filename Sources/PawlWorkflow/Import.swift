public import Foundation
public import PawlCore
internal import PawlGate
internal import PawlModel
internal import PawlRegistry
public import PawlStore

/// What an import made.
public struct ImportedCheckpoint: Codable, Sendable {
    /// The new candidate.
    public var checkpoint: Digest
    /// What it is judged against.
    public var parent: Digest
    /// Bytes of the directory.
    public var logicalBytes: Int
    /// Bytes that it added to the store.
    public var storedBytes: Int

    private enum CodingKeys: String, CodingKey {
        case checkpoint, parent
        case logicalBytes = "logical_bytes"
        case storedBytes = "stored_bytes"
    }
}

extension Workflow {
    /// Takes a model that was trained elsewhere as a candidate; the gate decides what becomes of it.
    ///
    /// - Parameters:
    ///   - note: where it comes from, kept with the checkpoint.
    ///   - level: how its tensors are written, kept with the checkpoint and with each of them.
    public func importCheckpoint(
        _ directory: URL, parent: Digest, note: String?, level: EncodingLevel = .standard
    ) throws -> ImportedCheckpoint {
        try Self.checkModelDirectory(directory)
        let lease = try registry.acquireLease("import \(directory.lastPathComponent)")
        defer { lease.release() }
        let parents = try deltaBases(for: parent)
        let report = try registry.store.importTree(
            directory, options: ImportOptions(parents: parents, level: level), progress: progress)
        return try record(
            report, of: directory, parent: parent, note: note,
            ["encoding_level": .string(level.rawValue)])
    }

    /// Takes an adapter that was trained elsewhere, folded into a checkpoint, as a candidate.
    ///
    /// - Parameters:
    ///   - directory: as PEFT saves one.
    ///   - parent: the checkpoint that it was trained on.
    ///   - note: where it comes from, kept with the checkpoint.
    public func importAdapter(
        _ directory: URL, parent: Digest, note: String?, level: EncodingLevel = .standard
    ) throws -> ImportedCheckpoint {
        guard Adapter.isAdapter(directory) else {
            throw PawlError(
                .invalidArgument,
                "\(directory.path) is no adapter: it holds no \(Adapter.configuration), or a config.json beside it",
                hint: "a whole model is taken by `pawl import`")
        }
        let lease = try registry.acquireLease("import-adapter \(directory.lastPathComponent)")
        defer { lease.release() }
        let adapter = try Adapter(directory)
        let report = try fold(adapter, into: parent, level: level)
        let adapted: JSONValue = .object([
            "rank": .int(Int64(adapter.rank)), "alpha": .double(adapter.alpha),
            "scale": .double(Double(adapter.scale)), "modules": .int(Int64(adapter.modules.count)),
        ])
        return try record(
            report, of: directory, parent: parent, note: note,
            ["adapter": adapted, "encoding_level": .string(level.rawValue)])
    }

    /// Folds an adapter into a checkpoint: what differs is stored as the adapter's factors.
    func fold(_ adapter: Adapter, into parent: Digest, level: EncodingLevel) throws -> ImportReport {
        let model = try StoredModel(registry.store, parent)
        try adapter.check(against: model)
        let updates = try adapter.modules.map { module in
            LowRankUpdate(
                file: try model.path(of: module.weight), tensor: module.weight, a: module.a, b: module.b,
                scale: adapter.scale)
        }
        return try registry.store.foldTree(
            parent, adapter: adapter.directory, file: Adapter.weights, updates: updates,
            options: ImportOptions(parents: try deltaBases(for: parent), level: level), progress: progress)
    }

    private func record(
        _ report: ImportReport, of directory: URL, parent: Digest, note: String?,
        _ more: [String: JSONValue] = [:]
    ) throws -> ImportedCheckpoint {
        guard report.tree != parent else {
            throw PawlError(
                .invalidArgument,
                "with \(directory.path) nothing differs from the parent (\(parent.short)): nothing to import")
        }
        let details: [String: JSONValue] = [
            "source": .string(directory.lastPathComponent), "note": note.map { .string($0) } ?? .null,
        ]
        try registry.recordImport(
            CheckpointManifest(
                digest: report.tree, parent: parent, origin: .import,
                details: .object(details.merging(more) { $1 }), created: .now))
        return ImportedCheckpoint(
            checkpoint: report.tree, parent: parent, logicalBytes: report.logicalBytes,
            storedBytes: report.storedBytes)
    }
}
