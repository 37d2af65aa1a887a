/// Chooses which tensor of a family each of its tensors is written against, so that all of them together take the
/// fewest bytes while no chain is longer than a bound.
///
/// The nearest base is not always the best one: when chains are full, a tensor that gives up a few bytes to stay
/// shallow can be the base of many that come after it. So the depths are what is searched: given them, each tensor
/// takes its cheapest base of smaller depth. One depth after the other is changed while that helps, from several
/// beginnings. For families of a few tensors this finds the optimum or comes within a few per cent of it.
struct ChainPlan: Sendable {
    /// A tensor of the family. Bases come before what is written against them.
    struct Node: Sendable {
        /// Bytes that it takes on its own.
        let alone: Int
        /// What it may be written against, each an earlier node, and the bytes it takes then.
        let bases: [(node: Int, bytes: Int)]
        /// Bytes and depth of the way it is written now, when that goes by a base outside of the family and may stay.
        var asItIs: (bytes: Int, depth: Int)?
    }

    /// How a node is written.
    enum Choice: Sendable, Hashable {
        case alone
        case base(Int)
        case asItIs
    }

    /// One for each node.
    let choices: [Choice]
    /// Bytes of all nodes.
    let bytes: Int

    /// - Parameter maximumDepth: encodings in a chain, the one without a base included; at least 1.
    init(_ nodes: [Node], maximumDepth: Int) {
        var best = Self.follow(nodes, depths: nodes.map { _ in 1 })
        for start in Self.beginnings(nodes.count, maximumDepth) {
            let found = Self.descend(nodes, from: start, maximumDepth)
            if found.bytes < best.bytes { best = found }
        }
        self = best
    }

    private init(choices: [Choice], bytes: Int) {
        self.choices = choices
        self.bytes = bytes
    }

    /// Depths to begin with: every `period`-th tensor one less deep, every `period`²-th one two less, and so on.
    private static func beginnings(_ count: Int, _ maximumDepth: Int) -> [[Int]] {
        (1...max(2, min(6, count))).map { period in
            (0..<count).map { index in
                guard index > 0 else { return 1 }
                var (depth, step) = (maximumDepth, max(period, 1))
                while depth > min(2, maximumDepth), index % step == 0 {
                    depth -= 1
                    step *= max(period, 2)
                }
                return depth
            }
        }
    }

    private static func descend(_ nodes: [Node], from start: [Int], _ maximumDepth: Int) -> ChainPlan {
        var depths = start
        var best = follow(nodes, depths: depths)
        var isImproving = true
        while isImproving {
            isImproving = false
            for index in nodes.indices.dropFirst() {
                for depth in 1...maximumDepth where depth != depths[index] {
                    let kept = depths[index]
                    depths[index] = depth
                    let found = follow(nodes, depths: depths)
                    if found.bytes < best.bytes {
                        (best, isImproving) = (found, true)
                    } else {
                        depths[index] = kept
                    }
                }
            }
        }
        return best
    }

    /// Every node with its cheapest base of smaller depth.
    private static func follow(_ nodes: [Node], depths: [Int]) -> ChainPlan {
        var choices: [Choice] = []
        var total = 0
        for (index, node) in nodes.enumerated() {
            var (choice, bytes): (Choice, Int) = (.alone, node.alone)
            if let kept = node.asItIs, kept.depth <= depths[index], kept.bytes < bytes {
                (choice, bytes) = (.asItIs, kept.bytes)
            }
            for candidate in node.bases
            where depths[candidate.node] < depths[index] && candidate.bytes < bytes {
                (choice, bytes) = (.base(candidate.node), candidate.bytes)
            }
            choices.append(choice)
            total += bytes
        }
        return ChainPlan(choices: choices, bytes: total)
    }
}
