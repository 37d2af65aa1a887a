internal import PawlCore

/// A token that is found in text before the model sees it.
struct AddedToken: Sendable {
    let id: Int32
    let content: [UInt8]
    /// Found only where no word character touches it.
    let isSingleWord: Bool
    /// Takes the white space before (after) it along.
    let stripsLeft: Bool
    let stripsRight: Bool
    /// Looked for in normalized text, in its normalized form.
    let isNormalized: Bool
    /// Left out by decoding that skips special tokens.
    let isSpecial: Bool
}

/// The field `added_tokens`: what each is, and the search for them in text.
struct AddedTokens: Sendable {
    /// By id.
    let tokens: [Int32: AddedToken]
    /// What decoding writes for each: the normalized form, where one is looked for.
    private(set) var spellings: [Int32: [UInt8]] = [:]
    private let ids: ByteTable
    private var raw = TokenTrie()
    private var normalized = TokenTrie()

    /// One more than the highest id; 0 without tokens.
    var endOfIDs: Int { Int(tokens.keys.max() ?? -1) + 1 }
    /// True when tokens are looked for in normalized text.
    var hasNormalized: Bool { !normalized.isEmpty }

    /// Reads the field, which may be absent.
    init(_ field: TokenizerField?, _ vocabulary: Vocabulary, _ normalizer: Normalizer) throws {
        var tokens: [Int32: AddedToken] = [:]
        var ids = ByteTable()
        var next = vocabulary.count
        let matcher = PatternMatcher()
        for entry in try field?.elements() ?? [] {
            let token = try Self.read(entry)
            let place = try entry.required("id")
            // A new token takes the next free id; a file that says otherwise would be read otherwise by
            // the reference.
            let expected = vocabulary.id(token.content).map(Int.init) ?? next
            if vocabulary.id(token.content) == nil { next += 1 }
            guard Int(token.id) == expected else {
                throw place.failure(
                    "\(quoted(token.content)) has the id \(token.id), but it must be \(expected)")
            }
            guard token.content.withUnsafeBufferPointer({ ids.insert($0, token.id) }) else {
                throw try entry.required("content").failure("\(quoted(token.content)) stands twice")
            }
            guard tokens.updateValue(token, forKey: token.id) == nil, vocabularyAgrees(vocabulary, token)
            else {
                throw place.failure("the id \(token.id) belongs to another token")
            }
            let spelling =
                token.isNormalized
                ? token.content.withUnsafeBufferPointer { normalizer.normalize($0, matcher) } : token.content
            spellings[token.id] = spelling
            let isNew =
                token.isNormalized
                ? normalized.insert(spelling, token.id) : raw.insert(spelling, token.id)
            guard isNew else {
                throw try entry.required("content").failure("\(quoted(token.content)) cannot be told apart")
            }
        }
        self.tokens = tokens
        self.ids = ids
    }

    private static func read(_ entry: TokenizerField) throws -> AddedToken {
        try entry.knowsOnly(["id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"])
        let place = try entry.required("id")
        let id = try place.natural()
        guard id <= Vocabulary.largestID else { throw place.failure("\(id) is out of range") }
        let content = try entry.required("content")
        guard try !content.string().isEmpty else { throw content.failure("must not be empty") }
        return AddedToken(
            id: Int32(id), content: Array(try content.string().utf8),
            isSingleWord: try entry.required("single_word").bool(),
            stripsLeft: try entry.required("lstrip").bool(),
            stripsRight: try entry.required("rstrip").bool(),
            isNormalized: try entry.required("normalized").bool(),
            isSpecial: try entry.required("special").bool())
    }

    /// The id of a content.
    func id(_ content: [UInt8]) -> Int32? { ids.find(content) }

    /// Cuts text at the tokens found in it: `onText` gets what is between them, `onToken` their ids.
    ///
    /// - Parameter inNormalized: look for the tokens whose normalized form counts.
    func split(
        _ text: UnsafeBufferPointer<UInt8>, inNormalized: Bool,
        onToken: (Int32) -> Void, onText: (Range<Int>) -> Void
    ) {
        let trie = inNormalized ? normalized : raw
        var copied = 0
        var position = 0
        while let match = trie.first(in: text, from: position) {
            position = match.range.upperBound
            guard let token = tokens[match.id] else { continue }
            var (start, end) = (match.range.lowerBound, match.range.upperBound)
            if token.isSingleWord, WordCharacters.touch(text, match.range) { continue }
            if token.stripsLeft { start = max(WordCharacters.startOfSpace(text, before: start), copied) }
            if token.stripsRight { end = WordCharacters.endOfSpace(text, after: end) }
            if copied < start { onText(copied..<start) }
            onToken(token.id)
            copied = end
        }
        if copied < text.count { onText(copied..<text.count) }
    }
}

/// An added token that the vocabulary has too must be the same one there.
private func vocabularyAgrees(_ vocabulary: Vocabulary, _ token: AddedToken) -> Bool {
    vocabulary.spelling(token.id).map { $0.elementsEqual(token.content) } ?? true
}
