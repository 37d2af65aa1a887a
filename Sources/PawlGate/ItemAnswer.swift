public import PawlCore

/// What an engine answered to one item (a line of its `items.jsonl`).
public struct ItemAnswer: Decodable, Sendable, Hashable {
    /// What came of the item.
    public enum Outcome: Sendable, Hashable {
        /// A response; truncated when it reached the token limit.
        case response(String, isTruncated: Bool, tokens: Int?)
        /// Log-likelihoods of the choices, and their lengths in tokens where the engine tells them.
        case logLikelihoods([Double], tokens: [Int]?)
        /// A score that the engine itself gave.
        case scored(EngineScore)
        /// No answer, and why.
        case failed(String)
    }

    /// The name of the item in its suite.
    public let id: String
    /// What came of it.
    public let outcome: Outcome

    /// Makes an answer.
    public init(id: String, outcome: Outcome) {
        self.id = id
        self.outcome = outcome
    }

    private enum CodingKeys: String, CodingKey {
        case id, response, finish, tokens, logLikelihoods = "log_likelihoods", error, score, blind, prompt
    }

    /// Reads one line. Members that the protocol does not have are ignored, as everywhere in the protocol.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(String.self, forKey: .id)
        if let reason = try container.decodeIfPresent(String.self, forKey: .error) {
            outcome = .failed(reason)
        } else if let values = try container.decodeIfPresent([Double].self, forKey: .logLikelihoods) {
            outcome = .logLikelihoods(
                values, tokens: try container.decodeIfPresent([Int].self, forKey: .tokens))
        } else if let score = try container.decodeIfPresent(Double.self, forKey: .score) {
            outcome = .scored(
                EngineScore(
                    score: score, blind: try container.decode(Double.self, forKey: .blind),
                    response: try container.decode(String.self, forKey: .response),
                    prompt: try container.decode(Digest.self, forKey: .prompt)))
        } else {
            let response = try container.decode(String.self, forKey: .response)
            let finish = try container.decode(String.self, forKey: .finish)
            guard ["stop", "length"].contains(finish) else {
                throw decoder.failure(CodingKeys.finish, "\"\(finish)\" is not one of stop, length")
            }
            outcome = .response(
                response, isTruncated: finish == "length",
                tokens: try container.decodeIfPresent(Int.self, forKey: .tokens))
        }
    }

    /// Reads an engine's `items.jsonl`. A line that is none is `evidence_invalid`, with file, line and field.
    public static func read(_ bytes: [UInt8], source: String) throws -> [ItemAnswer] {
        do {
            return try StrictJSON.decodeLines(ItemAnswer.self, from: bytes, source: source).map(\.value)
        } catch let error as PawlError {
            throw PawlError(.evidenceInvalid, error.message, hint: error.hint)
        }
    }
}

/// The graded answer to one item: a line of the evidence.
public struct ItemResult: Codable, Sendable, Hashable {
    /// Whether there was an answer that could be graded. Only `ok` can score above 0.
    public enum Status: String, Codable, Sendable, CaseIterable {
        /// Answered and graded.
        case ok
        /// The engine left the item out.
        case missing
        /// The engine reported an error for the item.
        case failed
        /// The answer reached the token limit.
        case truncated
    }

    /// The name of the item in its suite.
    public let id: String
    /// The content digest of the item; by it results are paired.
    public let item: Digest
    /// What the item belongs together with.
    public let cluster: String?
    /// The score, 0...1.
    public let score: Double
    /// The response, where the item asked for one.
    public let response: String?
    /// Index of the chosen choice, where the item had choices.
    public let chosen: Int?
    /// Whether there was an answer that could be graded.
    public let status: Status
    /// Why it failed, in the engine's words.
    public let error: String?
    /// What an answer would have scored that was given without reading the question; only where the engine scores.
    public let blind: Double?
    /// SHA-256 of what the model was shown; only where the engine scores.
    public let prompt: Digest?

    /// Makes a result; the score is 0 unless the status is `ok`.
    public init(
        id: String, item: Digest, cluster: String? = nil, score: Double, response: String? = nil,
        chosen: Int? = nil, status: Status = .ok, error: String? = nil, blind: Double? = nil,
        prompt: Digest? = nil
    ) {
        self.id = id
        self.item = item
        self.cluster = cluster
        self.score = status == .ok ? score : 0
        self.response = response
        self.chosen = chosen
        self.status = status
        self.error = error
        self.blind = blind
        self.prompt = prompt
    }

    /// Whether the model said nothing that could be judged, through no merit or fault of its own.
    var isUnanswered: Bool { status == .missing || status == .failed }
}

extension Suite {
    /// Grades an engine's answers. Every item of the suite gets a result; what was not answered scores 0.
    ///
    /// An answer to an unknown item, a second answer to the same item, or an answer of the wrong kind is
    /// `evidence_invalid`: then the engine did not do what it was asked, and no score can be trusted.
    public func grade(_ answers: [ItemAnswer]) throws -> Evidence {
        var byID: [String: ItemAnswer] = [:]
        for answer in answers where byID.updateValue(answer, forKey: answer.id) != nil {
            throw invalid(answer.id, "is answered twice")
        }
        let scores = try scores(
            items.compactMap { item in
                guard case .response(let text, false, _)? = byID[item.id]?.outcome else { return nil }
                return (item, text)
            })
        let results = try items.map { try result(of: $0, byID.removeValue(forKey: $0.id), scores) }
        if let stray = byID.keys.min() { throw invalid(stray, "is answered, but the suite has no such item") }
        return try Evidence(results)
    }

