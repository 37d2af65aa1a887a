internal import GRDB
public import PawlCore
internal import PawlStore

extension Registry {
    /// Adds a suite, which becomes the active one of its name.
    ///
    /// A general suite guards main's line from now on, anchored at the base. Fails with `alreadyExists` when
    /// this version is known with other content, or the name belongs to another skill.
    @discardableResult
    public func addSuite(_ suite: SuiteRecord, documents: [Digest] = []) throws -> JournalEntry {
        try Name.check(suite.name, "name of a suite")
        try Name.checkVersion(suite.version, "version of suite \(suite.name)")
        return try commit { db in
            let known = try Self.suites(db, name: suite.name)
            if known.first(where: { $0.record.digest == suite.digest })?.isActive == true,
                let entry = try Self.entries(db, kind: .suiteAdded, suite: suite.digest).last
            {
                return .done(entry)
            }
            for (other, _) in known {
                guard other.skill == suite.skill else {
                    throw PawlError(
                        .alreadyExists,
                        "suite \(suite.name) is already there as \(Self.owner(other)), not as \(Self.owner(suite))",
                        hint: "give one of them another name")
                }
                guard other.version != suite.version || other.digest == suite.digest else {
                    throw PawlError(
                        .alreadyExists,
                        "suite \(suite.name) \(suite.version) is already there with other content",
                        hint: "raise \"version\" in its suite.json")
                }
            }
            try requireTree(suite.tree, "suite \(suite.name) \(suite.version)")
            let bytes = try RecordDocument.suite.bytes(suite)
            let record = Digest(of: bytes)
            return .write(
                Draft(
                    kind: .suiteAdded, skill: suite.skill, suite: suite.digest,
                    body: RecordBody(record: record, documents: documents + [record]), newDocuments: [bytes]))
        }
    }

    /// Adds a version of a skill; its suite is added before.
    ///
    /// Fails with `alreadyExists` when this version is known with other content.
    @discardableResult
    public func addSkill(_ skill: SkillRecord, documents: [Digest] = []) throws -> JournalEntry {
        try Name.check(skill.name, "name of a skill")
        try Name.checkVersion(skill.version, "version of skill \(skill.name)")
        return try commit { db in
            if try Self.skill(digest: skill.digest, db) != nil {
                let added = try Self.entries(db, kind: .skillAdded, skill: skill.name)
                if let entry = try added.last(where: { try records($0, skill) }) { return .done(entry) }
            }
            guard try Self.skill(named: skill.name, version: skill.version, db) == nil else {
                throw PawlError(
                    .alreadyExists,
                    "skill \(skill.name) \(skill.version) is already there with other content",
                    hint: "raise \"version\" in its skill.json")
            }
            guard try Self.suite(skill.suite, db).skill == skill.name else {
                throw PawlError(
                    .invalidArgument, "suite \(skill.suite.short) does not belong to skill \(skill.name)")
            }
            try requireTree(skill.digest, "skill \(skill.name) \(skill.version)")
            let bytes = try RecordDocument.skill.bytes(skill)
            let record = Digest(of: bytes)
            return .write(
                Draft(
                    kind: .skillAdded, skill: skill.name, suite: skill.suite,
                    body: RecordBody(record: record, documents: documents + [record]), newDocuments: [bytes]))
        }
    }

    private func records(_ entry: JournalEntry, _ skill: SkillRecord) throws -> Bool {
        let name = try entry.body(as: RecordBody.self).record
        return try RecordDocument.skill.decode(SkillRecord.self, from: store.document(name), name: name)
            .digest
            == skill.digest
    }

    private func requireTree(_ tree: Digest, _ what: String) throws {
        guard store.hasTree(tree) else {
            throw PawlError(.notFound, "the folder of \(what) (tree \(tree.hex)) is not in the store")
        }
    }

    private static func owner(_ suite: SuiteRecord) -> String {
        suite.skill.map { "a suite of skill \($0)" } ?? "a general suite"
    }
}
