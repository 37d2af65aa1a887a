internal import Foundation
internal import GRDB
public import PawlCore
internal import PawlStore

extension Registry {
    /// Makes the base checkpoint the registry's first, and `main`.
    ///
    /// - Parameters:
    ///   - base: a manifest of origin `base` without a parent; its tree is in the store.
    ///   - documents: further documents to keep with it.
    @discardableResult
    public func initialise(_ base: CheckpointManifest, documents: [Digest] = []) throws -> JournalEntry {
        guard base.origin == .base, base.parent == nil else {
            throw PawlError(
                .invalidArgument, "checkpoint \(base.digest.short) cannot be the base: it has a parent")
        }
        return try commit { db in
            if let first = try Self.entries(db, kind: .`init`).first {
                guard first.checkpoint == base.digest else {
                    throw PawlError(
                        .alreadyExists,
                        "\(root.path) already has a base, \(first.checkpoint?.short ?? "unknown")",
                        hint: "a registry has one base; make another registry for another")
                }
                return .done(first)
            }
            return .write(try draft(.`init`, base, documents))
        }
    }

    /// Records a freshly trained checkpoint, before any verdict.
    @discardableResult
    public func recordCandidate(_ manifest: CheckpointManifest, documents: [Digest] = []) throws
        -> JournalEntry
    {
        try add(manifest, origin: .register, kind: .candidate, documents)
    }

    /// Records a checkpoint that was trained elsewhere, as a candidate.
    @discardableResult
    public func recordImport(_ manifest: CheckpointManifest, documents: [Digest] = []) throws -> JournalEntry
    {
        try add(manifest, origin: .import, kind: .import, documents)
    }

    private func add(
        _ manifest: CheckpointManifest, origin: Checkpoint.Origin, kind: JournalEntry.Kind,
        _ documents: [Digest]
    ) throws -> JournalEntry {
        guard manifest.origin == origin, let parent = manifest.parent else {
            throw PawlError(
                .invalidArgument,
                "checkpoint \(manifest.digest.short) must name its parent and be of origin \(origin)",
                hint: "a checkpoint that was trained elsewhere takes the one it started from, usually main")
        }
        guard parent != manifest.digest else {
            throw PawlError(
                .invalidArgument,
                "checkpoint \(manifest.digest.short) is its own parent: nothing was changed",
                hint: "train for more steps or at a higher learning rate")
        }
        return try commit { db in
            _ = try Self.checkpoint(parent, db)
            if let acquisition = manifest.acquisition { try checkAcquisition(acquisition, db) }
            if let present = try Self.findCheckpoint(manifest.digest, db),
                let entry = try recorded(present, as: manifest, db)
            {
                return .done(entry)
            }
            return .write(try draft(kind, manifest, documents))
        }
    }

    /// What to do with a candidate that is there already: nothing, the same again, or refuse.
    ///
    /// The same training gives the same digest, so a rejected candidate may well come again.
    private func recorded(
        _ present: Checkpoint, as manifest: CheckpointManifest, _ db: Database
    ) throws -> JournalEntry? {
        guard try !Self.wasMain(present.digest, db) else {
            throw PawlError(
                .alreadyExists, "checkpoint \(present.digest.short) has been main before",
                hint: "pawl rollback --to \(present.digest.short) returns to it")
        }
        guard present.parent == manifest.parent, present.acquisition == manifest.acquisition else {
            throw PawlError(
                .alreadyExists,
                "checkpoint \(present.digest.short) is recorded with another parent or another skill",
                hint: "pawl show \(present.digest.short) tells which")
        }
        guard present.collected == nil, present.status == .candidate || present.status == .accepted else {
            return nil
        }
        return try Self.entries(db, checkpoint: present.digest).last {
            $0.kind == .candidate || $0.kind == .import
        }
    }

    private func checkAcquisition(_ acquisition: Acquisition, _ db: Database) throws {
        let skill = try Self.skill(digest: acquisition.digest, db)
        guard skill?.name == acquisition.skill, skill?.version == acquisition.version else {
            throw PawlError(
                .notFound,
                "skill \(acquisition.skill) \(acquisition.version) (\(acquisition.digest.short)) is not in the registry",
                hint: "a skill is added before a checkpoint that acquires it")
        }
    }

    private func draft(
        _ kind: JournalEntry.Kind, _ manifest: CheckpointManifest, _ documents: [Digest]
    ) throws -> Draft {
        guard store.hasTree(manifest.digest) else {
            throw PawlError(.notFound, "the tree of checkpoint \(manifest.digest.hex) is not in the store")
        }
        let bytes = try RecordDocument.checkpoint.bytes(manifest)
        let record = Digest(of: bytes)
        return Draft(
            kind: kind, checkpoint: manifest.digest, skill: manifest.acquisition?.skill,
            body: RecordBody(record: record, documents: documents + [record]), newDocuments: [bytes])
    }
}
