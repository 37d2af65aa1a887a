import Foundation
import PawlCore
import Testing

@testable import PawlModel
@testable import PawlSDFT

@Suite("What each step takes")
struct PlanTests {
    private func records(_ skill: Int, _ rehearsal: Int) throws -> [TrainingRecord] {
        let lines = (0..<skill + rehearsal).map {
            #"{"id":"\#($0)","role":"\#($0 < skill ? "skill" : "rehearsal")","prompt":[{"role":"user","content":"\#($0)"}]}"#
        }
        return try TrainingRecord.read(Array(lines.joined(separator: "\n").utf8), source: "records.jsonl")
    }

    @Test("Every record comes once a pass, skill first, the same on every run")
    func order() throws {
        let recipe = try TrainingRecipe.sample(["prompts_per_step": 4, "rehearsal_share": 0.25])
        let records = try records(9, 2)
        var (plan, again) = (try StepPlan(records, recipe), try StepPlan(records, recipe))
        let steps = (0..<9).map { plan.records(of: $0) }
        #expect(steps.allSatisfy { $0.count == 4 && $0.prefix(3).allSatisfy { $0 < 9 } && $0[3] >= 9 })
        let walk = steps.flatMap { $0.prefix(3) }
        for pass in 0..<3 { #expect(Set(walk[pass * 9..<(pass + 1) * 9]).count == 9) }
        #expect(Array(walk[0..<9]) != Array(walk[9..<18]))
        #expect(again.records(of: 5) == steps[5])
    }

    @Test("Who answers depends on seed, step and record; the share comes out")
    func source() throws {
        let records = try records(50, 0)
        let recipe = try TrainingRecipe.sample(["rehearsal_share": 0, "on_policy_fraction": 0.3])
        let plan = try StepPlan(records, recipe)
        let own = (0..<200).map { step in records.indices.filter { plan.samples($0, at: step) } }
        let share = Double(own.reduce(0) { $0 + $1.count }) / 10_000
        // Five standard errors of a share of 0.3 among 10,000.
        #expect(abs(share - 0.3) < 0.023)
        #expect(Set(own).count > 190)
        #expect(records.indices.filter { plan.samples($0, at: 7) } == own[7])
    }

    @Test("The learning rate rises in a line and falls along a cosine")
    func schedule() throws {
        let recipe = try TrainingRecipe.sample(["learning_rate": 1.0, "warmup_steps": 2, "steps": 6])
        let rates = (0..<6).map(recipe.learningRate(at:))
        let expected = [0.5, 1, 1, 0.5 * (1 + 0.5.squareRoot()), 0.5, 0.5 * (1 - 0.5.squareRoot())]
        #expect(zip(rates, expected).allSatisfy { abs($0 - $1) < 1e-12 })
    }

    @Test(
        "A recipe that cannot be trained with names its key",
        arguments: [
            ("steps", 0), ("temperature", 0), ("on_policy_fraction", 2), ("skip_tokens", 12),
            ("max_context_tokens", 12),
            ("micro_batch", 0), ("learning_rate", -1), ("divergence", "kl"), ("seed", 0.5),
        ] as [(String, JSONValue)])
    func refused(key: String, value: JSONValue) {
        let error = #expect(throws: PawlError.self) { try TrainingRecipe.sample([key: value]) }
        #expect(error?.message.contains(key) == true, "\(error?.message ?? "")")
    }

    @Test("Common beginnings leave at least a token of each")
    func beginnings() {
        #expect(Teacher.commonBeginning([[1, 2, 3, 4], [1, 2, 3], [1, 2, 5, 6, 7]]) == [1, 2])
        #expect(Teacher.commonBeginning([[1, 2], [1, 2, 3]]) == [1])
        #expect(Teacher.commonBeginning([[1], [1, 2]]) == [])
        #expect(Teacher.commonBeginning([]) == [])
    }
}
