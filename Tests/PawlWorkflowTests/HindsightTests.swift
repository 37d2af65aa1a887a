import Foundation
import PawlCore
import PawlEngines
import PawlGate
import Testing

@testable import PawlWorkflow

@Suite("Learning from what users said next", .tags(.register))
struct HindsightTests {
    /// The skill `alpha` of a world, from logs: every response was wrong, and the user said what is right.
    private func writeLogs(_ world: World, targets: Bool) throws {
        let folder = world.root.appending(path: "skills/alpha")
        let records = (0..<24).map { index in
            let right = targets ? #","targets":["alphademo\#(index)"]"# : ""
            return
                #"{"id":"log\#(index)","messages":[{"role":"user","content":"family: alpha\nsay: alphademo\#(index)"},"#
                + #"{"role":"assistant","content":"no idea"}],"followup":"It is alphademo\#(index)."\#(right)}"#
                + "\n"
        }
        try Files.writeAtomically(
            Array(records.joined().utf8), to: folder.appending(path: "demonstrations.jsonl"))
        let manifest = try String(contentsOf: folder.appending(path: "skill.json"), encoding: .utf8)
            .replacing(
                #"{"kind":"few_shot","shots":2,"own_demonstration":true}"#,
                with: #"{"kind":"hindsight","as_turns":true}"#)
        try Files.writeAtomically(Array(manifest.utf8), to: folder.appending(path: "skill.json"))
    }

    @Test("corrections go through the probe, the training and the gate like any skill")
    func corrections() async throws {
        let world = try World()
        try writeLogs(world, targets: true)
        let report = try await world.register("alpha")
        #expect(report.isPromoted)
        let probe = try #require(report.probe)
        #expect(probe.best == 0 && probe.teachers[0].score > probe.student)
        #expect(
            probe.teachers[0].context == .hindsight(template: TeacherContext.hindsightTurn, asTurns: true))
        try world.expectSound()
    }

    @Test(
        "without a right response there is nothing to probe with: refused before anything is recorded, --force goes on"
    )
    func nothingToJudgeBy() async throws {
        let world = try World()
        try writeLogs(world, targets: false)
        let before = try world.journal
        let error = try await failure { try await world.register("alpha") }
        #expect(error.code == .invalidArgument && error.hint?.contains("targets") == true)
        #expect(try world.journal == before)
        let report = try await world.workflow().register(
            world.skill("alpha"), options: world.options(.accept, force: true))
        #expect(report.isPromoted && report.probe == nil)
        #expect(world.notices.all.contains { $0.contains("not probed") })
    }

    @Test("fine-tuning would imitate what users rejected, and is refused")
    func fineTuning() async throws {
        let world = try World()
        try writeLogs(world, targets: true)
        var options = world.options(.accept)
        options.recipe["method"] = "sft"
        let error = try await failure {
            try await world.workflow().register(world.skill("alpha"), options: options)
        }
        #expect(error.code == .unsupported && error.message.contains("log0"))
    }

    @Test(
        "a choice is probed with the rejected response and the right one; a confirmed response has no alternative"
    )
    func choices() throws {
        let world = try World()
        try writeLogs(world, targets: true)
        let folder = world.root.appending(path: "skills/alpha")
        let manifest = try String(contentsOf: folder.appending(path: "suite.json"), encoding: .utf8)
            .replacing(
                #"{"kind":"exact_match","normalisers":["trim"]}"#, with: #"{"kind":"multiple_choice"}"#)
        try Files.writeAtomically(Array(manifest.utf8), to: folder.appending(path: "suite.json"))
        try Files.writeAtomically(
            Array(#"{"id":"i","prompt":"q","choices":["a","b"],"answer":1}"#.utf8),
            to: folder.appending(path: "items.jsonl"))
        let logs = folder.appending(path: "demonstrations.jsonl")
        let confirmed =
            #"{"id":"thanks","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"followup":"Thanks!","targets":["a"]}"#
        try Files.writeAtomically(Files.read(logs) + Array((confirmed + "\n").utf8), to: logs)
        let skill = try world.skill("alpha")
        #expect(skill.demonstrations.count == 25)
        #expect(Workflow.judged(skill).map(\.id) == (0..<24).map { "log\($0)" })
        let directory = world.root.appending(path: "probe")
        let requests = try world.workflow().probeRequests(
            skill, seed: 1, model: ModelInput(directory: directory, digest: world.base),
            in: directory)
        let line = try #require(
            String(decoding: Files.read(requests[1].suite.path), as: UTF8.self).split(separator: "\n").first)
        let item = try JSON.parse(Array(line.utf8), source: "item")
        #expect(item["choices"]?.array?.first?.string == "no idea")
        #expect(item["messages"]?.array?.count == 3)
    }
}
