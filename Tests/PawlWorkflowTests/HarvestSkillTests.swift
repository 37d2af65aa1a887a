import Foundation
import PawlCore
import PawlGate
import Testing

@testable import PawlWorkflow

@Suite("A skill from a log")
struct HarvestSkillTests {
    /// A directory with the log of a help desk; secrets are put in here, so that no scanner takes the fixture for a leak.
    private final class Desk {
        let root = URL(filePath: "/tmp/pawl-harvest-test-\(UUID().uuidString.prefix(8))")
        let card = "4111 1111 " + "1111 1111"
        let password = "brot-" + "2024"
        var log: URL { root.appending(path: "chats.jsonl") }
        var skill: URL { root.appending(path: "from-use") }

        init() throws {
            let fixture = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .appending(path: "Fixtures/logs/help-desk.jsonl")
            let text = try String(contentsOf: fixture, encoding: .utf8)
                .replacing("{CARD}", with: card).replacing("{PASSWORD}", with: password)
            try Files.createDirectory(root)
            try Files.writeAtomically(Array(text.utf8), to: log)
        }

        deinit { try? Files.remove(root) }

        var options: Harvest.Options {
            var options = Harvest.Options()
            options.consent = ["metadata", "training_consent"]
            return options
        }

        func text(_ name: String) throws -> String {
            try String(contentsOf: skill.appending(path: name), encoding: .utf8)
        }
    }

    @Test("a log of a help desk becomes a sound skill, and every line is accounted for")
    func helpDesk() throws {
        let desk = try Desk()
        let report = try Workflow.harvest(desk.log, into: desk.skill, options: desk.options, isDry: false)
        let kept = report.kept
        #expect(kept.conversations == 25 && report.skill == "from-use" && report.folder == desk.skill.path)
        let left = Dictionary(uniqueKeysWithValues: kept.leftOut.map { ($0.reason, $0) })
        #expect(left["consent_refused"]?.count == 2 && left["no_consent"]?.count == 1)
        #expect(left["malformed"]?.count == 1 && left["unsupported_message"]?.count == 1)
        #expect(left["nothing_follows"]?.count == 1 && left["nothing_follows"]?.unit == "conversation")
        #expect(left["no_reaction"]?.count == 2 && left["secret_in_response"]?.count == 1)
        // Every answered response is somewhere.
        let outside = kept.leftOut.filter { $0.unit == "exchange" }.reduce(0) { $0 + $1.count }
        #expect(kept.exchanges == kept.demonstrations + kept.items + outside)
        #expect(kept.corrections + kept.confirmations == kept.demonstrations)
        #expect(kept.secrets.map(\.kind) == [.cardNumber, .email, .password, .phoneNumber])

        let skill = try SkillFolder(loading: desk.skill)
        #expect(skill.demonstrations.count == kept.demonstrations && skill.suite.items.count == kept.items)
        #expect(Workflow.judged(skill).count == kept.judged && kept.judged > 0 && kept.items > 0)
        #expect(Contamination(skill.suite).overlaps(with: skill.demonstrations).isEmpty)
        #expect(skill.manifest.contexts.allSatisfy { $0.kind == "hindsight" })
        let written = try ["demonstrations.jsonl", "items.jsonl", "harvest.json", "skill.json"].map(desk.text)
            .joined()
        for secret in [desk.card, desk.password, "mara.lindt", "660 1234567", "conv_00"] {
            #expect(!written.contains(secret), "\(secret)")
        }
        #expect(written.contains("[email]") && written.contains("[phone_number]"))
        #expect(try !desk.text("harvest.json").contains(desk.root.path))
    }

    @Test("the same log gives the same bytes, and a folder that is there is not touched")
    func repeated() throws {
        let desk = try Desk()
        _ = try Workflow.harvest(desk.log, into: desk.skill, options: desk.options, isDry: false)
        let again = desk.root.appending(path: "again/from-use")
        _ = try Workflow.harvest(desk.log, into: again, options: desk.options, isDry: false)
        for name in ["skill.json", "suite.json", "items.jsonl", "demonstrations.jsonl", "harvest.json"] {
            #expect(
                try Files.read(desk.skill.appending(path: name)) == Files.read(again.appending(path: name)),
                "\(name)")
        }
        let error = #expect(throws: PawlError.self) {
            try Workflow.harvest(desk.log, into: desk.skill, options: desk.options, isDry: false)
        }
        #expect(error?.code == .alreadyExists)
    }

    @Test(
        "too little is an error that says what there was, and nothing is written; a dry run says the same without it"
    )
    func tooLittle() throws {
        let desk = try Desk()
        var options = desk.options
        options.consent = ["consent"]
        let error = #expect(throws: PawlError.self) {
            try Workflow.harvest(desk.log, into: desk.skill, options: options, isDry: false)
        }
        #expect(error?.code == .invalidArgument && error?.message.contains("no_consent 24") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: desk.root.path) == ["chats.jsonl"])
        let report = try Workflow.harvest(desk.log, into: desk.skill, options: options, isDry: true)
        #expect(report.folder == nil && report.kept.demonstrations == 0 && !Files.exists(desk.skill))
        options.assumedConsent = "staff chats"
        let assumed = try Workflow.harvest(desk.log, into: desk.skill, options: options, isDry: false)
        #expect(assumed.assumedConsent == "staff chats" && assumed.kept.demonstrations > 0)
        #expect(try desk.text("harvest.json").contains("staff chats"))
    }
}
