import Foundation
import PawlCore
import Testing

/// One mistake in a folder that was sound, and what the error must say.
struct Mistake: Sendable, CustomTestStringConvertible {
    /// What the folder is, and so which command takes it.
    enum Kind: Sendable { case skill, suite, model }

    var name: String
    var kind: Kind
    /// The file that is wrong.
    var file: String
    /// What the error must name, beside the file.
    var mentions: [String]
    /// Makes the mistake.
    var make: @Sendable (URL) throws -> Void

    var testDescription: String { name }

    /// Replaces text that must occur.
    static func replace(
        _ name: String, _ kind: Kind, _ file: String, _ old: String, _ new: String, _ mentions: String...
    ) -> Mistake {
        Mistake(name: name, kind: kind, file: file, mentions: mentions) { folder in
            let url = folder.appending(path: file)
            let text = try String(contentsOf: url, encoding: .utf8)
            guard let range = text.range(of: old) else {
                throw PawlError(.internalError, "\(file) does not hold \(old)")
            }
            try Content.write(text.replacingCharacters(in: range, with: new), url)
        }
    }

    /// Replaces the header of the model's safetensors file by another, over 16 bytes of data.
    static func header(_ name: String, _ header: String, length: UInt64? = nil, _ mentions: String...)
        -> Mistake
    {
        Mistake(name: name, kind: .model, file: "model.safetensors", mentions: mentions) { folder in
            let text = Array(header.utf8)
            let size = withUnsafeBytes(of: (length ?? UInt64(text.count)).littleEndian) { Array($0) }
            try Files.writeAtomically(
                size + text + [UInt8](repeating: 0, count: 16),
                to: folder.appending(path: "model.safetensors"))
        }
    }

    static func remove(_ name: String, _ kind: Kind, _ file: String, _ mentions: String...) -> Mistake {
        Mistake(name: name, kind: kind, file: file, mentions: mentions) { folder in
            try Files.remove(folder.appending(path: file))
        }
    }

    static let all: [Mistake] = skills + suites + models

