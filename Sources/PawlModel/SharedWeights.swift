internal import PawlCore
internal import Synchronization

/// A model's weights in groups of tensors, each in memory of its own, so that models with equal tensors hold them once.
///
/// A group is what kernels read as one run of numbers: one tensor, or queries, keys and values of a layer, or gate and up.
/// Matrices are held in bf16 where the whole model is stored so, and in fp32 else; norms and biases in fp32. The results are
/// those of ``FrozenWeights`` and ``Parameters``, to the bit.
public final class SharedWeights: Sendable {
    let layout: ParameterLayout
    /// Whether matrices are held in bf16.
    let isRounded: Bool
    private let groups: [Int: Group]

    /// Tensors side by side. Written once, before anybody else sees it.
    final class Group: Sendable {
        let memory: FloatBuffer
        /// Whether the numbers are bf16, two in the room of each fp32 number.
        let isRounded: Bool

        init(_ count: Int, isRounded: Bool) {
            self.isRounded = isRounded
            memory = FloatBuffer(isRounded ? (count + 1) / 2 : count)
        }

        var bytes: Int { memory.count * MemoryLayout<Float>.stride }

        /// Takes a tensor that begins at a number of the group.
        func fill(
            _ entry: ParameterLayout.Entry, at place: Int, _ dtype: DType, _ content: UnsafeRawBufferPointer,
            _ source: String, _ pool: ComputePool
        ) throws {
            guard isRounded else {
                return try entry.widen(content, dtype, into: memory.pointer + place, source, pool)
            }
            let numbers = UnsafeMutableRawPointer(memory.pointer).assumingMemoryBound(to: UInt16.self)
            try entry.take(content, into: numbers + place, source)
        }
    }

    fileprivate init(_ layout: ParameterLayout, isRounded: Bool, _ groups: [Int: Group]) {
        self.layout = layout
        self.isRounded = isRounded
        self.groups = groups
    }

    /// Memory of all groups, those that other models hold too counted, in bytes.
    public var bytes: Int { distinct.values.reduce(0) { $0 + $1.bytes } }

    /// Memory of the groups that two models hold together, in bytes.
    public func bytesShared(with other: SharedWeights) -> Int {
        let others = other.distinct
        return distinct.reduce(0) { $0 + (others[$1.key] == nil ? 0 : $1.value.bytes) }
    }

