internal import PawlCore
internal import PawlModel

/// Who scores the student's answers: the incumbent's weights, frozen or a moving average of the student, behind contexts
/// that the records hold.
final class Teacher {
    let decoder: Transformer
    /// The decoder's weights where they follow the student, and how fast; nil when they are frozen.
    let average: (weights: Parameters, rate: Float)?
    /// What contexts begin with, longest first; computed when first asked for and after every change of the weights.
    private let beginnings: [[Int32]]
    private var prefixes: [Prefix?]

    /// - Parameter incumbent: the weights that the teacher begins with; they must not change while it lives. An average
    ///   starts from a copy of them.
    init(
        _ incumbent: ModelWeights, _ configuration: ModelConfiguration, _ recipe: TrainingRecipe,
        _ pool: ComputePool,
        beginnings: [[Int32]]
    ) {
        let positions = recipe.maxContextTokens
        if recipe.teacherWeights == .frozen {
            average = nil
            decoder = Transformer(configuration, incumbent, positions: positions, pool: pool)
        } else {
            let weights = incumbent.copy(pool)
            average = (weights, Float(recipe.emaRate))
            decoder = Transformer(configuration, weights, positions: positions, pool: pool)
        }
        self.beginnings = beginnings.filter { !$0.isEmpty }.sorted { $0.count > $1.count }
        prefixes = self.beginnings.map { _ in nil }
    }

    /// Moves the average towards the student after an optimizer step.
    func update(_ student: any Learner) throws {
        guard let (weights, rate) = average else { return }
        try student.average(into: weights, rate: rate)
        for index in prefixes.indices { prefixes[index] = nil }
    }

    /// Hidden states [R, D] of the places that predict the answers' tokens from number `skip` on, answer after answer.
    func hidden(_ contexts: [[Int32]], _ answers: [[Int32]], skip: Int) throws -> FloatBuffer {
        let d = decoder.configuration.hiddenSize
        let counts = answers.map { max(0, $0.count - skip) }
        let result = FloatBuffer(counts.reduce(0, +) * d)
        let firstRows = counts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        for (group, members) in groups(contexts) {
            let prefix = try group.map { try self.prefix($0) }
            let shared = prefix?.length ?? 0
            let chosen = members.filter { counts[$0] > 0 }
            guard !chosen.isEmpty else { continue }
            let batch = SequenceBatch(chosen.map { contexts[$0].dropFirst(shared) + answers[$0].dropLast() })
            let states = try decoder.forward(batch, prefix: prefix)
            for (row, index) in chosen.enumerated() {
                let first = Int(batch.starts[row]) + contexts[index].count - shared - 1 + skip
                (result.pointer + firstRows[index] * d).update(
                    from: states.pointer + first * d, count: counts[index] * d)
            }
        }
        return result
    }

    /// Contexts by the longest beginning that they share; at least one token stays behind it.
    private func groups(_ contexts: [[Int32]]) -> [(Int?, [Int])] {
        var result: [Int?: [Int]] = [:]
        for (index, context) in contexts.enumerated() {
            let group = beginnings.firstIndex { $0.count < context.count && context.starts(with: $0) }
            result[group, default: []].append(index)
        }
        return result.sorted { ($0.key ?? -1) < ($1.key ?? -1) }.map { ($0.key, $0.value) }
    }

    private func prefix(_ index: Int) throws -> Prefix {
        if let known = prefixes[index] { return known }
        let prefix = try decoder.prefix(beginnings[index])
        prefixes[index] = prefix
        return prefix
    }

    /// The tokens that all sequences begin with, short of the whole of any.
    static func commonBeginning(_ sequences: [[Int32]]) -> [Int32] {
        guard let first = sequences.first else { return [] }
        let length = sequences.reduce(first.count) { length, sequence in
            min(length, sequence.count - 1, zip(first, sequence).prefix { $0 == $1 }.count)
        }
        return Array(first.prefix(max(0, length)))
    }
}
