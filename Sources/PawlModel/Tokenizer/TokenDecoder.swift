internal import PawlCore

/// How tokens become text: the field `decoder`.
///
/// Every supported chain has the same three parts: what is done to each token, how bytes are put together,
/// and what is cut off the beginning of the whole.
struct TokenDecoder: Sendable {
    /// What is done to the spelling of one token.
    enum TokenStep: Sendable {
        case replace(TextPattern, by: [UInt8])
        case strip(Strip)
        /// The mark becomes a space, or nothing in the first token.
        case metaspace(mark: [UInt8], dropsFirst: Bool)
    }

    /// Up to `count` copies of a character cut off the beginning.
    struct Strip: Sendable {
        let content: [UInt8]
        let count: Int
    }

    /// How spellings become bytes.
    enum Joining: Sendable {
        /// They are text.
        case text
        /// They spell bytes in ``ByteAlphabet``.
        case byteLevel
        /// Tokens such as `<0x0A>` are bytes; a run of them that is no UTF-8 becomes as many U+FFFD.
        case byteFallback
    }

    private(set) var steps: [TokenStep] = []
    private(set) var joining = Joining.text
    private(set) var leading: [Strip] = []
    private var isJoined = false

    /// Reads the field.
    init(_ field: TokenizerField) throws {
        try read(field)
    }

    private mutating func read(_ field: TokenizerField) throws {
        let kind = try field.type()
        switch kind {
        case "Sequence":
            try field.knowsOnly(["type", "decoders"])
            for step in try field.required("decoders").elements() { try read(step) }
        case "ByteLevel":
            try field.knowsOnly(["type", "add_prefix_space", "trim_offsets", "use_regex"])
            guard case .text = joining, steps.isEmpty, !isJoined else {
                throw field.unsupported("ByteLevel after another step")
            }
            joining = .byteLevel
            isJoined = true
        case "ByteFallback":
            try field.knowsOnly(["type"])
            guard case .text = joining, !isJoined else {
                throw field.unsupported("a second joining of bytes")
            }
            joining = .byteFallback
        case "Fuse":
            try field.knowsOnly(["type"])
            isJoined = true
        case "Strip":
            let strip = try Self.strip(field)
            if isJoined { leading.append(strip) } else { try add(.strip(strip), field) }
        case "Replace":
            try field.knowsOnly(["type", "pattern", "content"])
            let pattern = try TextPattern(try field.required("pattern"))
            try add(.replace(pattern, by: Array(try field.required("content").string().utf8)), field)
        case "Metaspace":
            let settings = try MetaspaceSettings(field)
            let mark = Array(String(settings.replacement).utf8)
            try add(.metaspace(mark: mark, dropsFirst: settings.scheme != "never"), field)
        default: throw try field.required("type").unsupported("\"\(kind)\" is no decoder that Pawl has")
        }
    }

    private mutating func add(_ step: TokenStep, _ field: TokenizerField) throws {
        guard case .text = joining, !isJoined else {
            throw field.unsupported("this step after tokens were joined")
        }
        steps.append(step)
    }

    private static func strip(_ field: TokenizerField) throws -> Strip {
        try field.knowsOnly(["type", "content", "start", "stop"])
        let content = try field.required("content")
        guard try content.string().unicodeScalars.count == 1 else {
            throw content.failure("must be one character")
        }
        let stop = try field.required("stop")
        guard try stop.natural() == 0 else { throw stop.unsupported("Pawl strips only at the start") }
        return Strip(content: Array(try content.string().utf8), count: try field.required("start").natural())
    }

    /// What one token contributes after the steps for single tokens.
    func piece(_ spelling: ArraySlice<UInt8>, isFirst: Bool, _ matcher: PatternMatcher) -> [UInt8] {
        var piece = Array(spelling)
        for step in steps {
            switch step {
            case .strip(let strip): piece.removeFirst(strip.length(in: piece, limit: strip.count))
            case .replace(let pattern, by: let content):
                piece = Self.replaced(piece, pattern, content, matcher)
            case .metaspace(let mark, let dropsFirst):
                piece = Self.replaced(piece, .literal(mark), isFirst && dropsFirst ? [] : [0x20], matcher)
            }
        }
        return piece
    }

    private static func replaced(
        _ text: [UInt8], _ pattern: TextPattern, _ content: [UInt8], _ matcher: PatternMatcher
    ) -> [UInt8] {
        var out: [UInt8] = []
        text.withUnsafeBufferPointer { pattern.replace(in: $0, by: content, matcher, into: &out) }
        return out
    }

    /// The byte of a spelling such as `<0x0A>`.
    static func byte(of spelling: [UInt8]) -> UInt8? {
        guard spelling.count == 6, spelling.starts(with: "<0x".utf8), spelling[5] == UInt8(ascii: ">") else {
            return nil
        }
        return UInt8(String(decoding: spelling[3..<5], as: UTF8.self), radix: 16)
    }
}

extension TokenDecoder.Strip {
    /// How many bytes of the beginning go, when `limit` copies still may.
    func length(in text: some Collection<UInt8>, limit: Int) -> Int {
        var rest = text.dropFirst(0)
        var copies = 0
        while copies < limit, rest.starts(with: content) {
            rest = rest.dropFirst(content.count)
            copies += 1
        }
        return copies * content.count
    }
}
