internal import PawlCore
internal import PawlModel

/// Which records each step takes, and who answers them: a function of the seed and the step alone.
///
/// Each role is an endless walk through shuffled passes; the shuffle of a pass comes from (seed, role, pass).
struct StepPlan {
    private let recipe: TrainingRecipe
    private let ids: [String]
    private var walks: [Walk] = []

    private struct Walk {
        let role: TrainingRecord.Role
        let indices: [Int]
        let count: Int
        var passes: [Int: [Int]] = [:]
    }

    init(_ records: [TrainingRecord], _ recipe: TrainingRecipe) throws {
        self.recipe = recipe
        ids = records.map(\.id)
        let indices = { (role: TrainingRecord.Role) in records.indices.filter { records[$0].role == role } }
        let (skill, rehearsal) = (indices(.skill), indices(.rehearsal))
        let rehearsed = rehearsal.isEmpty ? 0 : recipe.rehearsalPerStep
        guard !skill.isEmpty || rehearsed == recipe.promptsPerStep else {
            throw PawlError(.invalidArgument, "demonstrations: no record has the role skill")
        }
        walks = [
            Walk(role: .skill, indices: skill, count: recipe.promptsPerStep - rehearsed),
            Walk(role: .rehearsal, indices: rehearsal, count: rehearsed),
        ]
    }

    /// Indices of a step's records (steps count from 0), skill first.
    mutating func records(of step: Int) -> [Int] {
        var result: [Int] = []
        for walk in walks.indices {
            let count = walks[walk].count
            for position in step * count..<(step + 1) * count {
                let size = walks[walk].indices.count
                result.append(walks[walk].indices[pass(walk, position / size)[position % size]])
            }
        }
        return result
    }

    private mutating func pass(_ walk: Int, _ number: Int) -> [Int] {
        if let known = walks[walk].passes[number] { return known }
        var random = NamedRandom("\(recipe.seed)/\(walks[walk].role.rawValue)/\(number)")
        let order = random.shuffled(walks[walk].indices.count)
        // A step straddles two passes at most; older ones are not asked for again.
        walks[walk].passes = walks[walk].passes.filter { $0.key >= number - 1 }
        walks[walk].passes[number] = order
        return order
    }

    /// Whether the answer to a skill record is the student's own at a step; if not, it is the demonstration's.
    func samples(_ record: Int, at step: Int) -> Bool {
        var random = NamedRandom("\(recipe.seed)/source/\(step)/\(ids[record])")
        return random.uniform() < recipe.onPolicyFraction
    }
}
