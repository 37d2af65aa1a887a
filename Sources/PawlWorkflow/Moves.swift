public import PawlCore
public import PawlRegistry

/// A rollback before it is done: where it goes and what it costs.
public struct RollbackPlan: Sendable {
    /// Main as it is.
    public let main: Digest
    /// Where main would go.
    public let target: Digest
    /// Skills that this gives up, oldest first.
    public let givenUp: [Acquisition]
    /// Whether the target is on main's own line.
    public let isBehind: Bool

    /// What somebody should agree to first, in words; nil for a step back that gives up nothing.
    public var consequence: String? {
        guard isBehind else {
            return
                "\(target.short) was main once but is not on the line of main: a rollback or a waiver left it behind"
        }
        return givenUp.isEmpty ? nil : "this gives up \(givenUp.map(\.skill).joined(separator: ", "))"
    }
}

extension Workflow {
    /// Makes an accepted candidate main, or any checkpoint for a reason that the journal keeps.
    ///
    /// - Parameters:
    ///   - candidate: a reference or the first digits of a digest.
    ///   - waiver: the reason for going without an ACCEPT; nil for a promotion.
    public func promote(_ candidate: String, waiver: String?) throws -> JournalEntry {
        let candidate = try registry.resolve(candidate)
        let main = try registry.main()
        guard candidate != main else {
            throw PawlError(.usage, "checkpoint \(candidate.short) is main already")
        }
        if let waiver { return try registry.waive(candidate, reason: waiver, expecting: main) }
        guard let verdict = try registry.verdicts(of: candidate).first(where: { $0.kind != .gateRun }) else {
            throw PawlError(
                .conflict, "checkpoint \(candidate.short) has no verdict",
                hint: "pawl gate run \(candidate.short) judges it")
        }
        return try registry.promote(candidate, expecting: main, by: verdict.digest)
    }

    /// Where a rollback would go: to a checkpoint, to before a skill, or back by one; and what it gives up.
    public func rollbackPlan(to checkpoint: String?, skill: String?) throws -> RollbackPlan {
        let main = try registry.main()
        let target = try rollbackTarget(checkpoint, skill, main: main)
        return RollbackPlan(
            main: main, target: target, givenUp: try registry.givenUp(from: main, to: target),
            isBehind: try registry.line(of: main).contains { $0.digest == target })
    }

    /// Takes main back as planned; `conflict` when main has moved since.
    public func rollback(_ plan: RollbackPlan, reason: String) throws -> JournalEntry {
        try registry.rollback(to: plan.target, reason: reason, expecting: plan.main)
    }

    private func rollbackTarget(_ checkpoint: String?, _ skill: String?, main: Digest) throws -> Digest {
        if let checkpoint { return try registry.resolve(checkpoint) }
        if let skill { return try registry.beforeAcquiring(skill: skill) }
        // Along the line, not in time: after a rollback, the next one must not go forward again.
        for ancestor in try registry.line(of: main).dropFirst() where try registry.wasMain(ancestor.digest) {
            return ancestor.digest
        }
        throw PawlError(.usage, "main is the base: there is nothing to go back to")
    }
}
