internal import PawlCore

/// What the teacher sees beyond the student's prompt. The probe tries a skill's contexts in their order.
public enum TeacherContext: Codable, Sendable, Hashable {
    /// The demonstration inside the last user turn, by a template with `{prompt}` and `{demonstration}`.
    case demonstration(template: String)
    /// Demonstrations as earlier turns; with `ownDemonstration` the record's own is the last of them.
    case fewShot(shots: Int, ownDemonstration: Bool)
    /// The document too, by a template with `{document}`, `{prompt}` and `{demonstration}`.
    case document(template: String)
    /// What the user said after the response, by a template with `{prompt}` and `{followup}`, perhaps `{response}`.
    /// As turns, the response and the filled template come after the conversation; else the template replaces its last
    /// turn.
    case hindsight(template: String, asTurns: Bool)

    /// The template of the paper's program, verbatim (github.com/idanshen/Self-Distillation, main.py).
    public static let officialTemplate =
        "\n{prompt}\n\nThis is an example for a response to the question:\n{demonstration}\n\n"
        + "Now answer with a response of your own, including the thinking process.\n"

    /// The official template with the document in front.
    public static let documentTemplate = "\n{document}\n" + officialTemplate

    /// The template of "Learning from User Interactions" (arXiv 2603.12273), verbatim from its program
    /// (github.com/lasgroup/user_interactions, online variant).
    public static let hindsightTemplate =
        "{prompt}\n\n=== HINDSIGHT CONTEXT ===\n"
        + "[The following is a future user message. Use this to guide your answer to the user prompt.]\n{followup}"

    /// The follow-up as the user's next turn, then the question again: small models read turns better than remarks.
    public static let hindsightTurn =
        "{followup}\n\nWith that in mind, answer my earlier message again:\n{prompt}"

    /// The word that names this kind in JSON.
    public var kind: String {
        switch self {
        case .demonstration: "demonstration"
        case .fewShot: "few_shot"
        case .document: "document"
        case .hindsight: "hindsight"
        }
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case kind, template, shots, ownDemonstration = "own_demonstration", asTurns = "as_turns"
    }
    private enum HindsightKeys: String, CodingKey, CaseIterable { case kind, template, asTurns = "as_turns" }
    private enum TemplateKeys: String, CodingKey, CaseIterable { case kind, template }
    private enum ShotKeys: String, CodingKey, CaseIterable {
        case kind, shots, ownDemonstration = "own_demonstration"
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func template(
            _ standard: String, _ placeholders: [String], _ keys: (some CodingKey & CaseIterable).Type
        ) throws -> String {
            try decoder.refuseUnknownKeys(keys)
            let text = try container.decodeIfPresent(String.self, forKey: .template) ?? standard
            if let missing = placeholders.first(where: { !text.contains($0) }) {
                throw decoder.failure(CodingKeys.template, "\(missing) does not occur in it")
            }
            return text
        }
        switch try container.decode(String.self, forKey: .kind) {
        case "demonstration":
            self = .demonstration(
                template: try template(
                    Self.officialTemplate, ["{prompt}", "{demonstration}"], TemplateKeys.self))
        case "document":
            self = .document(
                template: try template(
                    Self.documentTemplate, ["{document}", "{prompt}"], TemplateKeys.self))
        case "hindsight":
            let asTurns = try container.decodeIfPresent(Bool.self, forKey: .asTurns) ?? false
            let standard = asTurns ? Self.hindsightTurn : Self.hindsightTemplate
            self = .hindsight(
                template: try template(standard, ["{prompt}", "{followup}"], HindsightKeys.self),
                asTurns: asTurns)
        case "few_shot":
            try decoder.refuseUnknownKeys(ShotKeys.self)
            let shots = try container.integerIfPresent(.shots) ?? 4
            let own = try container.decodeIfPresent(Bool.self, forKey: .ownDemonstration) ?? true
            guard shots >= 0 else { throw decoder.failure(CodingKeys.shots, "\(shots) is less than 0") }
            guard shots > 0 || own else {
                throw decoder.failure(
                    CodingKeys.shots, "0 shots without own_demonstration show the teacher nothing")
            }
            self = .fewShot(shots: shots, ownDemonstration: own)
        case let other:
            throw decoder.failure(
                CodingKeys.kind, "\"\(other)\" is not one of demonstration, few_shot, document, hindsight")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(kind, forKey: .kind)
        switch self {
        case .demonstration(let template), .document(let template):
            try container.encode(template, forKey: .template)
        case .hindsight(let template, let asTurns):
            try container.encode(template, forKey: .template)
            try container.encode(asTurns, forKey: .asTurns)
        case .fewShot(let shots, let own):
            try container.encode(shots, forKey: .shots)
            try container.encode(own, forKey: .ownDemonstration)
        }
    }