    /// The groups, each once: a model may have equal tensors too, such as norms of ones.
    private var distinct: [ObjectIdentifier: Group] {
        Dictionary(groups.values.map { (ObjectIdentifier($0), $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Where a matrix begins, by its offset in the layout, and whether its numbers are bf16.
    func at(_ offset: Int) -> (bytes: UnsafeRawPointer, isRounded: Bool) {
        guard let group = groups[offset] else { preconditionFailure("no group begins at \(offset)") }
        return (UnsafeRawPointer(group.memory.pointer), group.isRounded)
    }

    /// The first number of a norm or bias at an offset of the layout.
    func vector(_ offset: Int) -> UnsafePointer<Float> {
        guard let group = groups[offset], !group.isRounded else {
            preconditionFailure("no norm or bias begins at \(offset)")
        }
        return UnsafePointer(group.memory.pointer)
    }
}

/// The groups that models in this process hold: a model that is read takes those that are there.
public final class WeightPool: Sendable {
    private let known = Mutex<[Key: Weak]>([:])

    /// What is in a group: its tensors' names by content, and how it is held.
    private struct Key: Hashable {
        let tensors: [Digest]
        let isRounded: Bool
    }

    /// A group that lives as long as a model holds it.
    private struct Weak {
        weak var group: SharedWeights.Group?
    }

    /// A pool without groups.
    public init() {}

    /// Memory of all groups that a model holds, each counted once, in bytes. Groups whose content has no name are not
    /// counted.
    public var bytes: Int {
        known.withLock { known in
            known = known.filter { $0.value.group != nil }
            return known.values.reduce(0) { $0 + ($1.group?.bytes ?? 0) }
        }
    }

    /// What a model's groups are.
    private struct Plan {
        let layout: ParameterLayout
        let isRounded: Bool
        let groups: [(entries: Range<Int>, key: Key?, isRounded: Bool)]

        init(_ source: some WeightSource, _ configuration: ModelConfiguration) throws {
            let layout = ParameterLayout(configuration)
            try layout.check(source, configuration)
            let isRounded = try FrozenWeights.holds(source, configuration)
            self.layout = layout
            self.isRounded = isRounded
            groups = try layout.groups.map { entries in
                let isMatrix = layout.entries[entries.lowerBound].isMatrix
                let digests = try entries.compactMap { try source.digest(of: layout.entries[$0].name) }
                let key = Key(tensors: digests, isRounded: isRounded && isMatrix)
                return (entries, digests.count == entries.count ? key : nil, isRounded && isMatrix)
            }
        }

        /// Numbers of a group.
        func count(_ entries: Range<Int>) -> Int { entries.reduce(0) { $0 + layout.entries[$1].count } }
    }

    /// Memory that a model would take beside the groups that are there, in bytes.
    ///
    /// Fails as ``weights(_:_:_:)`` does for what can be seen without reading numbers.
    public func missingBytes(_ source: some WeightSource, _ configuration: ModelConfiguration) throws -> Int {
        let plan = try Plan(source, configuration)
        let found = self.found(plan)
        var counted: Set<Key> = []
        return plan.groups.reduce(0) { sum, group in
            let isThere =
                found[group.entries.lowerBound] != nil
                || group.key.map { !counted.insert($0).inserted } ?? false
            return sum + (isThere ? 0 : plan.count(group.entries) * (group.isRounded ? 2 : 4))
        }
    }

    /// The groups of a plan that are there, by their first entry.
    private func found(_ plan: Plan) -> [Int: SharedWeights.Group] {
        known.withLock { known in
            plan.groups.reduce(into: [:]) { found, group in
                if let key = group.key { found[group.entries.lowerBound] = known[key]?.group }
            }
        }
    }

    /// A model's weights; only the groups that are not there are read.
    ///
    /// Fails when a tensor is missing, has another shape, is of a type without fp32 meaning, or holds a NaN or infinity.
    public func weights(
        _ source: some WeightSource, _ configuration: ModelConfiguration, _ pool: ComputePool
    ) throws -> SharedWeights {
        let plan = try Plan(source, configuration)
        var groups = found(plan)
        let missing = plan.groups.filter { groups[$0.entries.lowerBound] == nil }
        for group in missing {
            groups[group.entries.lowerBound] = SharedWeights.Group(
                plan.count(group.entries), isRounded: group.isRounded)
        }
        let (entries, place) = (plan.layout.entries, source.description)
        // Each tensor with the first of its group.
        let tensors = missing.flatMap { group in group.entries.map { ($0, group.entries.lowerBound) } }
        try source.read(tensors.map { entries[$0.0].name }) { [groups] index, shape, dtype, content in
            let (tensor, first) = tensors[index]
            try entries[tensor].check(shape, dtype, content, place)
            try groups[first]?.fill(
                entries[tensor], at: entries[tensor].offset - entries[first].offset, dtype, content, place,
                pool)
        }
        return register(plan, groups)
    }

    /// Makes new groups known; one that came in meanwhile takes the place of its equal.
    private func register(_ plan: Plan, _ groups: [Int: SharedWeights.Group]) -> SharedWeights {
        var byOffset: [Int: SharedWeights.Group] = [:]
        known.withLock { known in
            for group in plan.groups {
                let first = group.entries.lowerBound
                let same = group.key.flatMap { known[$0]?.group }
                let kept = same ?? groups[first]
                if let key = group.key { known[key] = Weak(group: kept) }
                byOffset[plan.layout.entries[first].offset] = kept
            }
        }
        return SharedWeights(plan.layout, isRounded: plan.isRounded, byOffset)
    }
}
