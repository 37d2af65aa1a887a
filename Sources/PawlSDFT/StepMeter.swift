internal import PawlModel

/// Where a step's time goes, and how much arithmetic that was.
final class StepMeter {
    private let clock = ContinuousClock()
    private var seconds: [StepPhase: Double] = [:]
    private var running: [StepPhase] = []
    private var last: ContinuousClock.Instant

    init() { last = clock.now }

    /// Counts the time of `body` to a phase; a phase inside another is taken out of it.
    func time<R>(_ phase: StepPhase, _ body: () throws -> R) rethrows -> R {
        book()
        running.append(phase)
        defer {
            book()
            running.removeLast()
        }
        return try body()
    }

    private func book() {
        let now = clock.now
        if let phase = running.last { seconds[phase, default: 0] += (now - last) / .seconds(1) }
        last = now
    }

    /// The step's numbers under the protocol's names, and an empty meter.
    ///
    /// - Parameters:
    ///   - work: what the step computed.
    ///   - tokens: prompt and answer tokens that the student learned from.
    func finish(_ work: StepWork, tokens: Int) -> Trainer.Metrics {
        var result: Trainer.Metrics = [:]
        for phase in StepPhase.allCases {
            result["seconds_\(phase.rawValue)"] = seconds[phase] ?? 0
            result["gflop_\(phase.rawValue)"] = work[phase].total / 1e9
        }
        result["tokens_read"] = Double(tokens)
        let all = seconds.values.reduce(0, +)
        if all > 0 { result["tokens_per_second"] = Double(tokens) / all }
        seconds = [:]
        return result
    }
}
