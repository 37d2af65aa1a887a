internal import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlRegistry
internal import PawlStore

extension Workflow {
    /// Items that an engine is asked again which promises the same bits.
    static let promisedSample = 64

    /// Runs every anchor that was run once only a second time, and keeps by how much it differs from itself: once for
    /// each anchor, suite and way of evaluating.
    ///
    /// An engine that states its arithmetic promises the same answers to the same items: a sample of them shows whether
    /// that holds, and where it does not, all of them are run again.
    func measureNoise(_ plan: [JudgedSuite], engine name: String) async throws {
        let priors = plan.filter { $0.role == .prior }
        let first = try await measure(
            priors.map { MeasurementTask(checkpoint: $0.anchor, suite: $0.suite) }, engine: name)
        let open = try first.filter { try noise(of: $0.record) == nil }
        guard !open.isEmpty else { return }
        notice("  running the anchors of \(open.map(\.suite.name).joined(separator: ", ")) a second time")
        var records: [NoiseRecord] = []
        let byAnchor = Dictionary(grouping: open) { $0.record.checkpoint }
        for (anchor, measurements) in byAnchor.sorted(by: { $0.key < $1.key }) {
            let again = try await runAgain(measurements, on: anchor, engine: name)
            for (measured, second) in zip(measurements, again) {
                records.append(try record(measured, second))
            }
        }
        try registry.record(noise: records)
    }

    private func runAgain(_ measurements: [Measurement], on anchor: Digest, engine name: String) async throws
        -> [EvaluationRecord]
    {
        let suites = try measurements.map { try load($0.suite) }
        let promises = try suites.map { try engine(for: $0, else: name).identify().arithmetic != nil }
        let samples = zip(suites, promises).map { $1 ? $0.sample(Self.promisedSample) : $0 }
        let answers = try await answer(
            Array(zip(measurements.map(\.suite.name), samples)), on: anchor, engine: name)
        var records = try zip(suites, answers).map { try evaluation(of: anchor, $0, $1, engine: name) }
        let broken = try measurements.indices.filter {
            try promises[$0] && Noise(evidence(measurements[$0].record, suites[$0]), answers[$0]).isNoisy
        }
        let whole = try await run(broken.map { measurements[$0].suite }, on: anchor, engine: name)
        for (index, record) in zip(broken, whole) { records[index] = record }
        return records
    }

    private func record(_ measured: Measurement, _ second: EvaluationRecord) throws -> NoiseRecord {
        let suite = try load(measured.suite)
        let noise = try Noise(evidence(measured.record, suite), evidence(second, suite))
        if noise.isNoisy {
            notice(
                "  \(suite.name): two runs of \(second.checkpoint.short) differ in \(noise.changed) answers and "
                    + "\(noise.flips) scores of \(noise.count): it will be run again beside every candidate")
        }
        return NoiseRecord(
            checkpoint: second.checkpoint, suite: second.suite, settings: second.settings, first: noise.first,
            second: noise.second, count: noise.count, changed: noise.changed, flips: noise.flips)
    }

    private func noise(of record: EvaluationRecord) throws -> NoiseRecord? {
        try registry.noise(checkpoint: record.checkpoint, suite: record.suite, settings: record.settings)
    }

    /// The noise of an anchor as a verdict states it; nil where it was not run twice.
    func noise(of record: EvaluationRecord, on suite: Suite) throws -> Noise? {
        guard let known = try noise(of: record) else { return nil }
        return try Noise(
            evidence(at: known.first, of: record.checkpoint, suite),
            evidence(at: known.second, of: record.checkpoint, suite))
    }

    /// New answers of the anchors that differ from themselves, beside a candidate that has just been measured; the stored
    /// ones of the others. What was stored may have been a lucky draw, above all of an anchor that became one because
    /// its answers looked better.
    func anchorsBesideCandidate(_ plan: [JudgedSuite], engine name: String) async throws -> [Measurement] {
        var anchors = try await measure(
            plan.map { MeasurementTask(checkpoint: $0.anchor, suite: $0.suite) }, engine: name)
        let noisy = try plan.indices.filter { index in
            guard plan[index].role == .prior, let known = try noise(of: anchors[index].record) else {
                return false
            }
            return known.changed > 0
        }
        for (anchor, indices) in Dictionary(grouping: noisy, by: { plan[$0].anchor }).sorted(by: {
            $0.key < $1.key
        }) {
            let again = try await run(indices.map { plan[$0].suite }, on: anchor, engine: name)
            try registry.record(again)
            for (index, record) in zip(indices, again) {
                anchors[index] = Measurement(record: record, suite: plan[index].suite, isCached: false)
            }
        }
        return anchors
    }

    func evidence(at digest: Digest, of checkpoint: Digest, _ suite: Suite) throws -> Evidence {
        try Evidence(
            reading: registry.store.document(digest),
            source: "evidence of \(checkpoint.short) on \(suite.name)")
    }
}
