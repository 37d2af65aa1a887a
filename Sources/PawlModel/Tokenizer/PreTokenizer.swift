internal import PawlCore

/// How normalized text becomes the words that the model encodes: the field `pre_tokenizer`.
struct PreTokenizer: Sendable {
    private enum Step: Sendable {
        case split(TextPattern, SplitBehavior, inverted: Bool)
        case digits(SplitBehavior)
        /// A space before every piece that does not begin with one.
        case prefixSpace
        case metaspace(replacement: [UInt8], PrependScheme)
    }

    /// Which pieces Metaspace puts its mark before.
    private enum PrependScheme: String, Sendable { case first, never, always }

    /// GPT-2's expression for words.
    private static let wordExpression =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    private let steps: [Step]
    /// True when the model spells words in bytes (the ByteLevel step is there).
    let isByteLevel: Bool

    /// Reads the field, which may be absent.
    init(_ field: TokenizerField?) throws {
        var steps: [Step] = []
        var isByteLevel = false
        if let field { try Self.read(field, into: &steps, &isByteLevel) }
        self.steps = steps
        self.isByteLevel = isByteLevel
    }

    private static func read(
        _ field: TokenizerField, into steps: inout [Step], _ isByteLevel: inout Bool
    ) throws {
        guard !isByteLevel else { throw field.unsupported("a step after ByteLevel") }
        let kind = try field.type()
        switch kind {
        case "Sequence":
            try field.knowsOnly(["type", "pretokenizers"])
            for step in try field.required("pretokenizers").elements() {
                try read(step, into: &steps, &isByteLevel)
            }
        case "ByteLevel":
            try field.knowsOnly(["type", "add_prefix_space", "trim_offsets", "use_regex"])
            if try field.required("add_prefix_space").bool() { steps.append(.prefixSpace) }
            if try field.flag("use_regex", default: true) {
                let pattern = try Pattern(wordExpression, at: field)
                steps.append(.split(.expression(pattern), .isolated, inverted: false))
            }
            isByteLevel = true
        case "Digits":
            try field.knowsOnly(["type", "individual_digits"])
            let isIndividual = try field.required("individual_digits").bool()
            steps.append(.digits(isIndividual ? .isolated : .contiguous))
        case "Split":
            try field.knowsOnly(["type", "pattern", "behavior", "invert"])
            let behavior = try field.required("behavior")
            guard let known = SplitBehavior(rawValue: try behavior.string()) else {
                throw behavior.unsupported("\"\(try behavior.string())\" is no behavior that Pawl has")
            }
            let pattern = try TextPattern(try field.required("pattern"))
            steps.append(.split(pattern, known, inverted: try field.required("invert").bool()))
        case "Metaspace": steps += try metaspace(field)
        default:
            throw try field.required("type").unsupported("\"\(kind)\" is no pre-tokenizer that Pawl has")
        }
    }

    private static func metaspace(_ field: TokenizerField) throws -> [Step] {
        let settings = try MetaspaceSettings(field)
        let replacement = Array(String(settings.replacement).utf8)
        let scheme = PrependScheme(rawValue: settings.scheme) ?? .always
        let rewrite = Step.metaspace(replacement: replacement, scheme)
        let splits = try field.flag("split", default: true)
        return splits
            ? [rewrite, .split(.literal(replacement), .mergedWithNext, inverted: false)] : [rewrite]
    }

    /// Visits the words of a text, which must be valid UTF-8.
    ///
    /// - Parameter isFirst: the original text begins with this one.
    func words(
        of text: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ matcher: PatternMatcher,
        _ visit: (UnsafeBufferPointer<UInt8>) -> Void
    ) {
        guard !text.isEmpty else { return }
        run(0, text, [Piece(range: 0..<text.count, isFirst: isFirst)], matcher, visit)
    }

