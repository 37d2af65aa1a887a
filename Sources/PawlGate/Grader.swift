internal import Foundation
internal import PawlCore

/// How an answer becomes a score.
public enum Grader: Codable, Sendable, Hashable {
    /// The log-likelihood of a choice is divided by nothing, its UTF-8 bytes or its tokens.
    public enum LengthNormalisation: String, Codable, Sendable, CaseIterable { case none, bytes, tokens }

    /// The response equals a target, both normalised.
    case exactMatch([Normaliser])
    /// The response contains a target, both normalised.
    case contains([Normaliser])
    /// The first match of the pattern; its group equals a target, both normalised. Without targets a match is enough.
    case regex(pattern: String, group: Int, [Normaliser])
    /// The last number of the response is a target within a tolerance, absolute or relative to the target.
    case numeric(tolerance: Double, relative: Bool)
    /// The response is a JSON value equal to a target.
    case jsonEquality
    /// The response is one object `{"name","arguments"}` equal to a target.
    case functionCall
    /// The choice with the highest log-likelihood is the answer; the lowest index among equals.
    case multipleChoice(LengthNormalisation)
    /// A program in the suite's folder.
    case external(ExternalGrader)
    /// An evaluator plug-in scores the items itself.
    case engine(EngineGrader)
    /// F1 of the words shared with the best target, both normalised.
    case tokenF1([Normaliser])

    /// The word that names this grader in JSON.
    public var kind: String {
        switch self {
        case .exactMatch: "exact_match"
        case .contains: "contains"
        case .regex: "regex"
        case .numeric: "numeric"
        case .jsonEquality: "json_equality"
        case .functionCall: "function_call"
        case .multipleChoice: "multiple_choice"
        case .tokenF1: "token_f1"
        case .external: "external"
        case .engine: "engine"
        }
    }

    /// Whether a score is either 0 or 1.
    public var isBinary: Bool {
        switch self {
        case .tokenF1: false
        case .external(let grader): grader.isBinary
        case .engine(let grader): grader.isBinary
        default: true
        }
    }

    /// Whether it reads log-likelihoods and not a response.
    public var isMultipleChoice: Bool { if case .multipleChoice = self { true } else { false } }

    /// Who scores the items in place of the gate; nil for any other grader.
    public var engine: EngineGrader? { if case .engine(let grader) = self { grader } else { nil } }

    /// The score of a response, 0...1. Not for multiple choice, nor for a program, which grades all responses at once, nor for
    /// an engine.
    public func score(_ response: String, targets: [String]) throws -> Double {
        switch self {
        case .exactMatch(let normalisers):
            let answer = Normaliser.apply(normalisers, to: response)
            return targets.contains { Normaliser.apply(normalisers, to: $0) == answer } ? 1 : 0
        case .contains(let normalisers):
            let answer = Normaliser.apply(normalisers, to: response)
            return targets.contains { answer.hasRange(of: Normaliser.apply(normalisers, to: $0)) } ? 1 : 0
        case .regex(let pattern, let group, let normalisers):
            guard let found = try Pattern(pattern).firstMatch(in: response, group: group) else { return 0 }
            if targets.isEmpty { return 1 }
            let answer = Normaliser.apply(normalisers, to: found)
            return targets.contains { Normaliser.apply(normalisers, to: $0) == answer } ? 1 : 0
        case .numeric(let tolerance, let relative):
            guard let value = Numbers.last(in: response) else { return 0 }
            return targets.compactMap(Numbers.whole).contains {
                Numbers.isNear(value, $0, tolerance: tolerance, relative: relative)
            } ? 1 : 0
        case .jsonEquality:
            guard let value = JSONAnswer.value(of: response) else { return 0 }
            return targets.compactMap(JSONAnswer.value).contains { $0.isSame(as: value) } ? 1 : 0
        case .functionCall:
            guard let value = JSONAnswer.value(of: response), JSONAnswer.isFunctionCall(value) else {
                return 0
            }
            return targets.compactMap(JSONAnswer.value).contains { $0.isSame(as: value) } ? 1 : 0
        case .tokenF1(let normalisers):
            let answer = Normaliser.apply(normalisers, to: response)
            return targets.map { WordOverlap.f1(answer, Normaliser.apply(normalisers, to: $0)) }.max() ?? 0
        case .multipleChoice, .external, .engine:
            throw PawlError(.internalError, "\(kind) does not grade responses one by one")
        }
    }

    /// What this grader cannot do with an item: the field and the reason.
    func problem(with item: SuiteItem) -> (field: String, reason: String)? {
        if engine != nil {
            return item.document == nil
                ? ("document", "is missing; the grader engine needs the harness's own name of the item") : nil
        }
        if item.document != nil { return ("document", "the grader \(kind) knows no documents of a harness") }
        if isMultipleChoice {
            return item.choices.isEmpty
                ? ("choices", "is missing; the grader multiple_choice needs choices and answer") : nil
        }
        if !item.choices.isEmpty { return ("choices", "the grader \(kind) takes a target, not choices") }
        if item.targets.isEmpty {
            if case .regex = self { return nil }
            if case .external = self { return nil }
            return ("target", "is missing; the grader \(kind) needs one")
        }
        for (index, target) in item.targets.enumerated() {
            guard let reason = problem(withTarget: target) else { continue }
            return (item.targets.count == 1 ? "target" : "targets[\(index)]", reason)
        }
        return nil
    }