    private static let skills: [Mistake] = [
        .replace("skill.json is not JSON", .skill, "skill.json", #""1.0.0","#, #""1.0.0""#, "line 4"),
        .replace("a skill without a name", .skill, "skill.json", #""name": "gamma","#, "", "name"),
        .replace(
            "a field that no skill has", .skill, "skill.json", #""description""#, #""descripton""#,
            "descripton"),
        .replace(
            "a name with a space", .skill, "skill.json", #""gamma""#, #""Gamma Ray""#, "Gamma Ray", "name"),
        .replace("a version that is none", .skill, "skill.json", #""1.0.0""#, #""one""#, "one", "version"),
        .replace(
            "an unknown teacher context", .skill, "skill.json", "few_shot", "socratic", "socratic", "kind"),
        .replace("a recipe of 0 steps", .skill, "skill.json", #""steps": 4"#, #""steps": 0"#, "steps"),
        .replace("a misspelt recipe key", .skill, "skill.json", #""steps""#, #""stepps""#, "stepps"),
        .remove("no demonstrations", .skill, "demonstrations.jsonl"),
        .replace(
            "a broken line", .skill, "demonstrations.jsonl", #""completion":"gammademo2"}"#,
            #""completion":"#, "line 3"),
        .replace(
            "a demonstration without a response", .skill, "demonstrations.jsonl",
            #","completion":"gammademo4""#, "", "line 5", "completion"),
        .replace(
            "two demonstrations of one id", .skill, "demonstrations.jsonl", #""id":"demo7""#,
            #""id":"demo3""#, "demo3", "line 8"),
        Mistake(
            name: "demonstrations that are not UTF-8", kind: .skill, file: "demonstrations.jsonl",
            mentions: ["UTF-8"]
        ) {
            let url = $0.appending(path: "demonstrations.jsonl")
            try Files.writeAtomically(try Files.read(url) + [0xFF, 0xFE, 0x0A], to: url)
        },
        Mistake(name: "empty demonstrations", kind: .skill, file: "demonstrations.jsonl", mentions: []) {
            try Content.write("", $0.appending(path: "demonstrations.jsonl"))
        },
    ]

    private static let suites: [Mistake] = [
        .replace("an unknown grader", .suite, "suite.json", "exact_match", "telepathy", "telepathy", "kind"),
        .replace("a margin below 0", .suite, "suite.json", "0.1", "-0.1", "margin"),
        .replace("an unknown metric", .suite, "suite.json", #""accuracy""#, #""vibes""#, "metric", "vibes"),
        .replace(
            "an item without a target", .suite, "items.jsonl", #","target":"gammaitem4""#, "", "line 5",
            "target"),
        .replace(
            "two items of one id", .suite, "items.jsonl", #""id":"item9""#, #""id":"item1""#, "item1",
            "line 10"),
        .replace(
            "two items of one content", .suite, "items.jsonl", #"gammaitem9","target":"gammaitem9""#,
            #"gammaitem1","target":"gammaitem1""#, "line 10", "line 2"),
        .replace(
            "a regular expression that is none", .suite, "suite.json",
            #""kind": "exact_match", "normalisers": ["trim"]"#, #""kind": "regex", "pattern": "(""#, "pattern"
        ),
        .remove("no items", .suite, "items.jsonl"),
    ]

    private static let models: [Mistake] = [
        .header("a header longer than the file", #"{"a":1}"#, length: 100_000, "header"),
        .header("a header that is not JSON", "{nonsense}", "header"),
        .header(
            "an unknown type of element", #"{"w":{"dtype":"F13","shape":[4],"data_offsets":[0,16]}}"#,
            "\"w\"", "F13"),
        .header(
            "a tensor beyond the end", #"{"w":{"dtype":"F32","shape":[400],"data_offsets":[0,1600]}}"#,
            "\"w\""),
        .header(
            "a shape that does not fit its data", #"{"w":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}}"#,
            "\"w\""),
        .header(
            "tensors that overlap",
            #"{"v":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"w":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#,
            "\"w\""),
        .remove("a model without weights", .model, "model.safetensors"),
        .remove("a model without a configuration", .model, "config.json"),
    ]
}

@Suite("Malformed input", .tags(.program))
struct MalformedInputTests {
    @Test(
        "is refused in one line that names the file and the place, and leaves the registry as it was",
        arguments: Mistake.all)
    func refused(_ mistake: Mistake) throws {
        let place = try Place()
        let folder = place.root.appending(path: "input")
        let command: [String]
        switch mistake.kind {
        case .skill:
            try Content.writeSkill(folder, "gamma")
            command = ["register", folder.path]
        case .suite:
            try Content.writeSuite(folder, "gamma", count: 20)
            command = ["suite", "add", folder.path]
        case .model:
            try FileManager.default.copyItem(at: Place.base, to: folder)
            command = ["import", folder.path]
        }
        try mistake.make(folder)
        let before = try place.fingerprint
        let answer = try place.start(command).wait()
        #expect(answer.status == 1 || answer.status == 64)
        #expect(answer.output.isEmpty)
        let lines = answer.error.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        let first = String(lines.first ?? "")
        #expect(first.hasPrefix("error: "), "\(answer.error)")
        #expect(
            lines.count == 1 || (lines.count == 2 && lines.last?.hasPrefix("  hint: ") == true),
            "\(answer.error)")
        let file =
            mistake.file == "config.json"
            ? "config.json" : mistake.file.hasSuffix("safetensors") ? "safetensors" : mistake.file
        for word in [file] + mistake.mentions { #expect(first.contains(word), "\(answer.error)") }
        #expect(try place.fingerprint == before)
        print("\(mistake.name): \(first.replacing(place.root.path + "/", with: ""))")
    }

    @Test("the folders without a mistake are taken")
    func sound() throws {
        let place = try Place()
        try Content.writeSkill(place.root.appending(path: "skill"), "gamma")
        try Content.writeSuite(place.root.appending(path: "suite"), "delta", count: 20)
        #expect(try place.pawl("register", "skill/", "--dry-run").status == 0)
        #expect(try place.pawl("suite", "add", "suite/").status == 0)
    }
}
