import Foundation
import PawlCore
import PawlGate
import PawlRegistry
import Testing

@testable import PawlWorkflow

@Suite("What a line learned and kept", .tags(.register))
struct TransferTests {
    @Test("after two skills the figures are those of the matrix, and the plot has a curve for each suite")
    func twoSkills() async throws {
        let world = try World()
        let first = try await world.register("alpha").candidate
        let second = try await world.register("beta").candidate
        let registry = world.registry
        func score(_ suite: String, _ checkpoint: Digest) throws -> Double {
            let digest = try #require(try registry.activeSuite(suite)).digest
            return try #require(try registry.matrix()[checkpoint, digest]).score
        }
        let report = try world.workflow().transfer()
        #expect(report.skills == ["alpha", "beta"])
        let average = (try score("alpha", second) + score("beta", second)) / 2
        #expect(abs(try #require(report.metrics.averageAccuracy) - average) < 1e-12)
        let backward = try score("alpha", second) - score("alpha", first)
        #expect(abs(try #require(report.metrics.backwardTransfer) - backward) < 1e-12)
        #expect(report.general.map(\.suite) == ["general"])
        // Nobody measured beta on the base, so what learning alpha did for it is not known.
        #expect(report.metrics.forwardTransfer == nil)

        let svg = ScorePlot(try registry.matrix()).svg
        #expect(svg.components(separatedBy: "<polyline").count - 1 == 3)
        #expect(svg.contains("alpha") && svg.contains(first.hex.prefix(8)))
    }
}
