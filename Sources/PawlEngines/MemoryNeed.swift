internal import Foundation
internal import PawlCore
internal import PawlModel
internal import PawlSDFT

/// How much memory work will take at its peak, about, counted from what it holds.
struct MemoryNeed {
    let bytes: Int

    /// Weights, gradients and two moments; the teacher's weights; one micro-batch's activations; logits of a chunk.
    static func training(_ c: ModelConfiguration, _ recipe: TrainingRecipe) -> MemoryNeed {
        let models = recipe.method == .sdft ? 5 : 4
        let perToken =
            c.layerCount * (4 * c.hiddenSize + 2 * c.queryKeyValueSize + 3 * c.intermediateSize) * 4
        let tokens = min(recipe.microBatch, recipe.promptsPerStep) * (recipe.maxCompletionTokens + 128)
        return MemoryNeed(bytes: models * weights(c) + tokens * perToken + 3 * 64 * c.vocabularySize * 4)
    }

    /// Weights, once more in bf16 for decoding, and keys and values of the sequences in the works.
    static func evaluation(_ c: ModelConfiguration, _ sequences: Int) -> MemoryNeed {
        let perToken = c.layerCount * 2 * c.keyValueHeadCount * c.headSize * 4
        let perSequence = 512 * perToken + c.vocabularySize * 4
        return MemoryNeed(bytes: weights(c) * 3 / 2 + sequences * perSequence)
    }

    private static func weights(_ c: ModelConfiguration) -> Int { ParameterLayout(c).count * 4 }

    /// Memory of this machine, in bytes.
    static var machine: Int { Int(ProcessInfo.processInfo.physicalMemory) }

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
