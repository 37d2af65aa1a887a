internal import GRDB
public import PawlCore

extension Registry {
    /// All versions of all skills, in the order in which they were registered.
    public func skills() throws -> [SkillRecord] {
        try read { try Row.fetchAll($0, sql: "SELECT * FROM skill ORDER BY sequence").map(SkillRecord.init) }
    }

    /// A version of a skill, the one registered last unless told otherwise; nil when there is none.
    public func skill(_ name: String, version: String? = nil) throws -> SkillRecord? {
        try read { try Self.skill(named: name, version: version, $0) }
    }

    /// A version of a skill by the digest of its folder; nil when there is none.
    public func skill(digest: Digest) throws -> SkillRecord? {
        try read { try Self.skill(digest: digest, $0) }
    }

    /// The active suites: general ones first, then by name.
    public func suites() throws -> [SuiteRecord] { try read { try Self.activeSuites($0) } }

    /// A suite in any version; `notFound` when the registry does not know it.
    public func suite(_ digest: Digest) throws -> SuiteRecord { try read { try Self.suite(digest, $0) } }

    /// The active suite of a name; nil when there is none.
    public func activeSuite(_ name: String) throws -> SuiteRecord? {
        try read { try Self.suites($0, name: name).first { $0.isActive }?.record }
    }

    static func skill(named name: String, version: String?, _ db: Database) throws -> SkillRecord? {
        try Row.fetchOne(
            db,
            sql: """
                SELECT * FROM skill WHERE name = ?1 AND (?2 IS NULL OR version = ?2) ORDER BY sequence DESC LIMIT 1
                """,
            arguments: [name, version]
        ).map(SkillRecord.init)
    }

    static func skill(digest: Digest, _ db: Database) throws -> SkillRecord? {
        try Row.fetchOne(db, sql: "SELECT * FROM skill WHERE digest = ?", arguments: [digest.hex])
            .map(SkillRecord.init)
    }

    static func activeSuites(_ db: Database) throws -> [SuiteRecord] {
        try Row.fetchAll(db, sql: "SELECT * FROM suite WHERE active = 1 ORDER BY skill IS NOT NULL, name")
            .map(SuiteRecord.init)
    }

    static func suite(_ digest: Digest, _ db: Database) throws -> SuiteRecord {
        let row = try Row.fetchOne(db, sql: "SELECT * FROM suite WHERE digest = ?", arguments: [digest.hex])
        guard let row else {
            throw PawlError(
                .notFound, "the registry has no suite \(digest.hex)",
                hint: "pawl suite add adds one; the suite of a skill comes with it")
        }
        return try SuiteRecord(row)
    }

    static func suites(_ db: Database, name: String) throws -> [(record: SuiteRecord, isActive: Bool)] {
        try Row.fetchAll(db, sql: "SELECT * FROM suite WHERE name = ?", arguments: [name])
            .map { (try SuiteRecord($0), $0["active"]) }
    }
}
