public import Foundation
public import PawlCore
internal import PawlGate
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
        guard report.tree != parent else {
            throw PawlError(
                .invalidArgument,
                "\(directory.path) is the parent itself (\(parent.short)): nothing to import")
        }
        let details: JSONValue = .object([
            "source": .string(directory.lastPathComponent), "note": note.map { .string($0) } ?? .null,
            "encoding_level": .string(level.rawValue),
        ])
        try registry.recordImport(
            CheckpointManifest(
                digest: report.tree, parent: parent, origin: .import, details: details, created: .now))
        return ImportedCheckpoint(
            checkpoint: report.tree, parent: parent, logicalBytes: report.logicalBytes,
            storedBytes: report.storedBytes)
    }
}
