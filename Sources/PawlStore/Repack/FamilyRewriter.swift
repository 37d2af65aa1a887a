internal import PawlCore

/// Finds the smallest way to keep the tensors of one family and writes those that are kept in another way now.
struct FamilyRewriter {
    let session: ReadSession
    let family: TensorFamilies.Family
    let rewriter: TensorRewriter
    let level: EncodingLevel

    /// What became of a tensor.
    struct Outcome: Sendable {
        enum Change: Sendable { case kept, relinked, rewritten }
        let tensor: Digest
        let change: Change
        /// The head object that holds it now, and its depth.
        let head: Digest
        let depth: Int
        /// Bytes of its objects, before and now.
        let bytesBefore: Int
        let bytesNow: Int
    }

    /// A plan that saves less than this share is not worth writing anything again.
    private static let worthwhile = 0.002

    /// Writes what is better in another way; no index file is changed.
    func run() throws -> [Outcome] {
        let old = try family.members.map { try session.named($0.piece) }
        let plan = try plan(old)
        var new = old
        return try family.members.indices.map { index in
            let (reader, change) = try write(old[index], plan[index], new)
            new[index] = reader
            return Outcome(
                tensor: reader.header.tensor, change: change, head: reader.object,
                depth: reader.header.depth, bytesBefore: try size(old[index]), bytesNow: try size(reader))
        }
    }

    private func size(_ reader: TensorReader) throws -> Int {
        let objects = [reader.object] + Set(reader.header.parts.map(\.object))
        return try objects.reduce(0) { $0 + (try session.store.openObject($1).size()) }
    }

    // MARK: The plan

    /// What to do with a tensor, and the bytes that a new encoding of this kind promises to take.
    private struct Step {
        let choice: ChainPlan.Choice
        let estimate: Int
    }

    private func plan(_ old: [TensorReader]) throws -> [Step] {
        let places = Dictionary(
            old.enumerated().map { ($1.header.tensor, $0) }, uniquingKeysWith: { first, _ in first })
        let measured = try measured(old)
        let nodes = old.indices.map { node($0, old[$0], measured[$0], places) }
        let plan = ChainPlan(nodes, maximumDepth: level.maximumDepth)
        let now = old.reduce(0) { $0 + $1.payloadBytes }
        let gain = Double(now - plan.bytes)
        if old.allSatisfy(mayStay), gain < Self.worthwhile * Double(now) {
            return old.map { _ in Step(choice: .asItIs, estimate: .max) }
        }
        return zip(plan.choices, old.indices).map { choice, index in
            Step(choice: choice, estimate: measured[index].bytes(choice, family.members[index]))
        }
    }

    /// Whether a tensor's encoding answers to the level: for the smallest size every one does.
    private func mayStay(_ reader: TensorReader) -> Bool {
        if level == .smallest { return true }
        let isWritten =
            (reader.header.level ?? .standard) == level && reader.header.codec == Codecs.current.identity
        let isCoded = reader.head.blocks.contains { $0.encoding == .full || $0.encoding == .delta }
        return (isWritten || !isCoded) && reader.header.depth <= level.maximumDepth
    }

    private func node(_ index: Int, _ reader: TensorReader, _ sizes: Sizes, _ places: [Digest: Int])
        -> ChainPlan.Node
    {
        let now = mayStay(reader) ? reader.payloadBytes : .max
        var bases = zip(family.members[index].bases, sizes.bases).map { (node: $0, bytes: $1) }
        guard let base = reader.header.base else {
            return ChainPlan.Node(alone: min(sizes.alone, now), bases: bases)
        }
        guard let place = places[base.tensor], place < index else {
            return ChainPlan.Node(
                alone: sizes.alone, bases: bases,
                asItIs: mayStay(reader) ? (now, reader.header.depth) : nil)
        }
        if let known = bases.firstIndex(where: { $0.node == place }) {
            bases[known].bytes = min(bases[known].bytes, now)
        } else if mayStay(reader) {
            bases.append((place, now))
        }
        return ChainPlan.Node(alone: sizes.alone, bases: bases)
    }

    /// Bytes that a tensor takes on its own and against each of its possible bases, as a sample of its blocks says.
    private struct Sizes {
        let alone: Int
        var bases: [Int]

