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
        let sample = try probeSample(skill, seed: seed)
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

    private func probeSample(_ skill: SkillFolder, seed: Int) throws -> [Demonstration] {
        seededSample(try Self.judgedRecords(skill), Self.probeCount, seed: seed, id: \.id)
    }

    /// The demonstrations that a probe can judge; an error when there are none.
    static func judgedRecords(_ skill: SkillFolder) throws -> [Demonstration] {
        let judged = judged(skill)
        guard !judged.isEmpty else {
            throw PawlError(
                .invalidArgument,
                "no record of the skill \"\(skill.manifest.name)\" says what a right response is, "
                    + "so there is nothing to probe with",
                hint: "add \"targets\" to some of its records, or register with --force")
        }
        return judged
    }

    /// The demonstrations that a probe can judge: all of an expert's; of those with a follow-up, the ones whose right
    /// response is known, and for a multiple choice is another than the response that the user met.
    static func judged(_ skill: SkillFolder) -> [Demonstration] {
        let isChoice = skill.suite.manifest.grader.isMultipleChoice
        return skill.demonstrations.filter { record in
            guard record.followup != nil else { return true }
            guard let right = record.targets.first else { return false }
            return !isChoice || right != record.completion
        }
    }

    /// What a probe asks: the sample without context first, then under each of the skill's contexts.
    func probeRequests(_ skill: SkillFolder, seed: Int, model: ModelInput, in directory: URL) throws
        -> [EvaluationRequest]
    {
        let sample = try probeSample(skill, seed: seed)
        let isChoice = skill.suite.manifest.grader.isMultipleChoice
        let choices = sample.map { isChoice ? $0.alternatives : nil }
        let prompts: [[ProbeItem]] =
            [zip(sample, choices).map { ProbeItem(messages: $0.messages, choices: $1) }]
            + (try skill.manifest.contexts.map { context in
                try zip(sample, choices).map { record, choices in
                    ProbeItem(
                        messages: try context.messages(for: record, among: skill.demonstrations),
                        choices: choices)
                }
            })
        return try prompts.enumerated().map { index, prompts in
            try probeRequest(prompts, index: index, skill: skill, model: model, in: directory)
        }
    }

    private struct ProbeItem: Encodable {
        var id = ""
        var messages: [Message]
        var choices: [String]?
    }

    private func probeRequest(
        _ items: [ProbeItem], index: Int, skill: SkillFolder, model: ModelInput, in directory: URL
    ) throws -> EvaluationRequest {
        let folder = directory.appending(path: index == 0 ? "student" : "teacher-\(index)")
        try Files.createDirectory(folder)
        let file = folder.appending(path: "requests.jsonl")
        let bytes = try JSON.canonicalLines(
            items.enumerated().map { number, item in
                var item = item
                item.id = "\(number)"
                return item
            })
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
            switch byID["\(index)"]?.outcome {
            case .generation(let response, .stop, _):
                let targets =
                    demonstration.followup == nil ? [demonstration.completion] : demonstration.targets
                return try grader.score(response, targets: targets)
            case .choices(let logLikelihoods, let tokens):
                guard let choices = demonstration.alternatives else { return 0 }
                let chosen = skill.suite.manifest.grader.chosen(
                    logLikelihoods, among: choices, tokens: tokens)
                return chosen == choices.count - 1 ? 1 : 0
            default: return 0
            }
        }
        return scores.reduce(0, +) / Double(max(1, scores.count))
    }
}

extension Demonstration {
    /// The response that the user met and, last, a right one: what a model chooses between when the suite is a multiple
    /// choice. nil for an expert's demonstration, which has one response only.
    fileprivate var alternatives: [String]? {
        guard followup != nil, let right = targets.first else { return nil }
        return [completion, right]
    }
}
