internal import Foundation
internal import GRDB
internal import PawlCore

/// The tables. A migration, once released, is never changed: the next change of the schema is a new one
/// (schemas/pawl.sql shows the result of all of them; a test compares).
enum Schema {
    /// Tables that a replay of the journal fills, in an order in which foreign keys hold.
    static let derivedTables = [
        "journal", "suite", "skill", "checkpoint", "reference", "evaluation", "noise", "verdict",
        "verdict_suite",
        "attempt",
        "anchor",
    ]

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { try $0.execute(sql: version1) }
        migrator.registerMigration("2") { try $0.execute(sql: version2) }
        return migrator
    }

    private static let version1 = """
        CREATE TABLE journal (
            sequence INTEGER PRIMARY KEY CHECK (sequence > 0),
            digest TEXT NOT NULL UNIQUE CHECK (length(digest) = 64),
            previous TEXT UNIQUE REFERENCES journal (digest),
            time TEXT NOT NULL,
            actor TEXT NOT NULL,
            kind TEXT NOT NULL,
            checkpoint TEXT,
            skill TEXT,
            suite TEXT,
            verdict TEXT,
            reason TEXT,
            body TEXT NOT NULL,
            CHECK ((sequence = 1) = (previous IS NULL))
        ) STRICT;
        CREATE INDEX journal_checkpoint ON journal (checkpoint, kind);

        CREATE TABLE suite (
            digest TEXT PRIMARY KEY NOT NULL CHECK (length(digest) = 64),
            name TEXT NOT NULL,
            version TEXT NOT NULL,
            tree TEXT NOT NULL,
            skill TEXT,
            family TEXT NOT NULL,
            metric TEXT NOT NULL,
            margin TEXT NOT NULL,
            added TEXT NOT NULL,
            active INTEGER NOT NULL CHECK (active IN (0, 1)),
            UNIQUE (name, version)
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX suite_active ON suite (name) WHERE active = 1;

        CREATE TABLE skill (
            digest TEXT PRIMARY KEY NOT NULL CHECK (length(digest) = 64),
            name TEXT NOT NULL,
            version TEXT NOT NULL,
            suite TEXT NOT NULL REFERENCES suite (digest),
            registered TEXT NOT NULL,
            sequence INTEGER NOT NULL REFERENCES journal (sequence),
            UNIQUE (name, version)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE checkpoint (
            digest TEXT PRIMARY KEY NOT NULL CHECK (length(digest) = 64),
            parent TEXT REFERENCES checkpoint (digest),
            origin TEXT NOT NULL CHECK (origin IN ('base', 'register', 'import')),
            status TEXT NOT NULL
                CHECK (status IN ('base', 'candidate', 'accepted', 'rejected', 'inconclusive', 'waived')),
            skill TEXT,
            skill_version TEXT,
            skill_digest TEXT REFERENCES skill (digest),
            engine TEXT,
            engine_version TEXT,
            recipe TEXT,
            manifest TEXT NOT NULL,
            created TEXT NOT NULL,
            collected TEXT,
            sequence INTEGER NOT NULL REFERENCES journal (sequence),
            CHECK ((origin = 'base') = (parent IS NULL)),
            CHECK (parent <> digest),
            CHECK ((skill IS NULL) = (skill_version IS NULL) AND (skill IS NULL) = (skill_digest IS NULL)),
            CHECK ((engine IS NULL) = (engine_version IS NULL))
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE reference (
            name TEXT PRIMARY KEY NOT NULL,
            checkpoint TEXT NOT NULL REFERENCES checkpoint (digest),
            updated TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE evaluation (
            checkpoint TEXT NOT NULL REFERENCES checkpoint (digest),
            suite TEXT NOT NULL REFERENCES suite (digest),
            settings TEXT NOT NULL CHECK (length(settings) = 64),
            evidence TEXT NOT NULL CHECK (length(evidence) = 64),
            score REAL NOT NULL,
            count INTEGER NOT NULL CHECK (count > 0),
            lower REAL NOT NULL,
            upper REAL NOT NULL CHECK (upper >= lower),
            engine TEXT NOT NULL,
            engine_version TEXT NOT NULL,
            created TEXT NOT NULL,
            document TEXT NOT NULL CHECK (length(document) = 64),
            sequence INTEGER NOT NULL REFERENCES journal (sequence),
            PRIMARY KEY (checkpoint, suite, settings)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE verdict (
            digest TEXT PRIMARY KEY NOT NULL CHECK (length(digest) = 64),
            registration TEXT,
            candidate TEXT NOT NULL REFERENCES checkpoint (digest),
            parent TEXT REFERENCES checkpoint (digest),
            decision TEXT NOT NULL CHECK (decision IN ('accept', 'reject', 'inconclusive', 'none')),
            kind TEXT NOT NULL CHECK (kind IN ('registration', 'gate_run', 'import')),
            created TEXT NOT NULL,
            sequence INTEGER NOT NULL UNIQUE REFERENCES journal (sequence)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX verdict_candidate ON verdict (candidate, sequence);

        CREATE TABLE verdict_suite (
            verdict TEXT NOT NULL REFERENCES verdict (digest),
            position INTEGER NOT NULL,
            name TEXT NOT NULL,
            suite TEXT NOT NULL REFERENCES suite (digest),
            role TEXT NOT NULL CHECK (role IN ('prior', 'new')),
            anchor TEXT NOT NULL REFERENCES checkpoint (digest),
            state TEXT NOT NULL CHECK (state IN ('held', 'regressed', 'undecided', 'gained', 'not_gained')),
            difference REAL NOT NULL,
            lower REAL NOT NULL,
            upper REAL NOT NULL CHECK (upper >= lower),
            margin REAL NOT NULL,
            alpha REAL NOT NULL,
            attempt INTEGER CHECK (attempt > 0),
            count INTEGER NOT NULL CHECK (count > 0),
            candidate_score REAL NOT NULL,
            anchor_score REAL NOT NULL,
            lost INTEGER NOT NULL,
            won INTEGER NOT NULL,
            PRIMARY KEY (verdict, position),
            UNIQUE (verdict, role, suite)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX verdict_suite_suite ON verdict_suite (suite);

        CREATE TABLE attempt (
            suite TEXT NOT NULL REFERENCES suite (digest),
            anchor TEXT NOT NULL REFERENCES checkpoint (digest),
            number INTEGER NOT NULL CHECK (number > 0),
            verdict TEXT NOT NULL REFERENCES verdict (digest),
            PRIMARY KEY (suite, anchor, number),
            UNIQUE (suite, anchor, verdict)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE anchor (
            line TEXT NOT NULL REFERENCES checkpoint (digest),
            name TEXT NOT NULL,
            suite TEXT NOT NULL REFERENCES suite (digest),
            anchor TEXT NOT NULL REFERENCES checkpoint (digest),
            PRIMARY KEY (line, name)
        ) STRICT, WITHOUT ROWID;

        -- Not derived from the journal: who is at work now.
        CREATE TABLE lease (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            token TEXT NOT NULL UNIQUE,
            owner TEXT NOT NULL,
            operation TEXT NOT NULL,
            acquired TEXT NOT NULL,
            heartbeat TEXT NOT NULL
        ) STRICT;
        """

    /// Second runs of anchors; openings of sealed items.
    private static let version2 = """
        CREATE TABLE noise (
            checkpoint TEXT NOT NULL REFERENCES checkpoint (digest),
            suite TEXT NOT NULL REFERENCES suite (digest),
            settings TEXT NOT NULL CHECK (length(settings) = 64),
            first TEXT NOT NULL CHECK (length(first) = 64),
            second TEXT NOT NULL CHECK (length(second) = 64),
            count INTEGER NOT NULL CHECK (count > 0),
            changed INTEGER NOT NULL CHECK (changed BETWEEN 0 AND count),
            flips INTEGER NOT NULL CHECK (flips BETWEEN 0 AND changed),
            created TEXT NOT NULL,
            sequence INTEGER NOT NULL REFERENCES journal (sequence),
            PRIMARY KEY (checkpoint, suite, settings)
        ) STRICT, WITHOUT ROWID;
        ALTER TABLE verdict_suite ADD COLUMN opening INTEGER CHECK (opening > 0);
        """

    /// The statements that make the schema, as SQLite keeps them: what schemas/pawl.sql holds.
    static func dump(_ db: Database) throws -> String {
        let statements = try String.fetchAll(
            db,
            sql: """
                SELECT sql FROM sqlite_master
                WHERE sql IS NOT NULL AND name NOT LIKE 'grdb\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
                ORDER BY tbl_name, type DESC, name
                """)
        return statements.map { $0 + ";\n" }.joined(separator: "\n")
    }

    /// Every derived row as text, by table: equal databases have equal dumps.
    static func rows(_ db: Database) throws -> [String: [String]] {
        var tables: [String: [String]] = [:]
        for table in derivedTables {
            let columns = try db.columns(in: table).map(\.name)
            let quoted = columns.map { "quote(\"\($0)\")" }.joined(separator: " || ', ' || ")
            tables[table] = try String.fetchAll(
                db, sql: "SELECT \(quoted) AS line FROM \(table) ORDER BY line")
        }
        return tables
    }
}

extension Registry {
    /// Opens the database and brings its schema up to date. The caller holds the registry's lock: GRDB reads the
    /// applied migrations outside their transaction, so two processes would both run the first one.
    static func openDatabase(_ file: URL) throws -> DatabasePool {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.foreignKeysEnabled = true
        configuration.label = "pawl"
        return try wrapping(file.path) {
            let pool = try DatabasePool(path: file.path, configuration: configuration)
            let migrator = Schema.migrator
            guard try !pool.read(migrator.hasBeenSuperseded) else {
                throw PawlError(
                    .unsupported, "\(file.path) was made by a newer Pawl; this is \(PawlVersion.current)",
                    hint: "use a newer Pawl")
            }
            try migrator.migrate(pool)
            // GRDB's own set-up puts NORMAL, with which a committed promotion may be lost in a power cut.
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            return pool
        }
    }
}
