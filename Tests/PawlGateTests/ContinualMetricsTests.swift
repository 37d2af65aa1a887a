import PawlGate
import Testing

@Suite("Figures of continual learning")
struct ContinualMetricsTests {
    // Worked by hand from the definitions.
    private let scores: [[Double?]] = [[0.8, 0.2, 0.1], [0.9, 0.7, 0.3], [0.6, 0.5, 0.9]]

    @Test("three tasks, by hand")
    func byHand() throws {
        let metrics = ContinualMetrics(scores: scores, base: [0.1, 0.1, 0.1])
        func near(_ value: Double?, _ expected: Double) -> Bool { abs((value ?? .nan) - expected) < 1e-12 }
        #expect(near(metrics.averageAccuracy, 2.0 / 3))
        #expect(near(metrics.backwardTransfer, ((0.6 - 0.8) + (0.5 - 0.7)) / 2))
        #expect(near(metrics.forwardTransfer, ((0.2 - 0.1) + (0.3 - 0.1)) / 2))
        // The best of task 1 was after task 2.
        #expect(near(metrics.forgetting, ((0.9 - 0.6) + (0.7 - 0.5)) / 2))
    }

    @Test("what was not measured has no figure, and one task no transfer")
    func missing() {
        var holes = scores
        holes[1][0] = nil
        let metrics = ContinualMetrics(scores: holes, base: [0.1, nil, 0.1])
        #expect(metrics.forgetting == nil && metrics.forwardTransfer == nil)
        #expect(metrics.averageAccuracy != nil && metrics.backwardTransfer != nil)
        let one = ContinualMetrics(scores: [[0.5]], base: [0.1])
        #expect(one.averageAccuracy == 0.5 && one.backwardTransfer == nil && one.forgetting == nil)
        #expect(ContinualMetrics(scores: [], base: []).averageAccuracy == nil)
    }
}
