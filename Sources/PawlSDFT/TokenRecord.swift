internal import PawlCore
internal import PawlModel

/// A training record as tokens.
struct TokenRecord: Sendable {
    let id: String
    let role: TrainingRecord.Role
    /// What the student answers.
    let prompt: [Int32]
    /// What the teacher answers in its place.
    let context: [Int32]
    /// The demonstration's answer with the token that ends it; nil for a rehearsal prompt.
    let demonstration: [Int32]?
}

extension TokenRecord {
    /// Tokenizes records and checks that each fits with its answer; the error names the record. Nothing is ever cut.
    static func all(_ records: [TrainingRecord], _ chat: Chat, _ recipe: TrainingRecipe) throws
        -> [TokenRecord]
    {
        try records.map { record in
            let tokens = TokenRecord(
                id: record.id, role: record.role, prompt: try chat.promptTokens(record.prompt),
                context: try chat.promptTokens(record.teacher),
                demonstration: try record.completion.map { try chat.completionTokens(record.prompt, $0) })
            try tokens.check(recipe)
            return tokens
        }
    }

    private func check(_ recipe: TrainingRecipe) throws {
        let room = recipe.maxContextTokens - recipe.maxCompletionTokens
        let sides =
            recipe.method == .sdft ? [("prompt", prompt), ("teacher prompt", context)] : [("prompt", prompt)]
        for (side, tokens) in sides where tokens.count > room {
            throw PawlError(
                .invalidArgument,
                "record \"\(id)\": its \(side) has \(tokens.count) tokens; with max_context_tokens \(recipe.maxContextTokens) "
                    + "and max_completion_tokens \(recipe.maxCompletionTokens) only \(room) fit")
        }
        // What is rehearsed the student answers itself, whatever answer the record has.
        guard let demonstration, role == .skill, recipe.method == .sft || recipe.onPolicyFraction < 1 else {
            return
        }
        guard demonstration.count <= recipe.maxCompletionTokens || recipe.method == .sft else {
            throw PawlError(
                .invalidArgument,
                "record \"\(id)\": its completion has \(demonstration.count) tokens, more than max_completion_tokens \(recipe.maxCompletionTokens)"
            )
        }
        guard prompt.count + demonstration.count <= recipe.maxContextTokens else {
            throw PawlError(
                .invalidArgument,
                "record \"\(id)\": \(prompt.count) prompt and \(demonstration.count) completion tokens do not fit max_context_tokens \(recipe.maxContextTokens)"
            )
        }
    }
}