    private func problem(withTarget target: String) -> String? {
        switch self {
        case .numeric:
            return Numbers.whole(target) == nil ? "\"\(target)\" is not a number" : nil
        case .jsonEquality:
            return JSONAnswer.value(of: target) == nil ? "the text is not a JSON value" : nil
        case .functionCall:
            guard let value = JSONAnswer.value(of: target), JSONAnswer.isFunctionCall(value) else {
                return "the text is not a JSON object {\"name\": \"…\", \"arguments\": {…}}"
            }
            return nil
        case .contains(let normalisers):
            return Normaliser.apply(normalisers, to: target).isEmpty
                ? "nothing is left of it after the normalisers, so every response would contain it" : nil
        case .exactMatch, .regex, .multipleChoice, .tokenF1, .external, .engine: return nil
        }
    }
}

extension Grader {
    private enum CodingKeys: String, CodingKey {
        case kind, normalisers, pattern, group, tolerance, relative, normalisation
    }
    private enum PlainKeys: String, CodingKey, CaseIterable { case kind }
    private enum TextKeys: String, CodingKey, CaseIterable { case kind, normalisers }
    private enum PatternKeys: String, CodingKey, CaseIterable { case kind, pattern, group, normalisers }
    private enum NumberKeys: String, CodingKey, CaseIterable { case kind, tolerance, relative }
    private enum ChoiceKeys: String, CodingKey, CaseIterable { case kind, normalisation }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func normalisers() throws -> [Normaliser] {
            try container.decodeIfPresent([Normaliser].self, forKey: .normalisers) ?? []
        }
        switch try container.decode(String.self, forKey: .kind) {
        case "exact_match":
            try decoder.refuseUnknownKeys(TextKeys.self)
            self = .exactMatch(try normalisers())
        case "contains":
            try decoder.refuseUnknownKeys(TextKeys.self)
            self = .contains(try normalisers())
        case "token_f1":
            try decoder.refuseUnknownKeys(TextKeys.self)
            self = .tokenF1(try normalisers())
        case "regex": self = try Self.regex(decoder, container, normalisers())
        case "numeric": self = try Self.numeric(decoder, container)
        case "json_equality":
            try decoder.refuseUnknownKeys(PlainKeys.self)
            self = .jsonEquality
        case "function_call":
            try decoder.refuseUnknownKeys(PlainKeys.self)
            self = .functionCall
        case "multiple_choice": self = try Self.multipleChoice(decoder, container)
        case "external": self = .external(try ExternalGrader(checking: decoder))
        case "engine": self = .engine(try EngineGrader(checking: decoder))
        case let other:
            throw decoder.failure(
                CodingKeys.kind,
                "\"\(other)\" is not one of exact_match, contains, regex, numeric, json_equality, function_call, "
                    + "multiple_choice, token_f1, external, engine")
        }
    }

    private static func regex(
        _ decoder: any Decoder, _ container: KeyedDecodingContainer<CodingKeys>, _ normalisers: [Normaliser]
    ) throws -> Grader {
        try decoder.refuseUnknownKeys(PatternKeys.self)
        let text = try container.decode(String.self, forKey: .pattern)
        let pattern: Pattern
        do { pattern = try Pattern(text) } catch let error as PawlError {
            throw decoder.failure(CodingKeys.pattern, error.message)
        }
        let group = try container.integerIfPresent(.group) ?? min(1, pattern.groups)
        guard (0...pattern.groups).contains(group) else {
            throw decoder.failure(
                CodingKeys.group, "the pattern has \(pattern.groups) groups, so no group \(group)")
        }
        return .regex(pattern: text, group: group, normalisers)
    }

    private static func numeric(
        _ decoder: any Decoder, _ container: KeyedDecodingContainer<CodingKeys>
    ) throws -> Grader {
        try decoder.refuseUnknownKeys(NumberKeys.self)
        let tolerance = try container.decodeIfPresent(Double.self, forKey: .tolerance) ?? 0
        guard tolerance >= 0, tolerance.isFinite else {
            throw decoder.failure(CodingKeys.tolerance, "\(tolerance) is less than 0")
        }
        let relative = try container.decodeIfPresent(Bool.self, forKey: .relative) ?? false
        return .numeric(tolerance: tolerance, relative: relative)
    }

    private static func multipleChoice(
        _ decoder: any Decoder, _ container: KeyedDecodingContainer<CodingKeys>
    ) throws -> Grader {
        try decoder.refuseUnknownKeys(ChoiceKeys.self)
        let text = try container.decodeIfPresent(String.self, forKey: .normalisation) ?? "none"
        guard let value = LengthNormalisation(rawValue: text) else {
            throw decoder.failure(CodingKeys.normalisation, "\"\(text)\" is not one of none, bytes, tokens")
        }
        return .multipleChoice(value)
    }

    public func encode(to encoder: any Encoder) throws {
        if case .external(let grader) = self { try grader.encode(to: encoder) }
        if case .engine(let grader) = self { try grader.encode(to: encoder) }
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(kind, forKey: .kind)
        switch self {
        case .exactMatch(let normalisers), .contains(let normalisers), .tokenF1(let normalisers):
            try container.encode(normalisers, forKey: .normalisers)
        case .regex(let pattern, let group, let normalisers):
            try container.encode(pattern, forKey: .pattern)
            try container.encode(group, forKey: .group)
            try container.encode(normalisers, forKey: .normalisers)
        case .numeric(let tolerance, let relative):
            try container.encode(tolerance, forKey: .tolerance)
            try container.encode(relative, forKey: .relative)
        case .multipleChoice(let normalisation):
            try container.encode(normalisation, forKey: .normalisation)
        case .jsonEquality, .functionCall, .external, .engine: break
        }
    }
}
