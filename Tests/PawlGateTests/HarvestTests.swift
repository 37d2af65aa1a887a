import Foundation
import PawlCore
import Testing

@testable import PawlGate

@Suite("Conversations become a skill")
struct HarvestTests {
    /// A line of a log.
    private func line(_ turns: [String], consent: String? = "true", system: String? = nil) throws -> String {
        var messages = system.map { [["role": "system", "content": $0]] } ?? []
        for (index, text) in turns.enumerated() {
            messages.append(["role": index % 2 == 0 ? "user" : "assistant", "content": text])
        }
        let body = String(decoding: try JSON.canonical(messages), as: UTF8.self)
        return #"{"id":"c1","model":"m","messages":\#(body)\#(consent.map { #","consent":\#($0)"# } ?? "")}"#
    }

    private func harvest(_ lines: [String], _ change: (inout Harvest.Options) -> Void = { _ in }) throws
        -> Harvest
    {
        var options = Harvest.Options()
        options.held = 0
        change(&options)
        return try Harvest(Array(lines.joined(separator: "\n").utf8), options: options)
    }

    private func leftOut(_ harvest: Harvest) -> [String: Int] {
        Dictionary(uniqueKeysWithValues: harvest.report.leftOut.map { ($0.reason, $0.count) })
    }

    /// Corrections whose second answer the user took.
    private func corrections(_ count: Int) throws -> [String] {
        try (0..<count).map {
            try line([
                "Capital of country \($0)?", "Wrongville \($0).", "No, that's wrong.", "Righton \($0).",
                "Thanks!",
            ])
        }
    }

