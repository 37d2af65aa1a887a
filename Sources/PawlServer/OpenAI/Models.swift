internal import Foundation
internal import PawlCore
internal import PawlRegistry

/// `GET /v1/models` and `/v1/models/ID`.
extension OpenAI {
    /// A model as clients list it.
    struct Card: Encodable {
        /// What a request's `model` may be: a reference's name, or the first digits of a checkpoint's digest.
        let id: String
        let object = "model"
        /// Seconds since 1970.
        let created: Int
        let ownedBy = "pawl"
        /// The base that its line began with.
        let root: String
        /// The checkpoint it was trained from; null for a base.
        let parent: String?
        /// The checkpoint, by its whole digest.
        let checkpoint: String
        /// What the gate said of it.
        let status: String

        private enum Keys: String, CodingKey {
            case id, object, created, root, parent, checkpoint, status
            case ownedBy = "owned_by"
        }

        func encode(to encoder: any Encoder) throws {
            var fields = encoder.container(keyedBy: Keys.self)
            try fields.encode(id, forKey: .id)
            try fields.encode(object, forKey: .object)
            try fields.encode(created, forKey: .created)
            try fields.encode(ownedBy, forKey: .ownedBy)
            try fields.encode(root, forKey: .root)
            try fields.encode(parent, forKey: .parent)
            try fields.encode(checkpoint, forKey: .checkpoint)
            try fields.encode(status, forKey: .status)
        }
    }

    struct List: Encodable {
        let object = "list"
        let data: [Card]
        private enum CodingKeys: String, CodingKey { case object, data }
    }

    /// Every reference and every checkpoint that has weights, `main` first.
    func models() throws -> List {
        let known = Dictionary(
            uniqueKeysWithValues: try registry.checkpoints().filter { $0.collected == nil }.map {
                ($0.digest, $0)
            })
        var roots: [Digest: Digest] = [:]
        func root(_ checkpoint: Checkpoint) throws -> Digest {
            if let root = roots[checkpoint.digest] { return root }
            let root = try checkpoint.parent.flatMap { roots[$0] } ?? base(of: checkpoint.digest)
            roots[checkpoint.digest] = root
            return root
        }
        let checkpoints = try registry.checkpoints().filter { known[$0.digest] != nil }
        let cards = try checkpoints.map { card($0.digest.short, $0, root: try root($0)) }
        let references = try registry.references().compactMap { reference in
            try known[reference.checkpoint].map { card(reference.name, $0, root: try root($0)) }
        }
        let main = references.filter { $0.id == Reference.main }
        return List(data: main + references.filter { $0.id != Reference.main } + cards)
    }

    /// One model, by any of its names.
    func card(_ name: String) throws -> Card {
        let checkpoint = try registry.checkpoint(resolve(name))
        guard checkpoint.collected == nil else {
            throw OpenAIError(
                404, "the model \"\(name)\" was collected: its weights are gone", parameter: "model",
                code: "model_not_found")
        }
        return card(name, checkpoint, root: try base(of: checkpoint.digest))
    }

    private func base(of checkpoint: Digest) throws -> Digest {
        try registry.line(of: checkpoint).last?.digest ?? checkpoint
    }

    private func card(_ id: String, _ checkpoint: Checkpoint, root: Digest) -> Card {
        Card(
            id: id, created: Int(checkpoint.created.date.timeIntervalSince1970), root: root.short,
            parent: checkpoint.parent?.short, checkpoint: checkpoint.digest.hex,
            status: checkpoint.status.rawValue)
    }
}