    /// Runs the steps from `index` on over pieces of `text`.
    private func run(
        _ index: Int, _ text: UnsafeBufferPointer<UInt8>, _ pieces: [Piece], _ matcher: PatternMatcher,
        _ visit: (UnsafeBufferPointer<UInt8>) -> Void
    ) {
        guard index < steps.count else {
            for piece in pieces { visit(UnsafeBufferPointer(rebasing: text[piece.range])) }
            return
        }
        let rewritten: (bytes: [UInt8], pieces: [Piece])
        switch steps[index] {
        case .split(let pattern, let behavior, let inverted):
            let found = split(text, pieces, behavior, inverted) { piece, visit in
                pattern.matches(in: piece, matcher, visit)
            }
            return run(index + 1, text, found, matcher, visit)
        case .digits(let behavior):
            let found = split(text, pieces, behavior, false, at: Self.numbers)
            return run(index + 1, text, found, matcher, visit)
        case .prefixSpace:
            rewritten = rewrite(text, pieces) { piece, _, out in
                if piece.first != 0x20 { out.append(0x20) }
                out.append(contentsOf: piece)
            }
        case .metaspace(let replacement, let scheme):
            rewritten = rewrite(text, pieces) { piece, isFirst, out in
                let isMarked = piece.first == 0x20 || piece.starts(with: replacement)
                if !isMarked, scheme == .always || (scheme == .first && isFirst) {
                    out.append(contentsOf: replacement)
                }
                TextPattern.literal([0x20]).replace(in: piece, by: replacement, matcher, into: &out)
            }
        }
        rewritten.bytes.withUnsafeBufferPointer { run(index + 1, $0, rewritten.pieces, matcher, visit) }
    }

    /// Splits every piece at what `search` finds in it, or (inverted) at what stands between.
    private func split(
        _ text: UnsafeBufferPointer<UInt8>, _ pieces: [Piece], _ behavior: SplitBehavior,
        _ isInverted: Bool, at search: (UnsafeBufferPointer<UInt8>, (Range<Int>) -> Void) -> Void
    ) -> [Piece] {
        var found: [Piece] = []
        found.reserveCapacity(pieces.count)
        var parts: [SplitBehavior.Part] = []
        for piece in pieces {
            parts.removeAll(keepingCapacity: true)
            let base = piece.range.lowerBound
            var end = base
            search(UnsafeBufferPointer(rebasing: text[piece.range])) { match in
                let range = base + match.lowerBound..<base + match.upperBound
                if range.lowerBound > end {
                    parts.append(.init(range: end..<range.lowerBound, isMatch: isInverted))
                }
                parts.append(.init(range: range, isMatch: !isInverted))
                end = range.upperBound
            }
            if end < piece.range.upperBound {
                parts.append(.init(range: end..<piece.range.upperBound, isMatch: isInverted))
            }
            behavior.split(piece, parts, into: &found)
        }
        return found
    }

    /// Visits every character that is a number (general categories Nd, Nl, No).
    private static func numbers(
        in text: UnsafeBufferPointer<UInt8>, _ visit: (Range<Int>) -> Void
    ) {
        var position = 0
        while position < text.count {
            let (scalar, length) = UTF8Text.scalar(text, at: position)
            let isNumber =
                scalar.isASCII
                ? (0x30...0x39).contains(scalar.value)
                : [.decimalNumber, .letterNumber, .otherNumber].contains(scalar.properties.generalCategory)
            if isNumber { visit(position..<position + length) }
            position += length
        }
    }

    /// Writes every piece anew, one after the other into one buffer.
    private func rewrite(
        _ text: UnsafeBufferPointer<UInt8>, _ pieces: [Piece],
        _ write: (_ piece: UnsafeBufferPointer<UInt8>, _ isFirst: Bool, _ out: inout [UInt8]) -> Void
    ) -> (bytes: [UInt8], pieces: [Piece]) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count + text.count / 2)
        let rewritten = pieces.map { piece in
            let start = bytes.count
            write(UnsafeBufferPointer(rebasing: text[piece.range]), piece.isFirst, &bytes)
            return Piece(range: start..<bytes.count, isFirst: piece.isFirst)
        }
        return (bytes, rewritten)
    }
}
