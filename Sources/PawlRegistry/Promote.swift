internal import GRDB
public import PawlCore
internal import PawlStore

extension Registry {
    /// Makes an accepted candidate `main`.
    ///
    /// Anchors move with it: the suite of the acquired skill is anchored at the candidate, and so is a prior
    /// suite on which it was shown superior (lower bound above 0). Fails with `conflict` when main is not
    /// `main` any more, was not the verdict's parent, or has a suite in force that the verdict left out.
    @discardableResult
    public func promote(_ candidate: Digest, expecting main: Digest, by verdict: Digest) throws
        -> JournalEntry
    {
        try commit { db in
            let current = try Self.main(db)
            if current == candidate, let last = try Self.moves(db, to: candidate).last,
                last.verdict == verdict
            {
                return .done(last)
            }
            try requireMain(main, current)
            let checkpoint = try requireKept(candidate, db)
            let record = try Self.verdict(verdict, db)
            try requireAcceptance(of: checkpoint, record, db)
            guard record.parent == nil || record.parent == main, checkpoint.parent == main else {
                throw PawlError(
                    .conflict, "checkpoint \(candidate.short) was judged against a main that is gone",
                    hint: "register it again from main, or use pawl promote \(candidate.short) --waive REASON"
                )
            }
            try requireCoverage(record, main: main, db)
            let anchors = try anchorsAfter(checkpoint, record, db)
            return .write(
                Draft(
                    kind: .promotion, checkpoint: candidate, skill: checkpoint.acquisition?.skill,
                    verdict: verdict,
                    body: MoveBody(from: main, to: candidate, anchors: anchors, documents: [verdict])))
        }
    }

    /// Makes a checkpoint `main` without an ACCEPT verdict; the journal keeps the reason.
    @discardableResult
    public func waive(_ candidate: Digest, reason: String, expecting main: Digest) throws -> JournalEntry {
        let reason = try checkedReason(reason, "a waiver")
        return try commit { db in
            let current = try Self.main(db)
            if current == candidate, let last = try Self.moves(db, to: candidate).last, last.kind == .waiver,
                last.reason == reason
            {
                return .done(last)
            }
            try requireMain(main, current)
            guard candidate != main else {
                throw PawlError(.usage, "checkpoint \(candidate.short) is main already")
            }
            let checkpoint = try requireKept(candidate, db)
            let record = try Self.verdicts(of: candidate, db).first { $0.kind != .gateRun }
            // A former main comes back with the anchors that its line had.
            let anchors = try Self.wasMain(candidate, db) ? nil : anchorsAfter(checkpoint, record, db)
            return .write(
                Draft(
                    kind: .waiver, checkpoint: candidate, skill: checkpoint.acquisition?.skill,
                    verdict: record?.digest, reason: reason,
                    body: MoveBody(
                        from: main, to: candidate, anchors: anchors,
                        documents: record.map { [$0.digest] } ?? [])))
        }
    }

    /// Takes `main` back to a checkpoint that was main before; its anchors are in force again.
    ///
    /// Any other target is a usage error: going somewhere new is a promotion.
    @discardableResult
    public func rollback(to checkpoint: Digest, reason: String, expecting main: Digest) throws -> JournalEntry
    {
        let reason = try checkedReason(reason, "a rollback")
        return try commit { db in
            let current = try Self.main(db)
            if current == checkpoint, let last = try Self.moves(db, to: checkpoint).last,
                last.kind == .rollback,
                last.reason == reason
            {
                return .done(last)
            }
            try requireMain(main, current)
            guard checkpoint != main else {
                throw PawlError(.usage, "checkpoint \(checkpoint.short) is main already")
            }
            let target = try requireKept(checkpoint, db)
            guard try Self.wasMain(checkpoint, db) else {
                throw PawlError(
                    .usage,
                    "checkpoint \(checkpoint.short) has never been main, so there is no going back to it",
                    hint: "pawl promote \(checkpoint.short) --waive REASON makes it main")
            }
            let givenUp = try Self.givenUp(from: main, to: checkpoint, db)
            return .write(
                Draft(
                    kind: .rollback, checkpoint: target.digest, reason: reason,
                    body: MoveBody(from: main, to: checkpoint, givenUp: givenUp, documents: [])))
        }
    }

    /// Closes a registration that will not be resumed, and says so in the journal.
    @discardableResult
    public func abandon(_ registration: String, reason: String) throws -> JournalEntry {
        let reason = try checkedReason(reason, "giving up a registration")
        var state = try self.registration(registration)
        let entry = try commit { db in
            let known = try Self.entries(db, kind: .registrationAbandoned)
            if let entry = try known.last(where: {
                try $0.body(as: AbandonBody.self).registration == registration
            }) {
                return .done(entry)
            }
            guard state.finished == nil else {
                throw PawlError(
                    .usage,
                    "registration \(registration) is finished (\(state.outcome ?? "without an outcome"))")
            }
            return .write(
                Draft(
                    kind: .registrationAbandoned, checkpoint: state.parent, skill: state.skill,
                    reason: reason,
                    body: AbandonBody(registration: registration, documents: [])))
        }
        if state.finished == nil {
            state.finished = entry.time
            state.outcome = "abandoned"
            try save(state)
        }
        return entry
    }

