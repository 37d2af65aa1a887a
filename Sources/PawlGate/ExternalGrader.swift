internal import PawlCore

/// A program in the suite's folder that grades responses: JSON lines in, JSON lines out (docs/gate.md, "External graders").
public struct ExternalGrader: Codable, Sendable, Hashable {
    /// File name of the program, in the folder of the manifest. Its bytes are part of the suite's digest.
    public let program: String
    /// Seconds for all responses of an evaluation together.
    public let timeout: Int
    /// Address space of each of its processes, in MiB.
    public let memory: Int
    /// True when every score is 0 or 1; the metric accuracy needs that.
    public let isBinary: Bool

    private enum CodingKeys: String, CodingKey {
        case program, timeout = "timeout_s", memory = "memory_mb", isBinary = "binary"
    }

    private enum Keys: String, CodingKey, CaseIterable {
        case kind, program, timeout = "timeout_s", memory = "memory_mb", isBinary = "binary"
    }

    init(checking decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(Keys.self)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        program = try container.decode(String.self, forKey: .program)
        try decoder.checkFile(program, CodingKeys.program)
        guard !program.contains("/") else {
            throw decoder.failure(CodingKeys.program, "\"\(program)\" must stand beside the manifest")
        }
        timeout = try container.integerIfPresent(.timeout) ?? 60
        guard 1...3600 ~= timeout else {
            throw decoder.failure(CodingKeys.timeout, "\(timeout) is not in 1...3600")
        }
        memory = try container.integerIfPresent(.memory) ?? 1024
        guard 16...65536 ~= memory else {
            throw decoder.failure(CodingKeys.memory, "\(memory) is not in 16...65536")
        }
        isBinary = try container.decodeIfPresent(Bool.self, forKey: .isBinary) ?? true
    }

    /// What the program reads: one line a response.
    struct Question: Encodable {
        let id: String
        let input: PromptInput
        let targets: [String]
        let response: String

        private enum CodingKeys: String, CodingKey { case id, targets, response }

        func encode(to encoder: any Encoder) throws {
            try input.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(id, forKey: .id)
            try container.encode(targets, forKey: .targets)
            try container.encode(response, forKey: .response)
        }
    }

    private struct Answer: Decodable {
        let id: String
        let score: Double
    }

    /// The scores of responses, in their order.
    ///
    /// - Throws: `evidence_invalid` when the program fails, runs out of time or memory, or does not give every response
    ///   exactly one score in 0...1 (0 or 1, where it is binary).
    func scores(_ questions: [Question], program bytes: [UInt8], suite: String) throws -> [Double] {
        guard !questions.isEmpty else { return [] }
        func invalid(_ what: String) -> PawlError {
            PawlError(.evidenceInvalid, "suite \(suite): its grader \(program.escaped) \(what)")
        }
        let output: [UInt8]
        do {
            output = try Sandbox(timeout: timeout, memory: memory).run(
                program: bytes, input: JSON.canonicalLines(questions))
        } catch let error as PawlError where error.code == .engine {
            throw invalid(error.message)
        }
        var scores: [String: Double] = [:]
        for answer in try JSON.decodeLines(Answer.self, from: output, source: "output of \(program.escaped)")
        {
            guard 0...1 ~= answer.score, !isBinary || answer.score == 0 || answer.score == 1 else {
                throw invalid("gives item \"\(answer.id.escaped)\" the score \(answer.score)")
            }
            guard scores.updateValue(answer.score, forKey: answer.id) == nil else {
                throw invalid("grades item \"\(answer.id.escaped)\" twice")
            }
        }
        guard scores.count == questions.count else {
            throw invalid("gives \(scores.count) scores for \(questions.count) responses")
        }
        return try questions.map { question in
            guard let score = scores[question.id] else {
                throw invalid("gives item \"\(question.id.escaped)\" no score")
            }
            return score
        }
    }
}