    @Test(
        "a correction and the thanks for what came after it are two records; the second answer is the first one's target"
    )
    func corrected() throws {
        let result = try harvest(
            try [
                line(
                    [
                        "Capital of Australia?", "Sydney.", "No, it's Canberra.", "Canberra.",
                        "Perfect, thanks",
                    ], system: "Be brief.")
            ])
        #expect(result.demonstrations.count == 2)
        let first = try #require(result.demonstrations.first)
        #expect(
            first.id == "line-1-turn-2" && first.completion == "Sydney."
                && first.followup == "No, it's Canberra.")
        #expect(first.messages == [Message(.system, "Be brief."), Message(.user, "Capital of Australia?")])
        #expect(first.targets == ["Canberra."])
        let second = result.demonstrations[1]
        #expect(
            second.messages.count == 4 && second.completion == "Canberra." && second.targets == ["Canberra."])
        #expect(
            result.report.corrections == 1 && result.report.confirmations == 1 && result.report.judged == 1)
    }

    @Test("consent is asked of every line: true alone counts, and only a missing flag can be assumed")
    func consent() throws {
        let turns = ["Q?", "A.", "Thanks."]
        let lines = try [nil, "false", "null", #""yes""#, "1", "true"].enumerated().map {
            try line(["Q\($0)?"] + turns.dropFirst(), consent: $1)
        }
        let strict = try harvest(lines)
        #expect(strict.demonstrations.map(\.id) == ["line-6-turn-1"])
        #expect(leftOut(strict) == ["no_consent": 2, "consent_refused": 3])
        let assumed = try harvest(lines) { $0.assumedConsent = "our own tests" }
        #expect(assumed.demonstrations.map(\.id) == ["line-1-turn-1", "line-3-turn-1", "line-6-turn-1"])
        let nested = try harvest([
            #"{"metadata":{"share":true},"messages":\#(try line(turns).split(separator: #""messages":"#)[1])"#
        ]) {
            $0.consent = ["metadata", "share"]
        }
        #expect(nested.report.conversations == 1 && nested.demonstrations.count == 1)
    }

    @Test("what cannot be used is counted with its reason, and never stops the rest")
    func reasons() throws {
        let turns = ["Q?", "A.", "Thanks."]
        let tool =
            #"{"consent":true,"messages":[{"role":"user","content":"x"},{"role":"tool","content":"y"}]}"#
        let image = #"{"consent":true,"messages":[{"role":"user","content":[{"type":"image"}]}]}"#
        let result = try harvest([
            "not json", "[]", #"{"consent":true}"#, tool, image, try line(["Q?", "A."]), try line(turns), "",
            try line(turns), try line(["Other?", "B.", "And what about C?"]),
            try line(["Long?", String(repeating: "long ", count: 1000), "Thanks."]),
        ])
        #expect(result.report.conversations == 10 && result.demonstrations.map(\.id) == ["line-7-turn-1"])
        #expect(
            leftOut(result) == [
                "malformed": 3, "unsupported_message": 2, "nothing_follows": 1, "duplicate": 1,
                "no_reaction": 1, "too_long": 1,
            ])
        #expect(result.report.exchanges == 4)
        let all = try harvest([try line(["Other?", "B.", "And what about C?"])]) { $0.keepsOther = true }
        #expect(all.demonstrations.count == 1 && all.report.corrections + all.report.confirmations == 0)
    }

    @Test(
        "secrets: masked in what the user asked, the end of the record in what the model would learn to say")
    func secrets() throws {
        let key = "sk-" + "proj-Ab3dEf6hIj9lMn2pQr5tUv8x"
        let result = try harvest([
            try line(["Write to anna@example.org that I am late.", "Dear Anna, I am late.", "Thanks!"]),
            try line(["What is my key?", "It is \(key).", "Thanks!"]),
            try line(["Who am I?", "Bob.", "No, I am carl@example.org."]),
        ])
        #expect(
            result.demonstrations.map(\.messages) == [[Message(.user, "Write to [email] that I am late.")]])
        #expect(leftOut(result) == ["secret_in_response": 2])
        #expect(result.report.secrets == [.init(kind: .apiKey, count: 1), .init(kind: .email, count: 2)])
        let text = String(
            decoding: try JSON.canonical(result.report) + JSON.canonicalLines(result.demonstrations),
            as: UTF8.self)
        #expect(!text.contains(key) && !text.contains("example.org"))
    }

    @Test("the suite gets a share of the corrections by question; no question is on both sides")
    func divided() throws {
        let lines = try corrections(200) + corrections(1)
        let result = try harvest(lines) { $0.held = 0.3 }
        #expect((40...80).contains(result.items.count))
        let asked = Set(result.items.compactMap(\.messages.last?.content))
        #expect(asked.count == result.items.count)
        #expect(!result.demonstrations.contains { asked.contains($0.messages.last?.content ?? "") })
        for item in result.items {
            #expect(item.choices.count == 2 && item.choices[item.answer].hasPrefix("Righton"))
        }
        #expect(
            (0.25...0.75).contains(Double(result.items.count { $0.answer == 0 }) / Double(result.items.count))
        )
        // A longer log does not move what is there.
        let longer = try harvest(lines + corrections(230).suffix(30)) { $0.held = 0.3 }
        #expect(Set(longer.items.map(\.messages)).isSuperset(of: result.items.map(\.messages)))
        #expect(try harvest(lines) { $0.held = 0 }.items.isEmpty)
    }

    @Test(
        "what users say next",
        arguments: [
            ("No, it's Canberra.", Reaction.correction), ("That’s not what I asked.", .correction),
            ("I think that is wrong", .correction),
            ("Thanks, but it should be shorter", .correction), ("Actually it's 1969", .correction),
            ("Too long.", .correction),
            ("Thank you!", .confirmation), ("PERFECT", .confirmation), ("yes, that's it", .confirmation),
            ("It works now", .confirmation),
            ("No problem.", .other), ("No thanks, that's all", .other), ("What about France?", .other),
            ("Actually, can you also add salt?", .other), ("nothing", .other), ("", .other),
            ("Northern Ireland", .other),
        ])
    func reactions(followup: String, reaction: Reaction) {
        #expect(Reaction(followup) == reaction)
    }
}
