internal import Foundation
internal import PawlCore
internal import PawlModel
internal import PawlSDFT

/// How much memory work will take at its peak, about, counted from what it holds.
struct MemoryNeed {
    let bytes: Int

    /// What learns with its gradients and two moments; where anything is sampled, the weights in bf16 too and a teacher's, in
    /// fp32 at worst; one micro-batch's activations; logits of a chunk.
    ///
    /// - Parameter source: the model; how it is stored says how weights are held that do not learn.
    static func training(_ c: ModelConfiguration, _ recipe: TrainingRecipe, _ source: some WeightSource)
        throws
        -> MemoryNeed
    {
        let samples = recipe.method == .sdft || recipe.rehearsalPerStep > 0
        let numbers: Int
        if let layout = try recipe.lowRankLayout(ParameterLayout(c)) {
            // Those of a frozen teacher are the student's own.
            let base = try FrozenWeights.holds(source, c) ? 0.5 : 1
            let others = samples ? (recipe.teacherWeights == .ema ? 1.5 : 0.5) : 0
            numbers = Int((base + others) * Double(weights(c))) + 5 * layout.count * 4
        } else {
            numbers = Int((samples ? 5.5 : 4) * Double(weights(c)))
        }
        let sequence = recipe.maxCompletionTokens + 128
        let tokens = max(
            sequence,
            min(min(recipe.microBatch, recipe.promptsPerStep) * sequence, TrainingRecipe.tokensTogether))
        let activations = Activations.bytes(
            c, tokens: tokens, recomputing: Activations.isRecomputed(c, tokens: tokens))
        return MemoryNeed(
            bytes: numbers + activations + 3 * 64 * c.vocabularySize * 4)
    }

    /// Weights, in fp32 at worst, and keys and values of the sequences in the works.
    static func evaluation(_ c: ModelConfiguration, _ sequences: Int) -> MemoryNeed {
        let perToken = c.layerCount * 2 * c.keyValueHeadCount * c.headSize * 4
        let perSequence = 512 * perToken + c.vocabularySize * 4
        return MemoryNeed(bytes: weights(c) + sequences * perSequence)
    }

    private static func weights(_ c: ModelConfiguration) -> Int { ParameterLayout(c).count * 4 }

    /// Memory that this process may have, in bytes.
    static var machine: Int { MachineMemory.bytes }

    /// Refuses what this machine cannot hold, before anything is loaded.
    func check(_ activity: String) throws {
        let machine = Self.machine
        guard bytes <= machine else {
            throw PawlError(
                .unsupported,
                "\(activity) needs about \(bytes / 1_000_000) MB of memory, this machine has \(machine / 1_000_000) MB",
                hint: "use a machine with more memory, or an engine that spreads the model (--engine trl)")
        }
    }
}
