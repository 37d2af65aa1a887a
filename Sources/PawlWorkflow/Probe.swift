internal import Foundation
public import PawlCore
internal import PawlEngines
public import PawlGate
internal import PawlRegistry
internal import PawlStore

/// Whether the model can be its own teacher: the skill's metric with and without the demonstration in view.
public struct ProbeReport: Codable, Sendable, Hashable {
    /// Name of the skill.
    public var skill: String
    /// The model that was asked.
    public var checkpoint: Digest
    /// Number of demonstrations that were tried.
    public var count: Int
    /// Mean score of the student, who sees the prompt alone.
    public var student: Double
    /// Mean score under each context, in the skill's order.
    public var teachers: [Teacher]
    /// Index of the best context; nil when none is better than the student.
    public var best: Int?

    /// A teacher context and its score.
    public struct Teacher: Codable, Sendable, Hashable {
        /// What the teacher saw.
        public var context: TeacherContext
        /// Mean score over the same demonstrations.
        public var score: Double
    }
}

extension Workflow {
    /// Number of demonstrations that a probe tries.
    static let probeCount = 24

    /// Scores a sample of demonstrations without context and under each of the skill's contexts.
    ///
    /// The response is judged against the demonstration's own, by the grader of the skill's suite.
    public func probe(
        _ skill: SkillFolder, on checkpoint: Digest, engine name: String, seed: Int
    ) async throws -> ProbeReport {
        let engine = try engines.engine(name)
        let sample = probeSample(skill, seed: seed)
        let contexts = skill.manifest.contexts
        let directory = registry.work.appending(path: "probe-\(UUID().uuidString)")
        try Files.createDirectory(directory)
        defer { try? Files.remove(directory) }
        let requests = try probeRequests(
            skill, seed: seed, model: try modelInput(checkpoint, for: engine), in: directory)
        let results = try await engine.evaluate(requests, progress: progress)
        let scores = try results.map { result in try score(result.answers, against: sample, skill: skill) }
        let best = scores.dropFirst().max().flatMap { top in
            top > scores[0] ? scores.dropFirst().firstIndex(of: top).map { $0 - 1 } : nil
        }
        return ProbeReport(
            skill: skill.manifest.name, checkpoint: checkpoint, count: sample.count, student: scores[0],
            teachers: zip(contexts, scores.dropFirst()).map { .init(context: $0, score: $1) }, best: best)
    }

    private func probeSample(_ skill: SkillFolder, seed: Int) -> [Demonstration] {
        seededSample(skill.demonstrations, Self.probeCount, seed: seed, id: \.id)
    }

    /// What a probe asks: the sample without context first, then under each of the skill's contexts.
    func probeRequests(_ skill: SkillFolder, seed: Int, model: ModelInput, in directory: URL) throws
        -> [EvaluationRequest]
    {
        let sample = probeSample(skill, seed: seed)
        let prompts: [[[Message]]] =
            [sample.map(\.messages)]
            + (try skill.manifest.contexts.map { context in
                try sample.map { try context.messages(for: $0, among: skill.demonstrations) }
            })
        return try prompts.enumerated().map { index, prompts in
            try probeRequest(prompts, index: index, skill: skill, model: model, in: directory)
        }
    }

    private struct ProbeItem: Encodable {
        var id: String
        var messages: [Message]
    }

    private func probeRequest(
        _ prompts: [[Message]], index: Int, skill: SkillFolder, model: ModelInput, in directory: URL
    ) throws -> EvaluationRequest {
        let folder = directory.appending(path: index == 0 ? "student" : "teacher-\(index)")
        try Files.createDirectory(folder)
        let file = folder.appending(path: "requests.jsonl")
        let bytes = try JSON.canonicalLines(
            prompts.enumerated().map { ProbeItem(id: "\($0.offset)", messages: $0.element) })
        try Files.writeAtomically(bytes, to: file)
        return EvaluationRequest(
            model: model, suite: FileInput(path: file, sha256: Digest(of: bytes)),
            settings: Self.settings(of: skill.suite), workdir: directory)
    }

    /// Mean score of the answers; an answer that is missing, failed or truncated counts 0.
    private func score(
        _ answers: [PawlEngines.ItemAnswer], against sample: [Demonstration], skill: SkillFolder
    ) throws -> Double {
        let byID = Dictionary(answers.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let grader =
            skill.suite.manifest.grader.isMultipleChoice
            ? Grader.exactMatch([.trim, .lowercase]) : skill.suite.manifest.grader
        let scores = try sample.enumerated().map { index, demonstration -> Double in
            guard case .generation(let response, .stop, _) = byID["\(index)"]?.outcome else { return 0 }
            return try grader.score(response, targets: [demonstration.completion])
        }
        return scores.reduce(0, +) / Double(max(1, scores.count))
    }
}
