internal import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlRegistry
internal import PawlStore

extension Workflow {
    /// Opens the sealed items of every suite of a plan: candidate and anchor answer them, and the rule of the open items
    /// decides, at the alpha of this opening. Called only when nothing else stands between a candidate and main.
    ///
    /// Neither side's answers become evaluations, so no score, matrix or plan ever shows them; the verdict keeps them as
    /// evidence.
    func openSealed(_ candidate: Digest, plan: [JudgedSuite], engine name: String) async throws
        -> [SuiteComparison]
    {
        let closed = try plan.compactMap { judged in
            try load(judged.suite).sealed.map { (judged: judged, part: $0) }
        }
        guard !closed.isEmpty else { return [] }
        notice(
            "  everything holds: opening the sealed items of \(closed.map(\.part.name).joined(separator: ", "))"
        )
        func answers(_ checkpoint: Digest, _ places: [Int]) async throws -> [Int: Evidence] {
            let found = try await answer(
                places.map { (closed[$0].part.name, closed[$0].part) }, on: checkpoint, engine: name)
            return Dictionary(uniqueKeysWithValues: zip(places, found))
        }
        // A suite that is learned again stands in the plan twice, and an engine takes each once in a call.
        var mine: [Int: Evidence] = [:]
        for role in SuiteRole.allCases {
            mine.merge(
                try await answers(candidate, closed.indices.filter { closed[$0].judged.role == role })
            ) { $1 }
        }
        var theirs: [Int: Evidence] = [:]
        for place in closed.indices {
            theirs.merge(try await answers(closed[place].judged.anchor, [place])) { $1 }
        }
        return try closed.indices.compactMap { place in
            guard let candidate = mine[place], let anchor = theirs[place] else { return nil }
            for evidence in [candidate, anchor] { try registry.store.putDocument(evidence.bytes) }
            return try compareSealed(closed[place].judged, closed[place].part, candidate, anchor)
        }
    }

    private func compareSealed(
        _ judged: JudgedSuite, _ part: Suite, _ candidate: Evidence, _ anchor: Evidence
    ) throws -> SuiteComparison {
        let opening = try registry.openings(suite: part.digest, anchor: judged.anchor) + 1
        switch judged.role {
        case .new:
            return try .new(
                part, candidate: candidate, parent: judged.anchor, parentEvidence: anchor, attempt: opening)
        case .prior:
            guard let margin = judged.margin else {
                throw PawlError(.internalError, "suite \(part.name) has no frozen margin")
            }
            return try .prior(
                part, candidate: candidate, anchor: judged.anchor, anchorEvidence: anchor, margin: margin,
                attempt: opening)
        }
    }
}
