import Foundation
import PawlCore
import Testing

@testable import PawlModel

@Suite("Chat templates, as transformers renders them")
struct TemplateTests {
    @Test("every template gives the same text or error on every conversation", arguments: 0..<4)
    func rendered(part: Int) throws {
        let conversations = try TemplateFixture.json("conversations.json").dictionary
        var count = 0
        var differences: [String] = []
        for template in try TemplateFixture.json("rendered-\(part).json").members {
            let ours = try ChatTemplate(
                source: TemplateFixture.text("\(template.name).jinja"), file: "\(template.name).jinja")
            for record in template.value.members {
                let parts = record.name.split(separator: "/")
                let conversation = try #require(conversations[String(parts[0])])
                var context = conversation["context"]?.dictionary ?? [:]
                context["bos_token"] = .string("<s>")
                context["eos_token"] = .string("</s>")
                let input = ChatTemplate.Input(
                    try (conversation["messages"]?.elements ?? []).map { try ChatMessage($0) },
                    tools: conversation["tools"], addGenerationPrompt: parts[1] == "prompt",
                    context: context, now: TemplateFixture.now)
                count += 1
                if let difference = TemplateFixture.difference(
                    .init(record.value), { try ours.render(input) })
                {
                    differences.append("\(template.name), \(record.name): \(difference)")
                }
            }
        }
        #expect(count > 0)
        #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
    }

    @Test(
        "small templates give the same text or error as jinja2's", arguments: ["expressions", "statements"])
    func small(group: String) throws {
        let fixture = try TemplateFixture.json("\(group).json")
        let context = fixture["context"]?.dictionary ?? [:]
        var unsupported: [String] = []
        var differences: [String] = []
        for record in fixture["cases"]?.elements ?? [] {
            let source = record["source"]?.string ?? ""
            let difference = TemplateFixture.difference(.init(record)) {
                do {
                    var input = ChatTemplate.Input([], context: context, now: TemplateFixture.now)
                    input.context["messages"] = nil
                    return try ChatTemplate(source: source, file: "t").render(input)
                } catch let error as PawlError where error.code == .unsupported {
                    unsupported.append(error.message)
                    throw error
                }
            }
            if let difference { differences.append("\(source.debugDescription): \(difference)") }
        }
        // Python's integers have no bound; ours say so when they meet theirs.
        differences.removeAll { $0.contains("an integer of more than 64 bits is not supported") }
        #expect(differences.isEmpty, "\(differences.count)\n\(differences.joined(separator: "\n"))")
    }
}
