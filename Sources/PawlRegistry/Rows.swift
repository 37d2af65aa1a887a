internal import GRDB
internal import PawlCore

/// Rows of the database as the types that callers see.
extension Checkpoint {
    init(_ row: Row) throws {
        var acquisition: Acquisition?
        if let skill: String = row["skill"], let version: String = row["skill_version"] {
            acquisition = Acquisition(skill: skill, version: version, digest: try row.digest("skill_digest"))
        }
        var engine: EngineIdentity?
        if let name: String = row["engine"], let version: String = row["engine_version"] {
            engine = EngineIdentity(name: name, version: version)
        }
        self.init(
            digest: try row.digest("digest"), parent: try row.optionalDigest("parent"),
            origin: try row.choice("origin"), status: try row.choice("status"), acquisition: acquisition,
            engine: engine, recipe: try row.json("recipe"), manifest: try row.digest("manifest"),
            created: try row.timestamp("created"), collected: try row.optionalTimestamp("collected"))
    }
}

extension SkillRecord {
    init(_ row: Row) throws {
        self.init(
            name: row["name"], version: row["version"], digest: try row.digest("digest"),
            suite: try row.digest("suite"), registered: try row.timestamp("registered"))
    }
}

extension SuiteRecord {
    init(_ row: Row) throws {
        self.init(
            name: row["name"], version: row["version"], digest: try row.digest("digest"),
            tree: try row.digest("tree"), skill: row["skill"], family: row["family"], metric: row["metric"],
            margin: try row.json("margin") ?? .null, added: try row.timestamp("added"))
    }
}

extension EvaluationRecord {
    init(_ row: Row) throws {
        self.init(
            checkpoint: try row.digest("checkpoint"), suite: try row.digest("suite"),
            settings: try row.digest("settings"), evidence: try row.digest("evidence"), score: row["score"],
            count: row["count"], lower: row["lower"], upper: row["upper"],
            engine: EngineIdentity(name: row["engine"], version: row["engine_version"]),
            created: try row.timestamp("created"))
    }
}

extension VerdictRecord {
    init(_ row: Row, _ db: Database) throws {
        let digest = try row.digest("digest")
        let suites = try Row.fetchAll(
            db, sql: "SELECT * FROM verdict_suite WHERE verdict = ? ORDER BY position",
            arguments: [digest.hex])
        self.init(
            digest: digest, registration: row["registration"], candidate: try row.digest("candidate"),
            parent: try row.optionalDigest("parent"), decision: try row.choice("decision"),
            kind: try row.choice("kind"), created: try row.timestamp("created"),
            suites: try suites.map(VerdictSuite.init))
    }
}

extension VerdictSuite {
    init(_ row: Row) throws {
        self.init(
            name: row["name"], suite: try row.digest("suite"), role: try row.choice("role"),
            anchor: try row.digest("anchor"), state: try row.choice("state"), difference: row["difference"],
            lower: row["lower"], upper: row["upper"], margin: row["margin"], alpha: row["alpha"],
            attempt: row["attempt"], count: row["count"], candidateScore: row["candidate_score"],
            anchorScore: row["anchor_score"], lost: row["lost"], won: row["won"],
            opening: row["opening"])
    }
}

extension Attempt {
    init(_ row: Row) throws {
        self.init(
            suite: try row.digest("suite"), anchor: try row.digest("anchor"),
            verdict: try row.digest("verdict"),
            number: row["number"])
    }
}

extension Reference {
    init(_ row: Row) throws {
        self.init(
            name: row["name"], checkpoint: try row.digest("checkpoint"), updated: try row.timestamp("updated")
        )
    }
}

extension Anchor {
    init(_ row: Row) throws {
        self.init(
            line: try row.digest("line"), name: row["name"], suite: try row.digest("suite"),
            anchor: try row.digest("anchor"))
    }
}

extension JournalEntry {
    init(_ row: Row) throws {
        self.init(
            sequence: row["sequence"], digest: try row.digest("digest"),
            previous: try row.optionalDigest("previous"), time: try row.timestamp("time"),
            actor: row["actor"],
            kind: try row.choice("kind"), checkpoint: try row.optionalDigest("checkpoint"),
            skill: row["skill"],
            suite: try row.optionalDigest("suite"), verdict: try row.optionalDigest("verdict"),
            reason: row["reason"], body: try row.json("body") ?? .null)
    }
}