    /// What the grader gives to responses, by item; nothing for a multiple choice, which has none.
    func scores(_ responses: [(item: SuiteItem, text: String)]) throws -> [Digest: Double] {
        guard !manifest.grader.isMultipleChoice, manifest.grader.engine == nil else { return [:] }
        var scores: [Digest: Double] = [:]
        if case .external(let grader) = manifest.grader {
            guard let program else {
                throw PawlError(.internalError, "suite \(name) \(version) was made without its grader")
            }
            let questions = responses.map { item, text in
                ExternalGrader.Question(id: item.id, input: item.input, targets: item.targets, response: text)
            }
            let found = try grader.scores(questions, program: program, suite: "\(name) \(version)")
            for ((item, _), score) in zip(responses, found) { scores[item.digest] = score }
        } else {
            for (item, text) in responses {
                scores[item.digest] = try manifest.grader.score(text, targets: item.targets)
            }
        }
        return scores
    }

    private func invalid(_ id: String, _ what: String) -> PawlError {
        PawlError(.evidenceInvalid, "suite \(name) \(version): item \"\(id)\" \(what)")
    }

    private func result(of item: SuiteItem, _ answer: ItemAnswer?, _ scores: [Digest: Double]) throws
        -> ItemResult
    {
        func make(
            _ score: Double, response: String? = nil, chosen: Int? = nil,
            status: ItemResult.Status = .ok, error: String? = nil
        ) -> ItemResult {
            ItemResult(
                id: item.id, item: item.digest, cluster: item.cluster, score: score, response: response,
                chosen: chosen, status: status, error: error)
        }
        if manifest.grader.engine != nil { return try engineResult(of: item, answer) }
        switch answer?.outcome {
        case nil: return make(0, status: .missing)
        case .failed(let reason): return make(0, status: .failed, error: reason)
        case .scored: throw invalid(item.id, "has a score where an answer was asked for")
        case .response(let text, let isTruncated, _):
            guard !manifest.grader.isMultipleChoice else {
                throw invalid(item.id, "has a response where log_likelihoods of its choices were asked for")
            }
            if isTruncated { return make(0, response: text, status: .truncated) }
            return make(scores[item.digest] ?? 0, response: text)
        case .logLikelihoods(let values, let tokens):
            guard manifest.grader.isMultipleChoice else {
                throw invalid(item.id, "has log_likelihoods where a response was asked for")
            }
            guard values.count == item.choices.count else {
                throw invalid(
                    item.id, "has \(values.count) log_likelihoods for \(item.choices.count) choices")
            }
            guard let chosen = manifest.grader.chosen(values, among: item.choices, tokens: tokens) else {
                throw invalid(
                    item.id, "needs the number of tokens of each of its \(item.choices.count) choices")
            }
            return make(chosen == item.answer ? 1 : 0, chosen: chosen)
        }
    }
}

extension ItemResult {
    /// What the engine said of the item; nil where it gave no score.
    fileprivate var engineScore: EngineScore? {
        guard let blind, let response, let prompt else { return nil }
        return EngineScore(score: score, blind: blind, response: response, prompt: prompt)
    }
}

extension Suite {
    /// The result of an item that the engine scored.
    private func engineResult(of item: SuiteItem, _ answer: ItemAnswer?) throws -> ItemResult {
        switch answer?.outcome {
        case nil:
            return ItemResult(
                id: item.id, item: item.digest, cluster: item.cluster, score: 0, status: .missing)
        case .failed(let reason):
            return ItemResult(
                id: item.id, item: item.digest, cluster: item.cluster, score: 0, status: .failed,
                error: reason)
        case .scored(let said):
            if let problem = manifest.grader.engine?.problem(with: said) {
                throw invalid(item.id, "has a \(problem)")
            }
            return ItemResult(
                id: item.id, item: item.digest, cluster: item.cluster, score: said.score,
                response: said.response, blind: said.blind, prompt: said.prompt)
        case .response, .logLikelihoods:
            throw invalid(item.id, "has an answer where the engine's own score was asked for")
        }
    }
}

extension Suite {
    /// Grades stored results once more: fails with `evidence_invalid` unless they cover exactly this suite's items and
    /// every score is what the suite's grader gives to the stored answer. What an engine scored itself is taken as it said.
    public func check(_ evidence: Evidence) throws {
        let results = Dictionary(uniqueKeysWithValues: evidence.results.map { ($0.item, $0) })
        guard results.count == items.count else {
            throw PawlError(
                .evidenceInvalid,
                "suite \(name) \(version): the evidence has \(results.count) items, the suite \(items.count)")
        }
        let scores = try scores(
            items.compactMap { item in
                guard let result = results[item.digest], result.status == .ok, result.chosen == nil,
                    let response = result.response
                else { return nil }
                return (item, response)
            })
        for item in items {
            guard let result = results[item.digest] else { throw invalid(item.id, "is not in the evidence") }
            guard isScore(result, of: item, scores) else {
                throw invalid(
                    item.id, "has the score \(result.score), which the grader does not give to its answer")
            }
        }
    }

    private func isScore(_ result: ItemResult, of item: SuiteItem, _ scores: [Digest: Double]) -> Bool {
        guard result.status == .ok else { return result.score == 0 }
        // Only the harness could grade the answer again; what the engine said must at least be what it may say.
        if let grader = manifest.grader.engine { return result.engineScore.map(grader.problem) == .some(nil) }
        if let chosen = result.chosen { return result.score == (chosen == item.answer ? 1 : 0) }
        return result.response != nil && result.score == scores[item.digest]
    }
}
