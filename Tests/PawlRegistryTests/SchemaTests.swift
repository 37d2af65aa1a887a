import Foundation
import PawlCore
import PawlStore
import Testing

@testable import PawlRegistry

struct SchemaTests {
    static let schemas = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "schemas")

    @Test("schemas/pawl.sql is the migrated schema")
    func dump() throws {
        let fixture = try Fixture()
        let header =
            "-- The schema of pawl.db after all migrations (Sources/PawlRegistry/Schema.swift); a test compares.\n\n"
        let expected = header + (try fixture.registry.schema())
        let file = Self.schemas.appending(path: "pawl.sql")
        if ProcessInfo.processInfo.environment["PAWL_UPDATE_SNAPSHOTS"] == "1" {
            try Data(expected.utf8).write(to: file)
        }
        #expect(
            String(decoding: try Files.read(file), as: UTF8.self) == expected,
            "PAWL_UPDATE_SNAPSHOTS=1 writes it")
    }

    @Test("Writers wait, sync on every commit and check foreign keys")
    func settings() throws {
        let fixture = try Fixture()
        let settings = [
            ("synchronous", "2"), ("journal_mode", "wal"), ("foreign_keys", "1"), ("busy_timeout", "5000"),
        ]
        for (name, value) in settings { #expect(try fixture.registry.value("PRAGMA \(name)") == value) }
    }

    @Test("A database of a newer Pawl is refused, and so is a directory without a registry")
    func refusals() throws {
        let fixture = try Fixture()
        try fixture.registry.execute("INSERT INTO grdb_migrations VALUES ('99')")
        #expect(code { try fixture.reopened() } == .unsupported)
        #expect(code { try Registry(opening: fixture.directory.appending(path: "none")) } == .noRegistry)
        #expect(code { try Registry.rebuild(at: fixture.directory.appending(path: "none")) } == .noRegistry)
        #expect(!Files.exists(fixture.directory.appending(path: "none")))
    }

    @Test("Every document that a whole history writes fits its schema", .enabled(if: hasValidator))
    func documents() throws {
        let fixture = try Fixture()
        try fixture.history()
        try fixture.registry.save(
            Registration(
                skill: "science", parent: fixture.registry.main(), phase: "train", state: ["step": 3]))
        let folder = fixture.directory.appending(path: "documents")
        try Files.createDirectory(folder)
        var counts: [String: Int] = [:]
        func write(_ bytes: [UInt8], _ schema: String) throws {
            counts[schema, default: 0] += 1
            try Data(bytes).write(to: folder.appending(path: "\(schema)-\(counts[schema] ?? 0).json"))
        }
        let names = [
            "journal_entry": "journal-entry", "checkpoint": "checkpoint", "evaluation": "evaluation",
        ]
        for name in try fixture.registry.store.documents() {
            let bytes = try fixture.registry.store.document(name)
            guard let value = try? JSON.parse(bytes, source: ""), let type = value["type"]?.string else {
                continue
            }
            if let schema = names[type] { try write(bytes, schema) }
            // Records of skills and suites have their shapes in the entry's schema.
            if type == "skill" || type == "suite" { try write(bytes, "journal-entry.\(type)") }
        }
        for registration in try fixture.registry.registrations() {
            let file = fixture.registry.directory(of: registration.id).appending(path: "state.json")
            try write(try Files.read(file), "registration")
        }
        #expect(Set(counts.keys).count == 6, "\(counts)")
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-c", Self.validator, Self.schemas.path, folder.path]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text)")
    }

    static let validator = """
        import json, os, sys, jsonschema
        schemas, folder = sys.argv[1:]
        bad = 0
        for name in sorted(os.listdir(folder)):
            kind, _, part = name.rsplit("-", 1)[0].partition(".")
            schema = json.load(open(os.path.join(schemas, kind + ".json")))
            jsonschema.Draft202012Validator.check_schema(schema)
            if part:
                schema = {"$schema": schema["$schema"], "$ref": "#/$defs/" + part, "$defs": schema["$defs"]}
            value = json.load(open(os.path.join(folder, name)))
            for error in jsonschema.Draft202012Validator(schema).iter_errors(value):
                bad += 1
                print(name, error.json_path, error.message[:300])
        sys.exit(bad != 0)
        """

    static let hasValidator: Bool = {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-c", "import jsonschema"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()
}