        func bytes(_ choice: ChainPlan.Choice, _ member: TensorFamilies.Member) -> Int {
            switch choice {
            case .alone: alone
            case .base(let node): member.bases.firstIndex(of: node).map { bases[$0] } ?? .max
            case .asItIs: .max
            }
        }
    }

    /// So many blocks of a tensor are measured; smaller tensors are measured as a whole.
    private static let sample = 4

    private func measured(_ old: [TensorReader]) throws -> [Sizes] {
        let count = old.first?.head.blocks.count ?? 0
        let sample =
            count <= Self.sample ? Array(0..<count) : (0..<Self.sample).map { (2 * $0 + 1) * count / 8 }
        let byteCount = old.first?.head.byteCount ?? 0
        let sampled = sample.reduce(0) { $0 + Blocks.range($1, of: byteCount).count }
        let (level, members) = (level, family.members)
        let found = try rewriter.runner.map(old.count * sample.count) { job, worker in
            let index = job / sample.count
            return try Self.measure(
                old[index], sample[job % sample.count], against: members[index].bases.map { old[$0] },
                level, worker)
        }
        func scaled(_ sum: Int) -> Int { Int(Double(sum) * Double(byteCount) / Double(max(sampled, 1))) }
        return old.indices.map { index in
            let sizes = found[index * sample.count..<(index + 1) * sample.count]
            return Sizes(
                alone: scaled(sizes.reduce(0) { $0 + $1.alone }),
                bases: members[index].bases.indices.map { base in
                    scaled(sizes.reduce(0) { $0 + $1.bases[base] })
                })
        }
    }

    private static func measure(
        _ tensor: TensorReader, _ block: Int, against bases: [TensorReader], _ level: EncodingLevel,
        _ worker: Worker
    ) throws -> Sizes {
        let raw = worker.block.prefix(Blocks.range(block, of: tensor.head.byteCount).count)
        let old = worker.other.prefix(raw.count)
        let (new, base) = (UnsafeRawBufferPointer(raw), UnsafeRawBufferPointer(old))
        let coder = try worker.coder(Codecs.current(level))
        try tensor.readBlock(block, into: raw, worker)
        var sizes = Sizes(
            alone: try coder.encodeFull(new, dtype: tensor.header.dtype)?.count ?? raw.count,
            bases: [])
        for reader in bases {
            try reader.readBlock(block, into: old, worker)
            let delta =
                new.equals(base)
                ? 0 : try coder.encodeDelta(new, base: base, dtype: tensor.header.dtype)?.count
            sizes.bases.append(min(delta ?? raw.count, sizes.alone))
        }
        return sizes
    }

    // MARK: Writing

    /// Writes a tensor as the plan says, unless what is there is as small.
    ///
    /// - Parameter new: the family's tensors, those before this one as they are now.
    private func write(_ tensor: TensorReader, _ step: Step, _ new: [TensorReader]) throws
        -> (TensorReader, Outcome.Change)
    {
        let base: TensorReader?
        switch step.choice {
        case .asItIs: return try keep(tensor, new)
        case .alone: base = nil
        case .base(let node): base = new[node]
        }
        let isSame = mayStay(tensor) && tensor.header.base?.tensor == base?.header.tensor
        if isSame, tensor.payloadBytes <= step.estimate { return try keep(tensor, new) }
        let written = try rewriter.encode(tensor, against: base)
        // The sample may have promised too much.
        if isSame, tensor.payloadBytes <= written.payloadBytes { return try keep(tensor, new) }
        return (written, written.object == tensor.object ? .kept : .rewritten)
    }

    /// Keeps the payload; names the present encoding of its base, so that the former one can go.
    private func keep(_ tensor: TensorReader, _ new: [TensorReader]) throws -> (
        TensorReader, Outcome.Change
    ) {
        guard let named = tensor.header.base else { return (tensor, .kept) }
        let base =
            try new.first { $0.header.tensor == named.tensor } ?? session.reader(tensor: named.tensor)
        // A base outside of the family may have become deeper than this plan has room for.
        guard base.object != named.object, base.header.depth < max(level.maximumDepth, tensor.header.depth)
        else { return (tensor, .kept) }
        return (try rewriter.relink(tensor, to: base), .relinked)
    }
}
