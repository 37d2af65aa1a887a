internal import Dispatch
internal import PawlCore
internal import PawlRegistry
internal import PawlStore
internal import PawlWorkflow
internal import Synchronization

/// What takes long to find out and holds for a while: the room that a registry and its checkpoints take, and how many
/// weights differ between two checkpoints.
final class PageMemory: Sendable {
    private struct State {
        var storage: (entry: Digest?, at: ContinuousClock.Instant, report: StorageReport)?
        var sizes: [Digest: (at: ContinuousClock.Instant, size: StoredSize)] = [:]
        var weights: [WeightPair: WeightCount] = [:]
        /// In the order in which they were asked for.
        var order: [WeightPair] = []
    }

    private let state = Mutex(State())
    /// One count at a time: each reads two checkpoints on all cores.
    private let queue = DispatchQueue(label: "pawl.pages.weights", qos: .utility)

    /// Pairs, and sizes of checkpoints, that are kept.
    private static let capacity = 256
    /// A repacking or a collection of leftovers changes sizes and writes no entry.
    private static let lifetime = Duration.seconds(30)
    /// Pairs that may wait for the one that is being counted.
    private static let longestQueue = 8

    /// What the registry takes on disk; asked again after a change, and after the lifetime.
    func storage(_ workflow: Workflow) throws -> StorageReport {
        let entry = try workflow.registry.recentEntries(1).first?.digest
        let now = ContinuousClock.now
        if let known = state.withLock({ $0.storage }), known.entry == entry, now - known.at < Self.lifetime {
            return known.report
        }
        let report = try workflow.storage()
        state.withLock { $0.storage = (entry, now, report) }
        return report
    }

    /// How much room a checkpoint takes; asked again after the lifetime.
    func storedSize(of tree: Digest, _ registry: Registry) throws -> StoredSize {
        let now = ContinuousClock.now
        if let known = state.withLock({ $0.sizes[tree] }), now - known.at < Self.lifetime {
            return known.size
        }
        let size = try registry.store.storedSize(of: tree)
        state.withLock { state in
            if state.sizes.count >= Self.capacity { state.sizes = [:] }
            state.sizes[tree] = (now, size)
        }
        return size
    }

    /// What is known of a pair; nil when nobody asked.
    func count(_ pair: WeightPair) -> WeightCount? { state.withLock { $0.weights[pair] } }

    /// Starts a count in the background unless it is there or under way; nil when too many wait.
    func start(_ pair: WeightPair, _ workflow: Workflow) -> WeightCount? {
        let (known, isNew) = state.withLock { state -> (WeightCount?, Bool) in
            if let known = state.weights[pair], !known.isFailed { return (known, false) }
            let waiting = state.weights.values.count { $0.isRunning }
            guard waiting < Self.longestQueue else { return (nil, false) }
            state.weights[pair] = .running
            state.order.removeAll { $0 == pair }
            state.order.append(pair)
            while state.order.count > Self.capacity { state.weights[state.order.removeFirst()] = nil }
            return (.running, true)
        }
        guard isNew else { return known }
        queue.async {
            let result: WeightCount
            do {
                result = .done(LayerChanges(try workflow.difference(from: pair.from, to: pair.to)))
            } catch {
                result = .failed((error as? PawlError)?.message ?? "\(error)")
            }
            self.state.withLock { $0.weights[pair] = result }
        }
        return known
    }
}

/// Two checkpoints whose weights are compared.
struct WeightPair: Hashable, Sendable {
    var from: Digest
    var to: Digest
}

/// How far a count is.
enum WeightCount: Sendable {
    case running
    case done(LayerChanges)
    case failed(String)

    var isRunning: Bool { if case .running = self { true } else { false } }
    var isFailed: Bool { if case .failed = self { true } else { false } }
}

/// Weights whose bits differ between two checkpoints, by layer.
struct LayerChanges: Sendable {
    /// A layer, or what stands outside of them (embeddings, the last norm).
    struct Layer: Sendable, Equatable {
        var name: String
        /// Number of the layer; nil for what is none.
        var number: Int?
        /// Weights in its tensors that differ; a tensor that is equal in both is not counted.
        var elements: Int
        var changed: Int
        var tensors: Int
    }

    let layers: [Layer]
    /// Weights of the second checkpoint, and how many of them differ.
    let elements: Int
    let changed: Int
    let tensors: Int
    let equalTensors: Int

    init(_ difference: CheckpointDifference) {
        var found: [String: Layer] = [:]
        for tensor in difference.tree.tensors where tensor.change != .removed {
            let (name, number) = Self.layer(of: tensor.name)
            var layer = found[name] ?? Layer(name: name, number: number, elements: 0, changed: 0, tensors: 0)
            layer.elements += tensor.elements
            layer.changed += tensor.changedElements
            layer.tensors += 1
            found[name] = layer
        }
        layers = found.values.sorted { ($0.number ?? -1, $0.name) < ($1.number ?? -1, $1.name) }
        elements = difference.elements
        changed = difference.changedElements
        tensors = difference.tree.tensors.count
        equalTensors = difference.tree.equalTensors
    }

    /// "model.layers.12.mlp.up_proj.weight" -> layer 12; what is in no layer goes by the name of its module.
    static func layer(of tensor: String) -> (name: String, number: Int?) {
        let parts = tensor.split(separator: ".")
        if let place = parts.firstIndex(where: { $0 == "layers" || $0 == "h" || $0 == "blocks" }),
            parts.indices.contains(place + 1), let number = Int(parts[place + 1])
        {
            return ("layer \(number)", number)
        }
        let named = parts.filter { !["model", "weight", "bias"].contains($0) }
        return (named.isEmpty ? tensor : named.joined(separator: "."), nil)
    }
}