    private func checkedReason(_ reason: String, _ what: String) throws -> String {
        let words = reason.split(whereSeparator: \.isWhitespace)
        guard !words.isEmpty else { throw PawlError(.usage, "\(what) needs a reason: the journal keeps it") }
        return reason
    }

    private func requireMain(_ expected: Digest, _ current: Digest) throws {
        guard expected == current else {
            throw PawlError(
                .conflict, "main is \(current.short) now, not \(expected.short): somebody else moved it",
                hint: "look at pawl log, then run the command again")
        }
    }

    /// A checkpoint whose weights are in the store.
    ///
    /// `notFound` when the registry does not know it or its weights were collected, `corrupt` when what says which
    /// weights they are is lost or damaged.
    public func keptCheckpoint(_ digest: Digest) throws -> Checkpoint {
        try read { try requireKept(digest, $0) }
    }

    private func requireKept(_ digest: Digest, _ db: Database) throws -> Checkpoint {
        let checkpoint = try Self.checkpoint(digest, db)
        if let collected = checkpoint.collected {
            throw PawlError(
                .notFound, "the weights of checkpoint \(digest.short) were collected at \(collected)")
        }
        do {
            _ = try store.tree(digest)
        } catch let error as PawlError where error.code == .notFound {
            throw PawlError(
                .corrupt, "the tree of checkpoint \(digest.short) is missing from the store",
                hint: "pawl verify says what else is")
        }
        return checkpoint
    }

    private func requireAcceptance(of candidate: Checkpoint, _ verdict: VerdictRecord, _ db: Database) throws
    {
        guard verdict.candidate == candidate.digest, verdict.decision == .accept, verdict.kind != .gateRun
        else {
            throw PawlError(
                .conflict,
                "verdict \(verdict.digest.short) does not accept checkpoint \(candidate.digest.short)",
                hint: "pawl promote \(candidate.digest.short) --waive REASON goes on without one")
        }
        let latest = try Self.verdicts(of: candidate.digest, db).first { $0.kind != .gateRun }
        guard latest?.digest == verdict.digest else {
            throw PawlError(
                .conflict,
                "a later verdict on checkpoint \(candidate.digest.short) says \(latest?.decision.rawValue ?? "none")"
            )
        }
    }

    /// Every suite in force on main must have been judged, or a suite that was added after the plan would be
    /// passed by.
    private func requireCoverage(_ verdict: VerdictRecord, main: Digest, _ db: Database) throws {
        for anchor in try Self.anchors(at: main, db) {
            let isCovered = verdict.suites.contains { row in
                (row.role == .prior && row.suite == anchor.suite && row.anchor == anchor.anchor)
                    || (row.role == .new && row.name == anchor.name && row.suite != anchor.suite)
            }
            guard isCovered else {
                throw PawlError(
                    .conflict,
                    "verdict \(verdict.digest.short) does not judge suite \(anchor.name) against "
                        + "\(anchor.anchor.short), which is in force on main",
                    hint: "register again: the same training is then judged by every suite in force; or use "
                        + "pawl promote \(verdict.candidate.short) --waive REASON")
            }
        }
    }

    /// The anchors of the line that a candidate extends, once it is main.
    private func anchorsAfter(
        _ candidate: Checkpoint, _ verdict: VerdictRecord?, _ db: Database
    ) throws -> [MoveBody.AnchorItem] {
        guard let parent = candidate.parent else { return [] }
        var anchors: [String: (suite: Digest, anchor: Digest)] = [:]
        for anchor in try Self.anchors(at: parent, db) {
            anchors[anchor.name] = (anchor.suite, anchor.anchor)
        }
        for row in verdict?.suites ?? [] where row.role == .prior && row.state == .held && row.lower > 0 {
            if let current = anchors[row.name], current.suite == row.suite, current.anchor == row.anchor {
                anchors[row.name] = (row.suite, candidate.digest)
            }
        }
        // Learning a skill again moves its anchor like any other: only to a checkpoint shown superior to it.
        if let suite = try Self.acquiredSuite(of: candidate, db), anchors[suite.name]?.suite != suite.digest {
            anchors[suite.name] = (suite.digest, candidate.digest)
        }
        return anchors.sorted { $0.key < $1.key }
            .map { MoveBody.AnchorItem(name: $0.key, suite: $0.value.suite, anchor: $0.value.anchor) }
    }
}
