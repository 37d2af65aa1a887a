internal import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlRegistry
internal import PawlStore

extension Workflow {
    /// Measures a candidate on the items of the first so many looks of each suite; items of earlier looks are not asked
    /// again, and a suite that allows fewer looks gives all its items.
    func measure(
        _ candidate: Digest, on plan: [JudgedSuite], look index: Int, engine name: String
    ) async throws -> [Measurement] {
        var found: [Int: Measurement] = [:]
        var open: [(place: Int, part: Suite, asked: Suite, earlier: Evidence?)] = []
        for (place, judged) in plan.enumerated() {
            let suite = try load(judged.suite)
            let index = min(index, suite.looks)
            let part = suite.first(index)
            if let record = try known(part, of: suite, candidate, engine: name) {
                found[place] = Measurement(record: record, suite: judged.suite, isCached: true)
                continue
            }
            let earlier =
                try index > 1 ? stored(suite.first(index - 1), of: candidate, engine: name) : nil
            open.append(
                (
                    place, part, earlier == nil ? part : suite.adding(index),
                    try earlier.map { try evidence($0, suite) }
                ))
        }
        let answers = try await answer(
            open.map { (plan[$0.place].suite.name, $0.asked) }, on: candidate, engine: name)
        let records = try zip(open, answers).map { item, fresh in
            try evaluation(
                of: candidate, item.part, Evidence((item.earlier?.results ?? []) + fresh.results),
                engine: name)
        }
        if !records.isEmpty { try registry.record(records) }
        for (item, record) in zip(open, records) {
            found[item.place] = Measurement(record: record, suite: plan[item.place].suite, isCached: false)
        }
        return plan.indices.compactMap { found[$0] }
    }

    /// A stored result on a part of a suite; where the whole suite was measured, that part of it.
    private func known(
        _ part: Suite, of suite: Suite, _ candidate: Digest, engine: String
    ) throws -> EvaluationRecord? {
        if let record = try stored(part, of: candidate, engine: engine) { return record }
        guard let whole = try stored(suite, of: candidate, engine: engine) else { return nil }
        return try evaluation(
            of: candidate, part, evidence(whole, suite).restricted(to: part), engine: engine)
    }

    /// Judges a candidate look by look: what the first items of a suite do not decide, more of them may, until there are
    /// none, or another suite has rejected it already. Each look pays its share of the attempt (``Look``).
    func compareByLooks(
        _ candidate: Digest, plan: [JudgedSuite], anchors: [Measurement], isAttempt: Bool, engine: String
    ) async throws -> (comparisons: [SuiteComparison], measured: [Measurement]) {
        var comparisons: [Int: SuiteComparison] = [:]
        var measured: [Int: Measurement] = [:]
        for look in 1...Suite.mostLooks {
            let open = try plan.indices.filter { place in
                guard let known = comparisons[place] else { return true }
                return try known.state == .undecided && look <= load(plan[place].suite).looks
            }
            let isRejected = comparisons.values.contains { [.regressed, .notGained].contains($0.state) }
            guard !open.isEmpty, !isRejected else { break }
            if look > 1 {
                let names = open.map { plan[$0].suite.name }.joined(separator: ", ")
                notice("  undecided so far: look \(look) at \(names)")
            }
            let found = try await measure(
                candidate, on: open.map { plan[$0] }, look: look, engine: engine)
            for (place, measurement) in zip(open, found) {
                measured[place] = measurement
                comparisons[place] = try compare(
                    plan[place], candidate: measurement.record, anchor: anchors[place].record,
                    isAttempt: isAttempt, look: look)
            }
        }
        return (plan.indices.compactMap { comparisons[$0] }, plan.indices.compactMap { measured[$0] })
    }
}
