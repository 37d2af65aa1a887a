internal import PawlCore

/// Where the factors of a low-rank update lie in one run of fp32 numbers.
///
/// A weight W [out, in] becomes W + scale B A with A [rank, in] and B [out, rank] (LoRA, Hu et al. 2021). All A come before
/// all B. The A of weights that products read as one matrix stand side by side, so that their inputs are read once.
public struct LowRankLayout: Sendable {
    /// One weight that is updated.
    public struct Module: Sendable, Hashable {
        /// The module's name, without `.weight`.
        public let name: String
        /// Extents of its weight.
        public let out, `in`: Int
        /// Index of its weight's first number in the ``ParameterLayout``.
        let weight: Int
        /// Its weight's first row in the matrix that products read.
        let firstRow: Int
        /// Index of the first number of A [rank, in] and of B [out, rank].
        public internal(set) var a, b: Int
    }

    /// Columns of A and rows of B.
    public let rank: Int
    /// What the product of the factors counts: alpha / rank.
    public let scale: Float
    /// Every updated weight, in the order of the weights.
    public private(set) var modules: [Module] = []
    /// Numbers in all factors.
    public private(set) var count = 0
    /// Numbers in all A, which come first.
    private(set) var inputCount = 0
    /// The modules of each matrix that products read, by the index of its first number.
    private(set) var groups: [Int: [Module]] = [:]

    /// The layout of an update of a model.
    ///
    /// - Parameters:
    ///   - names: modules by the end of their name (`q_proj`, `self_attn.q_proj`, or the whole); none: every projection of
    ///     attention and feed-forward layers.
    ///
    /// Fails when a name fits no module, or the rank is above the smaller extent of a weight.
    public init(_ parameters: ParameterLayout, rank: Int, alpha: Double, modules names: [String]) throws {
        self.rank = rank
        scale = Float(alpha / Double(rank))
        let all = parameters.projections
        for name in names where !all.contains(where: { Self.fits($0, name) }) {
            throw PawlError(
                .invalidArgument,
                "recipe, field modules: the model has no linear projection \"\(name.escaped)\"; it has "
                    + Self.endings(all).joined(separator: ", "))
        }
        for var module in all where names.isEmpty || names.contains(where: { Self.fits(module, $0) }) {
            guard rank >= 1, rank <= min(module.out, module.in) else {
                throw PawlError(
                    .invalidArgument,
                    "recipe, field rank: \(rank) is not between 1 and the smaller extent of \(module.name) "
                        + "[\(module.out), \(module.in)]")
            }
            module.a = inputCount
            inputCount += rank * module.in
            modules.append(module)
        }
        count = inputCount
        for index in modules.indices {
            modules[index].b = count
            count += rank * modules[index].out
        }
        groups = Dictionary(grouping: modules) { $0.weight - $0.firstRow * $0.in }
    }

    /// The factors' gradients of so many tokens: X Aᵀ, dY B, and a product of each with the other side.
    public func gradientWork(tokens: Int) -> FloatingPointWork {
        FloatingPointWork(products: 4 * Double(tokens) * Double(count))
    }

    /// Making scale B A of all modules once.
    public var foldingWork: FloatingPointWork {
        FloatingPointWork(
            products: modules.reduce(0) { $0 + 2 * Double(rank) * Double($1.out) * Double($1.in) })
    }

    private static func fits(_ module: Module, _ name: String) -> Bool {
        module.name == name || module.name.hasSuffix("." + name)
    }

    /// The last parts of the modules' names, each once.
    private static func endings(_ modules: [Module]) -> [String] {
        var seen: Set<String> = []
        return modules.compactMap { $0.name.split(separator: ".").last.map(String.init) }
            .filter { seen.insert($0).inserted }
    }
}

extension ParameterLayout {
    /// Every linear projection of attention and feed-forward layers, without factors yet.
    fileprivate var projections: [LowRankLayout.Module] {
        let indices = Dictionary(uniqueKeysWithValues: entries.indices.map { (entries[$0].offset, $0) })
        return layers.flatMap { layer in
            let matrices = [
                (layer.queryKeyValue, 3), (layer.attentionOutput, 1), (layer.gateUp, 2), (layer.down, 1),
            ]
            return matrices.flatMap { offset, parts in
                let first = indices[offset] ?? 0
                return entries[first..<first + parts].map { entry in
                    LowRankLayout.Module(
                        name: String(entry.name.dropLast(".weight".count)), out: entry.shape[0],
                        in: entry.shape[1],
                        weight: entry.offset, firstRow: (entry.offset - offset) / entry.shape[1], a: 0, b: 0)
                }
            }
        }
    }
}
