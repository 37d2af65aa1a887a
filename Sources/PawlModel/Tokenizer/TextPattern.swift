internal import PawlCore

/// What is looked for in text: a literal or a regular expression.
enum TextPattern: Sendable {
    case literal([UInt8])
    case expression(Pattern)

    /// Reads `{"String": ...}` or `{"Regex": ...}`.
    init(_ field: TokenizerField) throws {
        try field.knowsOnly(["String", "Regex"])
        if let literal = field.optional("String") {
            self = .literal(Array(try literal.string().utf8))
            guard try !literal.string().isEmpty else { throw literal.failure("must not be empty") }
        } else {
            let expression = try field.required("Regex")
            self = .expression(try Pattern(try expression.string(), at: expression))
        }
    }

    /// Visits all matches, from left to right, as offsets; the text must be valid UTF-8.
    func matches(
        in text: UnsafeBufferPointer<UInt8>, _ matcher: PatternMatcher, _ visit: (Range<Int>) -> Void
    ) {
        switch self {
        case .expression(let pattern): pattern.matches(in: text, matcher, visit)
        case .literal(let literal):
            var position = 0
            while position + literal.count <= text.count {
                if text[position] == literal[0],
                    literal.indices.allSatisfy({ text[position + $0] == literal[$0] })
                {
                    visit(position..<position + literal.count)
                    position += literal.count
                } else {
                    position += 1
                }
            }
        }
    }

    /// Appends the text with every match replaced.
    func replace(
        in text: UnsafeBufferPointer<UInt8>, by content: [UInt8], _ matcher: PatternMatcher,
        into out: inout [UInt8]
    ) {
        var end = 0
        matches(in: text, matcher) { range in
            out.append(contentsOf: text[end..<range.lowerBound])
            out.append(contentsOf: content)
            end = range.upperBound
        }
        out.append(contentsOf: text[end...])
    }
}
