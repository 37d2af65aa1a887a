import Foundation
import PawlCore
import Testing

@testable import PawlEngines

@Suite("schemas/engine.json and schemas/protocol.json")
struct SchemaTests {
    private func schema(_ name: String) throws -> Schema {
        let url = Fixtures.repository.appending(path: "schemas/\(name).json")
        return Schema(root: try JSON.parse(Files.read(url), source: url.path))
    }

    @Test("every message of a real session fits the schema, and so do the files behind it")
    func session() async throws {
        let shop = try Workshop()
        let stub = try Fixtures.engine("stub")
        let training = try shop.training()
        let trained = try await stub.train(training, progress: nil)
        let evaluated = try await stub.evaluate(try shop.evaluation("capitals"), progress: nil)
        let refused = try await failure {
            var request = try shop.evaluation("capitals")
            request.model = ModelInput(
                directory: shop.root.appending(path: "nowhere"), digest: request.model.digest)
            return try await stub.evaluate(request, progress: nil)
        }
        #expect(refused.message.contains("internal"))
        let protocolSchema = try schema("protocol")
        var types: Set<String> = []
        for transcript in [trained.transcript, evaluated.transcript] {
            for line in try JSON.decodeLines(JSONValue.self, from: transcript.bytes, source: "transcript") {
                let message = try #require(line["message"])
                let party = line["from"] == "host" ? "host_message" : "engine_message"
                #expect(protocolSchema.problem(message, "#/$defs/\(party)") == nil, "\(message)")
                types.insert(message["type"]?.string ?? "")
            }
        }
        #expect(types == ["init", "ready", "train", "evaluate", "progress", "result", "shutdown"])
        for answer in evaluated.answers {
            let value = try JSON.parse(JSON.canonical(answer), source: "answer")
            #expect(protocolSchema.problem(value, "#/$defs/item_answer") == nil)
        }
        let probe = EngineProbe(model: try Fixtures.base.get())
        for (bytes, name) in [(probe.records, "training_record"), (probe.items, "item")] {
            for line in try JSON.decodeLines(JSONValue.self, from: bytes, source: name) {
                #expect(protocolSchema.problem(line, "#/$defs/\(name)") == nil)
            }
        }
    }

    @Test("every manifest that ships fits the schema, and the schema knows the fields that the code knows")
    func manifests() throws {
        let engineSchema = try schema("engine")
        let shipped = Fixtures.repository.appending(path: "registry")
        for match in PluginFolders(searchPath: [Fixtures.root, shipped]).all(.engine) {
            let manifest = try EngineManifest(folder: match.folder)
            let value = try JSON.parse(Files.read(match.manifest), source: match.name)
            #expect(engineSchema.problem(value) == nil, "\(match.name)")
            var full = manifest
            (full.licence, full.source) = ("Apache-2.0", "here")
            let written = try JSON.parse(JSON.canonical(full), source: match.name).object ?? [:]
            let known = engineSchema.root["properties"]?.object ?? [:]
            #expect(Set(written.keys) == Set(known.keys).subtracting(["$schema"]))
        }
    }

    @Test("the schema refuses what is wrong")
    func refuses() throws {
        let protocolSchema = try schema("protocol")
        for wrong: JSONValue in [
            ["type": "progress", "id": "1"], ["type": "error", "code": "oops", "message": "m"], ["type": "x"],
            ["type": "cancel"], ["type": "result", "id": "1", "files": []],
            ["type": "progress", "id": "1", "step": -1],
        ] { #expect(protocolSchema.problem(wrong) != nil, "\(wrong)") }
    }
}

/// As much of JSON Schema 2020-12 as the schemas of this package use; an unknown keyword is a problem.
struct Schema {
    let root: JSONValue

    /// The first thing wrong with a value, nil when it fits.
    func problem(_ value: JSONValue, _ reference: String = "#") -> String? {
        let parts = reference.dropFirst().split(separator: "/")
        guard let schema = parts.reduce(root as JSONValue?, { $0?[String($1)] }) else {
            return "no \(reference)"
        }
        return check(value, schema, "")
    }

    private func check(_ value: JSONValue, _ schema: JSONValue, _ place: String) -> String? {
        for (keyword, rule) in (schema.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            if let problem = check(value, keyword, rule, schema, place) { return "\(place): \(problem)" }
        }
        return nil
    }

    private func check(
        _ value: JSONValue, _ keyword: String, _ rule: JSONValue, _ schema: JSONValue, _ place: String
    ) -> String? {
        let members = value.object ?? [:]
        switch keyword {
        case "$schema", "$id", "$defs", "title", "description": return nil
        case "$ref": return problem(value, rule.string ?? "")
        case "const": return value == rule ? nil : "is not \(rule)"
        case "enum": return rule.array?.contains(value) == true ? nil : "\(value) is not allowed"
        case "type":
            let names = rule.array ?? [rule]
            return names.contains(where: { Self.isType(value, $0.string ?? "") })
                ? nil : "\(value) is no \(rule)"
        case "required":
            return rule.array?.compactMap(\.string).first { members[$0] == nil }.map { "\($0) is missing" }
        case "properties":
            return rule.object?.lazy.compactMap { name, part in
                members[name].flatMap { check($0, part, place + "." + name) }
            }.first
        case "additionalProperties":
            let known = schema["properties"]?.object ?? [:]
            return members.keys.first { known[$0] == nil }.map { "\($0) is unknown" }
        case "items": return value.array?.lazy.compactMap { check($0, rule, place + "[]") }.first
        case "minItems":
            return (value.array?.count).map { $0 >= rule.int ?? 0 } == false ? "is too short" : nil
        case "uniqueItems": return value.array.map { Set($0).count == $0.count } == false ? "repeats" : nil
        case "minLength": return value.string.map { $0.count >= rule.int ?? 0 } == false ? "is empty" : nil
        case "minimum": return value.double.map { $0 >= rule.double ?? 0 } == false ? "is too small" : nil
        case "maximum": return value.double.map { $0 <= rule.double ?? 0 } == false ? "is too large" : nil
        case "pattern":
            guard let text = value.string else { return nil }
            return text.range(of: rule.string ?? "", options: .regularExpression) == nil
                ? "\(text) misfits" : nil
        case "anyOf", "oneOf":
            let fits = (rule.array ?? []).count { check(value, $0, place) == nil }
            return fits == 1 || (keyword == "anyOf" && fits > 0) ? nil : "fits \(fits) of \(keyword)"
        default: return "the test does not know the keyword \(keyword)"
        }
    }

    private static func isType(_ value: JSONValue, _ name: String) -> Bool {
        switch (value, name) {
        case (.object, "object"), (.array, "array"), (.string, "string"), (.bool, "boolean"), (.null, "null"):
            true
        case (.int, "integer"), (.int, "number"), (.double, "number"): true
        default: false
        }
    }
}
