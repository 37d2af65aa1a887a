import Foundation
import Testing

@testable import PawlStore

@Suite struct ChainPlanTests {
    /// The fewest bytes that any choice of bases gives, by trying all.
    private func optimum(_ nodes: [ChainPlan.Node], _ maximumDepth: Int) -> Int {
        func best(_ index: Int, _ depths: [Int]) -> Int {
            guard index < nodes.count else { return 0 }
            var bytes = nodes[index].alone + best(index + 1, depths + [1])
            for base in nodes[index].bases where depths[base.node] < maximumDepth {
                bytes = min(bytes, base.bytes + best(index + 1, depths + [depths[base.node] + 1]))
            }
            return bytes
        }
        return best(0, [])
    }

    private func depth(_ node: Int, _ plan: ChainPlan) -> Int {
        guard case .base(let base) = plan.choices[node] else { return 1 }
        return depth(base, plan) + 1
    }

    /// A line in which a difference grows with the distance, as that of fine-tunes does.
    private func line(_ count: Int, _ random: inout SeededGenerator) -> [ChainPlan.Node] {
        (0..<count).map { index in
            ChainPlan.Node(
                alone: 6600,
                bases: (0..<index).map { base in
                    let growth = Double(index - base).squareRoot()
                    return (base, Int(600 * growth) + Int.random(in: 0..<60, using: &random))
                })
        }
    }

    @Test("chains stay within the bound, and bytes are those of the choices", arguments: 1...4)
    func bounds(maximumDepth: Int) {
        var random = SeededGenerator(seed: 4)
        let nodes = line(20, &random)
        let plan = ChainPlan(nodes, maximumDepth: maximumDepth)
        #expect(nodes.indices.allSatisfy { depth($0, plan) <= maximumDepth })
        let bytes = nodes.indices.reduce(0) { sum, index in
            guard case .base(let base) = plan.choices[index] else { return sum + nodes[index].alone }
            return sum + (nodes[index].bases.first { $0.node == base }?.bytes ?? .max / 64)
        }
        #expect(bytes == plan.bytes)
    }

    @Test("a plan is the best there is, or within a hundredth of it", arguments: 0..<20)
    func nearOptimum(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let nodes = line(8, &random)
        let best = optimum(nodes, 4)
        let plan = ChainPlan(nodes, maximumDepth: 4)
        #expect(plan.bytes >= best)
        #expect(Double(plan.bytes) <= 1.01 * Double(best), "seed \(seed)")
    }

    @Test("what is written against a base outside stays so only where that is smaller and not too deep")
    func outside() {
        func choice(bytes: Int, depth: Int) -> ChainPlan.Choice {
            let nodes = [
                ChainPlan.Node(alone: 100, bases: []),
                ChainPlan.Node(alone: 100, bases: [(0, 20)], asItIs: (bytes, depth)),
            ]
            return ChainPlan(nodes, maximumDepth: 4).choices[1]
        }
        #expect(choice(bytes: 5, depth: 3) == .asItIs)
        #expect(choice(bytes: 30, depth: 3) == .base(0))
        #expect(choice(bytes: 5, depth: 5) == .base(0))
    }
}
