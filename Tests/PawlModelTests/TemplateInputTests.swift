import Foundation
import PawlCore
import Testing

@testable import PawlModel

/// The folder of a converted model, for the test that needs one.
private let baseModel = ProcessInfo.processInfo.environment["PAWL_BASE_MODEL"]

@Suite("What chat templates are given")
struct TemplateInputTests {
    private func json(_ text: String) throws -> OrderedJSON {
        try OrderedJSON(parsing: Array(text.utf8), source: "test")
    }

    @Test("members keep the order in which they were written")
    func order() throws {
        let text = #" {"z": [1, {"b":null , "a" :-2.5e3}], "é\"\\": "x,]}\"", "m": {}, "k":[], "t": true}"#
        let value = try json(text)
        #expect(value.members.map(\.name) == ["z", "é\"\\", "m", "k", "t"])
        #expect(value["z"] == .array([.int(1), .object([.init("b", .null), .init("a", .double(-2500))])]))
        #expect(value["é\"\\"] == .string("x,]}\""))
        #expect(value["m"] == .object([]) && value["k"] == .array([]) && value["t"] == .bool(true))
        #expect(throws: PawlError.self) { try json(#"{"a": 1, "a": 2}"#) }
        #expect(throws: PawlError.self) { try json("[1,]") }
    }

    @Test("values without an order come in the order of their names")
    func sorted() throws {
        let template = try ChatTemplate(source: "{{ tools | tojson }}{{ x | tojson }}", file: "t")
        let text = try template.render(
            [], tools: [["name": "f", "a": [1, .null, 2.0]]], addGenerationPrompt: false,
            context: ["x": ["b": true, "a": "é"]])
        #expect(text == #"[{"a": [1, null, 2.0], "name": "f"}]{"a": "é", "b": true}"#)
    }

    @Test("tools, the prompt flag and special tokens reach the template")
    func variables() throws {
        let source =
            "{{ bos_token }}{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}{{ messages[0] }}"
        let template = try ChatTemplate(source: source, file: "t")
        let message = ChatMessage(
            role: "assistant", content: nil, toolCalls: [["id": "c"]], others: ["name": "n"])
        let text = try template.render(
            [message], tools: nil, addGenerationPrompt: true, context: ["bos_token": "<s>"])
        #expect(text == "<s>TrueTrueTrue{'role': 'assistant', 'tool_calls': [{'id': 'c'}], 'name': 'n'}")
    }

    @Test("a message must say who speaks")
    func role() throws {
        #expect(throws: PawlError.self) { try ChatMessage(json(#"{"content": "x"}"#)) }
        #expect(throws: PawlError.self) { try ChatMessage(json(#"["role"]"#)) }
        let message = try ChatMessage(json(#"{"content": "x", "role": "user"}"#))
        #expect(message.role == "user" && message.content == "x")
    }

    @Test("the present can be fixed")
    func time() throws {
        let template = try ChatTemplate(source: "{{ strftime_now('%d %b %Y %%') }}", file: "t")
        #expect(try template.render(.init([], now: TemplateFixture.now)) == "22 Nov 2026 %")
    }

    @Test(
        "the template of a model's own folder is the one that the fixtures were made with",
        .enabled(if: baseModel != nil, "PAWL_BASE_MODEL names no model"))
    func model() throws {
        let folder = try #require(baseModel)
        let url = URL(filePath: folder).appending(path: "chat_template.jinja")
        let template = try ChatTemplate(source: String(contentsOf: url, encoding: .utf8), file: url.path)
        #expect(try template.source == TemplateFixture.text("smollm2.jinja"))
    }
}
