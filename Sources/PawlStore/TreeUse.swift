internal import Foundation
public import PawlCore

/// What a tree takes in a store that holds others already.
public struct TreeUse: Sendable, Hashable, Codable {
    /// Digest of the tree.
    public let tree: Digest
    /// Bytes of all its files.
    public let logicalBytes: Int
    /// Bytes of the objects that none of the trees before it needs: its manifest, tensors, bases of deltas,
    /// and factors of low-rank updates.
    public let addedBytes: Int
    /// Payload in those objects by encoding of the block: `raw`, `full`, `delta`; nothing for `same` and `folded`.
    public let payloadBytes: [String: Int]
    /// The same payload by the level it was written at: `default`, `smallest`, `fast-read`.
    public let levelBytes: [String: Int]

    private enum CodingKeys: String, CodingKey {
        case tree
        case logicalBytes = "logical_bytes"
        case addedBytes = "added_bytes"
        case payloadBytes = "payload_bytes"
        case levelBytes = "level_bytes"
    }
}

/// What a store takes, and for what.
public struct StoreUse: Sendable, Hashable, Codable {
    /// Trees in the order of the question.
    public let trees: [TreeUse]
    /// Bytes of all objects.
    public let objectBytes: Int
    /// Bytes of those that none of the trees needs: evidence, verdicts, other trees, and what nothing needs any more.
    public let otherBytes: Int
    /// Bytes of trees that are laid out as files, to be removed at any time.
    public let cacheBytes: Int

    private enum CodingKeys: String, CodingKey {
        case trees
        case objectBytes = "object_bytes"
        case otherBytes = "other_bytes"
        case cacheBytes = "cache_bytes"
    }
}

extension Store {
    /// What the store takes, and what each tree adds to the ones before it.
    ///
    /// Reads manifests and heads, no payload; bytes are not checked against their names.
    public func use(of trees: [Digest]) throws -> StoreUse {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        var counted: Set<Digest> = []
        let uses = try trees.map { try use(of: $0, beyond: &counted) }
        let sizes = try objectNames().map { (object: $0, bytes: try openObject($0).size()) }
        func sum(_ part: [(object: Digest, bytes: Int)]) -> Int { part.reduce(0) { $0 + $1.bytes } }
        return StoreUse(
            trees: uses, objectBytes: sum(sizes),
            otherBytes: sum(sizes.filter { !counted.contains($0.object) }),
            cacheBytes: try Self.size(of: cache))
    }

    private func use(of tree: Digest, beyond counted: inout Set<Digest>) throws -> TreeUse {
        let manifest = try self.tree(tree)
        var added = counted.insert(tree).inserted ? try openObject(tree).size() : 0
        var payload: [String: Int] = [:]
        var levels: [String: Int] = [:]
        for tensor in Set(manifest.pieces.map(\.digest)) {
            guard let first = try pointer(tensor) else {
                throw PawlError(
                    .notFound, "there is no tensor \(tensor) in the store \(root.path)",
                    hint: "run `pawl verify`")
            }
            var needed = [first]
            while let object = needed.popLast() {
                guard counted.insert(object).inserted else { continue }
                let file = try openObject(object)
                let head = try TensorHead.read(file, object: object).head
                added += try file.size()
                for part in Set(head.header.parts.map(\.object)) where counted.insert(part).inserted {
                    added += try openObject(part).size()
                }
                for block in head.blocks { payload[block.encoding.name, default: 0] += block.length }
                let level = head.header.level ?? .standard
                levels[level.rawValue, default: 0] += head.blocks.reduce(0) { $0 + $1.length }
                needed += head.header.sources.map(\.object)
            }
        }
        return TreeUse(
            tree: tree, logicalBytes: manifest.logicalBytes, addedBytes: added, payloadBytes: payload,
            levelBytes: levels)
    }
}
