import Foundation
import PawlCore
import PawlGate
import PawlRegistry
import Testing

@testable import PawlWorkflow

@Suite("Records that an engine trains on")
struct TeachingRecordTests {
    private func demonstrations(_ count: Int, document: String? = nil) -> [Demonstration] {
        (0..<count).map {
            Demonstration(
                id: "d\($0)", messages: [Message(.user, "question \($0)")], completion: "answer \($0)",
                document: document)
        }
    }

    @Test("few-shot: the same shots for every record, its own demonstration last, then the bare prompt")
    func fewShot() throws {
        let records = try TeachingRecord.skill(
            demonstrations(5), context: .fewShot(shots: 2, ownDemonstration: true))
        #expect(records.allSatisfy { $0.role == .skill && $0.prompt.count == 1 })
        let last = try #require(records.last)
        #expect(
            last.teacher.map(\.content) == [
                "question 0", "answer 0", "question 1", "answer 1", "question 4", "answer 4", "question 4",
            ])
        #expect(last.completion == "answer 4")
        #expect(last.prompt == [Message(.user, "question 4")])
    }

    @Test("a record among the shots is not shown twice")
    func ownShot() throws {
        let records = try TeachingRecord.skill(
            demonstrations(5), context: .fewShot(shots: 2, ownDemonstration: true))
        #expect(
            records[0].teacher.map(\.content) == [
                "question 1", "answer 1", "question 2", "answer 2", "question 0", "answer 0", "question 0",
            ])
    }

    @Test("the demonstration stands in the last user turn, and braces in it stay as they are")
    func demonstration() throws {
        let record = Demonstration(
            id: "x", messages: [Message(.user, "what is {demonstration}?")], completion: "{prompt}")
        let records = try TeachingRecord.skill(
            [record], context: .demonstration(template: "Q {prompt} D {demonstration}"))
        #expect(records[0].teacher == [Message(.user, "Q what is {demonstration}? D {prompt}")])
        #expect(records[0].prompt == record.messages)
    }

    @Test("a document context needs a document and names the record that has none")
    func document() async throws {
        let error = try await failure {
            try TeachingRecord.skill(
                demonstrations(2), context: .document(template: "{document} {prompt} {demonstration}"))
        }
        #expect(error.code == .invalidArgument && error.message.contains("d0"))
    }

    @Test("hindsight: the teacher sees what the user said next, as a remark or as the turn that it was")
    func hindsight() throws {
        let record = Demonstration(
            id: "h", messages: [Message(.system, "Be brief."), Message(.user, "Capital of Australia?")],
            completion: "Sydney.", followup: "No, it is {prompt} Canberra.", targets: ["Canberra."])
        let remark = try TeachingRecord.skill(
            [record],
            context: .hindsight(template: TeacherContext.hindsightTemplate, asTurns: false))
        #expect(
            remark[0].teacher == [
                Message(.system, "Be brief."),
                Message(
                    .user,
                    "Capital of Australia?\n\n=== HINDSIGHT CONTEXT ===\n"
                        + "[The following is a future user message. Use this to guide your answer to the user prompt.]\n"
                        + "No, it is {prompt} Canberra."),
            ])
        let turns = try TeachingRecord.skill(
            [record],
            context: .hindsight(template: "{followup} You said {response} Again: {prompt}", asTurns: true))
        #expect(
            turns[0].teacher == [
                Message(.system, "Be brief."), Message(.user, "Capital of Australia?"),
                Message(.assistant, "Sydney."),
                Message(
                    .user,
                    "No, it is {prompt} Canberra. You said Sydney. Again: Capital of Australia?"),
            ])
        #expect(turns[0].prompt == record.messages && turns[0].completion == "Sydney.")
    }

    @Test("hindsight needs a follow-up and names the record that has none")
    func noFollowup() async throws {
        let error = try await failure {
            try TeachingRecord.skill(
                demonstrations(2),
                context: .hindsight(template: TeacherContext.hindsightTurn, asTurns: true))
        }
        #expect(error.code == .invalidArgument && error.message.contains("d0"))
    }

    @Test("rehearsal: the teacher sees the very same prompt, and ids of two sources do not collide")
    func rehearsal() {
        let records =
            TeachingRecord.rehearsal(demonstrations(2), of: "alpha")
            + TeachingRecord.rehearsal(demonstrations(2), of: "beta")
        #expect(records.allSatisfy { $0.role == .rehearsal && $0.teacher == $0.prompt })
        #expect(Set(records.map(\.id)).count == 4)
    }

    @Test("a training rehearses the skills that main holds, not the one it learns")
    func earlierSkills() async throws {
        let world = try World()
        try await world.register("alpha")
        try world.writeSkill("beta", rehearsal: 0.25)
        let seen = Notices()
        let registry = world.registry
        _ = try await world.workflow { line in
            // In the store phase the training is over and its files are still there.
            guard line == "store", let open = try? registry.unfinishedRegistrations().first else { return }
            let file = registry.directory(of: open.id).appending(path: "records.jsonl")
            seen.add((try? String(contentsOf: file, encoding: .utf8)) ?? "")
        }.register(world.skill("beta"), options: world.options(.accept))
        let text = try #require(seen.all.first)
        let records = try JSON.decodeLines(
            TeachingRecord.self, from: Array(text.utf8), source: "records.jsonl")
        #expect(records.filter { $0.role == .skill }.count == 24)
        #expect(records.filter { $0.role == .rehearsal && $0.id.hasPrefix("alpha/") }.count == 24)
        #expect(!records.contains { $0.role == .rehearsal && $0.id.hasPrefix("beta/") })
        #expect(Set(records.map(\.id)).count == records.count)
    }

    @Test("a sample depends on the seed and the ids, not on the order")
    func sample() {
        let ids = (0..<50).map { "id\($0)" }
        let first = seededSample(ids, 10, seed: 1, id: \.self)
        #expect(first == seededSample(ids.reversed(), 10, seed: 1, id: \.self))
        #expect(first != seededSample(ids, 10, seed: 2, id: \.self))
        #expect(Set(first).count == 10)
    }
}
