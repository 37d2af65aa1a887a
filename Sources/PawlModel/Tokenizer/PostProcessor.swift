internal import PawlCore

/// The special tokens around an encoded text: the field `post_processor`.
struct PostProcessor: Sendable {
    private(set) var prefix: [Int32] = []
    private(set) var suffix: [Int32] = []

    /// Reads the field, which may be absent.
    ///
    /// - Parameter endOfIDs: one more than the highest id of a token.
    init(_ field: TokenizerField?, endOfIDs: Int) throws {
        if let field { try read(field, endOfIDs) }
    }

    private mutating func read(_ field: TokenizerField, _ endOfIDs: Int) throws {
        let kind = try field.type()
        switch kind {
        case "Sequence":
            try field.knowsOnly(["type", "processors"])
            for step in try field.required("processors").elements() { try read(step, endOfIDs) }
        case "ByteLevel":
            // It only moves offsets, which Pawl does not keep.
            try field.knowsOnly(["type", "add_prefix_space", "trim_offsets", "use_regex"])
        case "TemplateProcessing":
            try field.knowsOnly(["type", "single", "pair", "special_tokens"])
            try readTemplate(field, endOfIDs)
        default:
            throw try field.required("type").unsupported("\"\(kind)\" is no post-processor that Pawl has")
        }
    }

    private mutating func readTemplate(_ field: TokenizerField, _ endOfIDs: Int) throws {
        var before: [Int32] = []
        var after: [Int32] = []
        var hasText = false
        let single = try field.required("single")
        for piece in try single.elements() {
            try piece.knowsOnly(["Sequence", "SpecialToken"])
            if let text = piece.optional("Sequence") {
                guard !hasText, text.optional("id")?.value == "A" else {
                    throw text.unsupported("a template must hold the text, A, once")
                }
                hasText = true
            } else {
                let name = try piece.required("SpecialToken").required("id")
                let ids = try Self.ids(of: name, in: field, endOfIDs)
                if hasText { after += ids } else { before += ids }
            }
        }
        guard hasText else { throw single.failure("holds no place for the text") }
        prefix = before + prefix
        suffix += after
    }

    private static func ids(of name: TokenizerField, in field: TokenizerField, _ endOfIDs: Int) throws
        -> [Int32]
    {
        guard let token = try field.required("special_tokens").optional(try name.string()) else {
            throw name.failure("\"\(try name.string())\" is not in special_tokens")
        }
        return try token.required("ids").elements().map { id in
            let number = try id.natural()
            guard number < endOfIDs else { throw id.failure("no token has the id \(number)") }
            return Int32(number)
        }
    }
}
