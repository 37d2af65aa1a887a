import Foundation
import PawlCore
import Testing

@testable import PawlGate

/// A file that must be refused, and the words that the one-line error must hold.
struct Malformed: Sendable, CustomTestStringConvertible {
    let text: String
    let words: [String]

    init(_ text: String, _ words: String...) { (self.text, self.words) = (text, words) }

    var testDescription: String { words.joined(separator: " | ") }

    func check(_ error: PawlError?) {
        #expect(error?.code == .invalidArgument)
        let message = error?.message ?? "no error"
        #expect(!message.contains("\n"))
        for word in words { #expect(message.contains(word), "\(message)") }
    }
}

// Lines of the manifest: 1 {, 2 grader, 3 margin, 4 metric, 5 name, 6 version (sorted by key).
private let manifestFiles: [Malformed] = [
    .init("[]", "suite.json, line 1", "must be an object"),
    .init("{\"name\": \"a\",\n \"name\": \"b\"}", "suite.json, line 2", "stands twice"),
    .init("{\n\"name\": tru", "suite.json, line 2", "not valid JSON"),
    .init("{\"version\":\"1.0.0\"}", "suite.json, line 1, field name", "is missing"),
    .init(
        suiteManifest(["name": "\"Capital Cities\""]), "line 5, field name",
        "\"Capital Cities\" is not a name"),
    .init(suiteManifest(["version": "\"1\""]), "line 6, field version", "\"1\" is not a version"),
    .init(suiteManifest(["metric": "\"f1\""]), "line 4, field metric", "\"f1\" is not one of accuracy, mean"),
    .init(suiteManifest(["margin": "5"]), "line 3, field margin", "5.0 is not a fraction"),
    .init(suiteManifest(["margin": "0"]), "line 3, field margin", "0.0 is not a fraction"),
    .init(
        suiteManifest(["margin": "\"automatic\""]), "line 3, field margin", "neither a fraction nor \"auto\""),
    .init(suiteManifest(["margin": "true"]), "line 3, field margin", "must be a number"),
    .init(suiteManifest(["margn": "0.1"]), "line 4, field margn", "did you mean \"margin\"?"),
    .init(suiteManifest(["items": "\"../items.jsonl\""]), "line 3, field items", "not the name of a file"),
    .init(suiteManifest(["items": "\"/etc/passwd\""]), "line 3, field items", "not the name of a file"),
    .init(
        suiteManifest(["decoding": "{\n\"max_tokens\": 0}"]), "line 3, field decoding.max_tokens",
        "0 is less than 1"),
    .init(suiteManifest(["decoding": "{\"stop\":[\"\"]}"]), "field decoding.stop", "must not be empty"),
    .init(suiteManifest(["decoding": "{\"stop\":\"x\"}"]), "field decoding.stop", "must be an array"),
    .init(
        suiteManifest(["decoding": "{\"template\":\"plain\"}"]), "decoding.template", "not one of chat, raw"),
    .init(
        suiteManifest(["decoding": "{\"temperature\":1}"]), "decoding.temperature",
        "did you mean \"template\"?"),
    .init(
        suiteManifest(grader: #"{"kind":"rouge"}"#), "line 2, field grader.kind",
        "\"rouge\" is not one of exact_match"),
    .init(suiteManifest(grader: "{}"), "line 2, field grader.kind", "is missing"),
    .init(
        suiteManifest(grader: #"{"kind":"exact_match","normalisers":["upper"]}"#), "grader.normalisers[0]",
        "\"upper\" is not one of trim"),
    .init(
        suiteManifest(grader: #"{"kind":"regex","pattern":"(a"}"#), "field grader.pattern",
        "\"(a\" is not a regular expression"),
    .init(
        suiteManifest(grader: #"{"kind":"regex","pattern":""}"#), "field grader.pattern",
        "the pattern is empty"),
    .init(
        suiteManifest(grader: #"{"kind":"regex","pattern":"a","group":1}"#), "field grader.group",
        "has 0 groups"),
    .init(
        suiteManifest(grader: #"{"kind":"numeric","tolerance":-1}"#), "field grader.tolerance",
        "-1.0 is less than 0"),
    .init(
        suiteManifest(grader: #"{"kind":"multiple_choice","normalisation":"chars"}"#), "grader.normalisation",
        "not one of none, bytes, tokens"),
    .init(
        suiteManifest(grader: #"{"kind":"function_call","strict":true}"#), "grader.strict",
        "unknown key \"strict\""),
    .init(suiteManifest(grader: #"{"kind":"token_f1"}"#), "line 4, field metric", "the metric must be mean"),
]

private let itemFiles: [Malformed] = [
    .init("", "items.jsonl: there is no item in it"),
    .init("{\"id\":\"a\"", "items.jsonl, line 1: not valid JSON"),
    .init("\n\n{\"prompt\":\"q\",\"target\":\"x\"}", "items.jsonl, line 3, field id: is missing"),
    .init(#"{"id":"","prompt":"q","target":"x"}"#, "line 1, field id", "must not be empty"),
    .init(#"{"id":7,"prompt":"q","target":"x"}"#, "line 1, field id", "must be a string"),
    .init(#"{"id":"a","target":"x"}"#, "line 1, field prompt", "is missing"),
    .init(#"{"id":"a","prompt":"","target":"x"}"#, "line 1, field prompt", "must not be empty"),
    .init(
        #"{"id":"a","prompt":"q","messages":[],"target":"x"}"#, "field messages", "either prompt or messages"),
    .init(#"{"id":"a","messages":[],"target":"x"}"#, "field messages", "at least one message"),
    .init(
        #"{"id":"a","messages":[{"role":"bot","content":"q"}],"target":"x"}"#, "field messages[0].role",
        "\"bot\" is not system, user or assistant"),
    .init(
        #"{"id":"a","messages":[{"role":"user"}],"target":"x"}"#, "field messages[0].content", "is missing"),
    .init(
        #"{"id":"a","messages":[{"role":"user","content":"q","tool_calls":[]}],"target":"x"}"#,
        "messages[0].tool_calls", "unknown key"),
    .init(
        #"{"id":"a","messages":[{"role":"assistant","content":"q"}],"target":"x"}"#, "field messages",
        "the last message must have the role user"),
    .init(
        #"{"id":"a","messages":[{"role":"user","content":"q"},{"role":"system","content":"s"}],"target":"x"}"#,
        "field messages", "message 1 has the role system"),
    .init(#"{"id":"a","prompt":"q"}"#, "line 1, field target", "the grader exact_match needs one"),
    .init(
        #"{"id":"a","prompt":"q","target":"x","targets":["y"]}"#, "field targets", "either target or targets"),
    .init(#"{"id":"a","prompt":"q","targets":[]}"#, "field targets", "at least one target"),
    .init(#"{"id":"a","prompt":"q","target":5}"#, "field target", "must be a string"),
    .init(
        #"{"id":"a","prompt":"q","choices":["x","y"],"answer":0}"#, "field choices",
        "exact_match takes a target"),
    .init(#"{"id":"a","prompt":"q","target":"x","answer":0}"#, "field answer", "there are no choices"),
    .init(
        #"{"id":"a","prompt":"q","target":"x","clutser":"k"}"#, "field clutser", "did you mean \"cluster\"?"),
    .init(#"{"id":"a","prompt":"q","target":"x","cluster":""}"#, "field cluster", "must not be empty"),
    .init(
        "{\"id\":\"a\",\"prompt\":\"q\",\"target\":\"x\"}\n\n{\"id\":\"a\",\"prompt\":\"r\",\"target\":\"x\"}",
        "items.jsonl, line 3, field id", "\"a\" is the id of line 1 too"),
    .init(
        "{\"id\":\"a\",\"prompt\":\"q\",\"target\":\"x\"}\n{\"id\":\"b\",\"prompt\":\"q\",\"targets\":[\"x\"]}",
        "items.jsonl, line 2, field prompt", "the same content as the one in line 1"),
]

private let choiceItems: [Malformed] = [
    .init(#"{"id":"a","prompt":"q","target":"x"}"#, "line 1, field choices", "multiple_choice needs choices"),
    .init(#"{"id":"a","prompt":"q","choices":["x"],"answer":0}"#, "field choices", "1 choices are too few"),
    .init(
        #"{"id":"a","prompt":"q","choices":["x","x"],"answer":0}"#, "field choices",
        "two choices are the same"),
    .init(#"{"id":"a","prompt":"q","choices":["x",""],"answer":0}"#, "field choices", "must not be empty"),
    .init(#"{"id":"a","prompt":"q","choices":["x","y"]}"#, "field answer", "is missing"),
    .init(
        #"{"id":"a","prompt":"q","choices":["x","y"],"answer":2}"#, "field answer",
        "2 is not the index of one of the 2 choices (0...1)"),
    .init(#"{"id":"a","prompt":"q","choices":["x","y"],"answer":-1}"#, "field answer", "-1 is not the index"),
    .init(
        #"{"id":"a","prompt":"q","choices":["x","y"],"answer":0,"target":"x"}"#, "field choices",
        "either a target, or choices"),
]

private let demonstrationFiles: [Malformed] = [
    .init("\n", "demonstrations.jsonl: there is no demonstration in it"),
    .init(
        "{\"prompt\":\"q\",\"completion\":\"r\"}\nnonsense", "demonstrations.jsonl, line 2", "not valid JSON"),
    .init(#"{"prompt":"q"}"#, "line 1, field completion", "is missing"),
    .init(#"{"completion":"r"}"#, "line 1, field prompt", "is missing"),
    .init(#"{"prompt":"q","completion":""}"#, "line 1, field completion", "the response must not be empty"),
    .init(#"{"prompt":"q","completion":["r"]}"#, "field completion", "must be a string"),
    .init(#"{"prompt":"q","messages":[]}"#, "field messages", "either messages, or prompt and completion"),
    .init(
        #"{"messages":[{"role":"user","content":"q"}]}"#, "field messages",
        "the last message must have the role assistant"),
    .init(
        #"{"messages":[{"role":"assistant","content":"r"}]}"#, "field messages", "there is no user message"),
    .init(
        #"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":""}]}"#, "field messages",
        "the response must not be empty"),
    .init(
        #"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"},{"role":"assistant","content":"b"}]}"#,
        "field messages", "before the response, the last message must have the role user"),
    .init(
        "{\"id\":\"a\",\"prompt\":\"q\",\"completion\":\"r\"}\n{\"id\":\"a\",\"prompt\":\"s\",\"completion\":\"r\"}",
        "line 2, field id", "\"a\" is the id of line 1 too"),
]

func skillManifest(_ members: String = "") -> String {
    "{\n\"name\": \"tool-use\",\n\"version\": \"1.0.0\"\(members.isEmpty ? "" : ",\n" + members)\n}"
}

private let skillFiles: [Malformed] = [
    .init("{}", "skill.json, line 1, field name", "is missing"),
    .init(skillManifest("\"recipie\": {}"), "skill.json, line 4, field recipie", "did you mean \"recipe\"?"),
    .init(
        skillManifest("\"demonstrations\": \"a/../b\""), "line 4, field demonstrations",
        "not the name of a file"),
    .init(
        skillManifest("\"teacher\": {\"contexts\": []}"), "line 4, field teacher.contexts",
        "at least one context"),
    .init(
        skillManifest("\"teacher\": {\"contexts\": [\n{\"kind\": \"magic\"}]}"),
        "line 5, field teacher.contexts[0].kind", "\"magic\" is not one of"),
    .init(
        skillManifest("\"teacher\": {\"contexts\": [{\"kind\": \"few_shot\", \"shots\": -1}]}"),
        "contexts[0].shots", "-1 is less than 0"),
    .init(
        skillManifest("\"teacher\": {\"contexts\": [{\"kind\": \"few_shot\", \"template\": \"\"}]}"),
        "contexts[0].template", "unknown key"),
    .init(
        skillManifest(
            "\"teacher\": {\"contexts\": [{\"kind\": \"demonstration\", \"template\": \"{prompt}\"}]}"),
        "contexts[0].template", "{demonstration} does not occur"),
    .init(
        skillManifest("\"teacher\": {\"contexts\": [{\"kind\": \"few_shot\", \"shots\": 2}]}"),
        "skill.json, line 4, field teacher.contexts[0].shots:", "2 shots need 3 demonstrations, there are 2"),
    .init(
        skillManifest("\"teacher\": {\"contexts\": [{\"kind\": \"document\"}]}"), "teacher.contexts[0]",
        "demonstration \"line-1\"", "has no document"),
    .init(
        skillManifest("\"recipe\": {\n\"steps\": 8,\n\"learning_rat\": 1e-5}"),
        "line 6, field recipe.learning_rat", "did you mean \"learning_rate\"?"),
    .init(
        skillManifest("\"recipe\": {\"learning_rate\": 2}"), "recipe.learning_rate",
        "2.0 is not above 0 and at most 1"),
    .init(skillManifest("\"recipe\": {\"steps\": \"many\"}"), "recipe.steps", "must be an integer"),
    .init(skillManifest("\"recipe\": {\"steps\": 2.5}"), "recipe.steps", "must be an integer"),
    .init(
        skillManifest("\"recipe\": {\"divergence\": \"kl\"}"), "recipe.divergence",
        "\"kl\" is not one of forward_kl, reverse_kl, jsd"),
    .init(
        skillManifest("\"recipe\": {\"rehearsal_share\": 1}"), "recipe.rehearsal_share", "1.0 is not in 0..<1"
    ),
    .init(
        skillManifest("\"recipe\": {\"steps\": 4, \"warmup_steps\": 5}"), "recipe.warmup_steps",
        "5 is more than steps (4)"),
    .init(
        skillManifest("\"recipe\": {\"on_policy_fraction\": 1.5}"), "recipe.on_policy_fraction",
        "not in 0...1"),
    .init(
        skillManifest("\"recipe\": {\"skip_tokens\": 64}"), "recipe.skip_tokens", "leaves nothing to learn"),
    .init(
        skillManifest("\"recipe\": {\"max_context_tokens\": 64}"), "recipe.max_context_tokens",
        "no room for a prompt"),
]

@Suite("Malformed files are refused with file, line and field")
struct MalformedTests {
    private static let item = #"{"id":"a","prompt":"q","target":"x"}"#

    @Test("suite.json", arguments: manifestFiles)
    func manifest(_ row: Malformed) throws {
        let folder = try TemporaryFolder(["suite.json": row.text, "items.jsonl": Self.item])
        row.check(pawlError { _ = try Suite(loading: folder.url) })
    }

    @Test("items.jsonl", arguments: itemFiles)
    func itemLines(_ row: Malformed) throws {
        let folder = try TemporaryFolder(["suite.json": suiteManifest(), "items.jsonl": row.text])
        row.check(pawlError { _ = try Suite(loading: folder.url) })
    }

    @Test("items.jsonl of a multiple choice", arguments: choiceItems)
    func choices(_ row: Malformed) throws {
        row.check(pawlError { _ = try suite(grader: #"{"kind":"multiple_choice"}"#, items: [row.text]) })
    }

    @Test(
        "A target that its grader cannot read",
        arguments: [
            (#"{"kind":"numeric"}"#, "five", "\"five\" is not a number"),
            (#"{"kind":"json_equality"}"#, "{a}", "not a JSON value"),
            (#"{"kind":"function_call"}"#, "[]", "not a JSON object"),
            (#"{"kind":"contains","normalisers":["strip_punctuation"]}"#, "!", "nothing is left"),
        ])
    func targets(grader: String, target: String, words: String) {
        let item = #"{"id":"a","prompt":"q","target":"\#(target)"}"#
        Malformed(item, "items.jsonl, line 1, field target", words)
            .check(pawlError { _ = try suite(grader: grader, items: [item]) })
    }

    @Test("demonstrations.jsonl", arguments: demonstrationFiles)
    func demonstration(_ row: Malformed) throws {
        row.check(
            pawlError { _ = try Demonstration.read(Array(row.text.utf8), source: "demonstrations.jsonl") })
    }

    @Test("skill.json", arguments: skillFiles)
    func skill(_ row: Malformed) throws {
        let demonstration = #"{"prompt":"q","completion":"r"}"#
        let folder = try TemporaryFolder([
            "skill.json": row.text, "demonstrations.jsonl": demonstration + "\n" + demonstration,
            "suite.json": suiteManifest(), "items.jsonl": Self.item,
        ])
        row.check(pawlError { _ = try SkillFolder(loading: folder.url) })
    }

    @Test(
        "rehearsal.json and its prompts",
        arguments: [
            ("{\"name\":\"general\"}", "", "rehearsal.json, line 1, field version: is missing"),
            (
                "{\"name\":\"general\",\"version\":\"1.0.0\",\"prompt\":\"p\"}", "",
                "did you mean \"prompts\"?"
            ),
            ("{\"name\":\"general\",\"version\":\"1.0.0\"}", "", "prompts.jsonl: there is no prompt in it"),
            (
                "{\"name\":\"general\",\"version\":\"1.0.0\"}", "{\"prompt\":\"q\"}",
                "prompts.jsonl, line 1, field id: is missing"
            ),
            (
                "{\"name\":\"general\",\"version\":\"1.0.0\"}",
                "{\"id\":\"a\",\"prompt\":\"q\"}\n{\"id\":\"a\",\"prompt\":\"r\"}",
                "prompts.jsonl, line 2, field id: \"a\" is the id of line 1 too"
            ),
        ])
    func rehearsal(manifest: String, prompts: String, words: String) throws {
        let folder = try TemporaryFolder(["rehearsal.json": manifest, "prompts.jsonl": prompts])
        Malformed("", words).check(pawlError { _ = try RehearsalSet(loading: folder.url) })
    }

    @Test("A folder without its files says which")
    func missingFiles() throws {
        let empty = try TemporaryFolder()
        #expect(pawlError { _ = try Suite(loading: empty.url) }?.message.contains("suite.json") == true)
        #expect(pawlError { _ = try SkillFolder(loading: empty.url) }?.code == .notFound)
        let half = try TemporaryFolder(["suite.json": suiteManifest()])
        #expect(pawlError { _ = try Suite(loading: half.url) }?.message.contains("items.jsonl") == true)
    }
}