    /// The teacher's messages for one record.
    ///
    /// - Parameter demonstrations: all of the skill's, for the shots: the first ones that are not the record
    ///   itself, so that nearly every record has the same and none has its own twice.
    public func messages(
        for record: Demonstration, among demonstrations: [Demonstration]
    ) throws -> [Message] {
        switch self {
        case .demonstration(let template):
            return try record.replacingLastTurn(template, placeholders: [:])
        case .document(let template):
            guard let document = record.document else {
                throw PawlError(
                    .invalidArgument, "demonstration \"\(record.id)\" has no document",
                    hint:
                        "add \"document\" to the record, or take the context kind document out of skill.json")
            }
            return try record.replacingLastTurn(template, placeholders: ["{document}": document])
        case .hindsight(let template, let asTurns):
            return try record.inHindsight(template, asTurns: asTurns)
        case .fewShot(let shots, let own):
            let earlier = demonstrations.lazy.filter { $0.id != record.id }.prefix(shots)
            let system = record.messages.prefix { $0.role == .system }
            let turns = (Array(earlier) + (own ? [record] : [])).flatMap { shown in
                shown.messages.filter { $0.role != .system } + [Message(.assistant, shown.completion)]
            }
            return system + turns + record.messages.dropFirst(system.count)
        }
    }
}

extension Demonstration {
    /// The conversation with what the user said afterwards: as a remark in the last turn, or as the turns that followed.
    fileprivate func inHindsight(_ template: String, asTurns: Bool) throws -> [Message] {
        guard let followup else {
            throw PawlError(
                .invalidArgument, "demonstration \"\(id)\" has no followup",
                hint: "add \"followup\" to the record, or take the context kind hindsight out of skill.json")
        }
        let turns = try replacingLastTurn(
            template, placeholders: ["{followup}": followup, "{response}": completion])
        guard asTurns else { return turns }
        return messages + [Message(.assistant, completion)] + turns.suffix(1)
    }

    fileprivate func replacingLastTurn(
        _ template: String, placeholders: [String: String]
    ) throws -> [Message] {
        guard let last = messages.last else {
            throw PawlError(.invalidArgument, "demonstration \"\(id)\" has no prompt")
        }
        var values = placeholders
        values["{prompt}"] = last.content
        values["{demonstration}"] = completion
        return messages.dropLast() + [Message(.user, template.filled(values))]
    }
}

extension String {
    /// Puts values in place of placeholders, in one pass: a `{prompt}` inside a value stays as it is.
    fileprivate func filled(_ values: [String: String]) -> String {
        var out = ""
        var rest = self[...]
        while let brace = rest.firstIndex(of: "{") {
            out += rest[..<brace]
            rest = rest[brace...]
            if let (name, value) = values.first(where: { rest.hasPrefix($0.key) }) {
                out += value
                rest = rest.dropFirst(name.count)
            } else {
                out.append(rest.removeFirst())
            }
        }
        return out + rest
    }
}
