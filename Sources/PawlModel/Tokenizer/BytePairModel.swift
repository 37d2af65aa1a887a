internal import PawlCore

/// The model: byte-pair encoding of one word at a time.
///
/// The symbols that merging starts from are the bytes of the word (byte-level vocabularies) or its
/// characters, where a character outside the vocabulary falls back to its bytes or to the unknown token.
struct BytePairModel: Sendable {
    /// What merging starts from.
    private enum Alphabet: Sendable {
        /// Id of each byte, or -1.
        case bytes([Int32])
        /// Id of each ASCII character, or -1; ids of the tokens `<0x00>` to `<0xFF>` (-1 when absent), and
        /// whether they are used.
        case characters(ascii: [Int32], byteTokens: [Int32]?)
    }

    let vocabulary: Vocabulary
    private let merges: MergeTable
    private let alphabet: Alphabet
    /// Id of the token for what has no other.
    private let unknown: Int32?
    private let fusesUnknown: Bool
    /// Words that are tokens, taken whole without merging (`ignore_merges`); nil when it is off.
    private let wholeWords: ByteTable?
    private let ignoresMerges: Bool

    /// Reads the field `model`.
    ///
    /// - Parameter isByteLevel: words come as raw bytes, which the vocabulary spells in ``ByteAlphabet``.
    init(_ source: TokenizerSource, isByteLevel: Bool) throws {
        let field = try source.settings.required("model")
        try Self.refuseOthers(field)
        vocabulary = try Vocabulary(source)
        merges = try MergeTable(source, vocabulary)
        unknown = try field.optional("unk_token").map { [vocabulary] place in
            let token = try place.string()
            guard let id = vocabulary.id(token.utf8) else {
                throw place.failure("\(quoted(token.utf8)) is not in model.vocab")
            }
            return id
        }
        fusesUnknown = try field.flag("fuse_unk", default: false)
        ignoresMerges = try field.flag("ignore_merges", default: false)
        wholeWords = ignoresMerges && isByteLevel ? vocabulary.byteLevelWords() : nil
        let fallsBack = try field.flag("byte_fallback", default: false)
        if isByteLevel, fallsBack {
            throw try field.required("byte_fallback")
                .unsupported("byte fallback together with the ByteLevel pre-tokenizer")
        }
        alphabet =
            isByteLevel
            ? .bytes(Self.byteSymbols(vocabulary))
            : .characters(
                ascii: (0..<128).map { [vocabulary] in vocabulary.id([UInt8($0)]) ?? -1 },
                byteTokens: fallsBack ? Self.byteTokens(vocabulary) : nil)
    }

    /// Refuses other models and settings that Pawl does not have.
    private static func refuseOthers(_ field: TokenizerField) throws {
        let kind = try field.optional("type")?.string() ?? "BPE"
        guard kind == "BPE" else {
            throw try field.required("type").unsupported("\"\(kind)\" is no model that Pawl has, only BPE")
        }
        try field.knowsOnly([
            "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
            "byte_fallback", "ignore_merges", "vocab", "merges",
        ])
        if let dropout = field.optional("dropout"), dropout.value.double != 0 {
            throw dropout.unsupported("Pawl encodes without dropout", hint: "set it to null")
        }
        for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let affix = field.optional(name), try !affix.string().isEmpty {
                throw affix.unsupported("Pawl knows no such affixes")
            }
        }
    }

    private static func byteSymbols(_ vocabulary: Vocabulary) -> [Int32] {
        ByteAlphabet.scalars.map { vocabulary.id(String($0).utf8) ?? -1 }
    }

    private static func byteTokens(_ vocabulary: Vocabulary) -> [Int32] {
        (0..<256).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return vocabulary.id("<0x\(byte < 16 ? "0" : "")\(digits)>".utf8) ?? -1
        }
    }

    /// Appends the ids of one word.
    func encode(_ word: UnsafeBufferPointer<UInt8>, into ids: inout [Int32], _ scratch: EncodingScratch) {
        if ignoresMerges {
            let whole = if let wholeWords { wholeWords.find(word) } else { vocabulary.id(word) }
            if let whole { return ids.append(whole) }
        }
        if scratch.cache.find(word, into: &ids) { return }
        scratch.symbols.removeAll(keepingCapacity: true)
        switch alphabet {
        case .bytes(let table): addBytes(of: word, table, scratch)
        case .characters(let ascii, let byteTokens):
            addCharacters(of: word, ascii, byteTokens, to: &scratch.symbols)
        }
        let start = ids.count
        scratch.merger.merge(scratch.symbols, by: merges, into: &ids)
        scratch.cache.insert(word, ids[start...])
    }

    private func addBytes(
        of word: UnsafeBufferPointer<UInt8>, _ table: [Int32], _ scratch: EncodingScratch
    ) {
        var pending = false
        for byte in word {
            let id = table[Int(byte)]
            if id >= 0 {
                pending = false
                scratch.symbols.append(id)
            } else if let unknown, !(fusesUnknown && pending) {
                pending = true
                scratch.symbols.append(unknown)
            }
        }
    }

    /// Characters become symbols; one outside the vocabulary its bytes, if all of them have tokens, else
    /// the unknown token. That one waits until the next known character, as in the reference: bytes that
    /// come between stand before it.
    private func addCharacters(
        of word: UnsafeBufferPointer<UInt8>, _ ascii: [Int32], _ byteTokens: [Int32]?,
        to symbols: inout [Int32]
    ) {
        var pending = false
        var position = 0
        while position < word.count {
            let length = UTF8Text.length(ofScalarStartingWith: word[position])
            let character = UnsafeBufferPointer(rebasing: word[position..<min(position + length, word.count)])
            position += length
            let id = length == 1 ? ascii[Int(character[0] & 0x7F)] : vocabulary.id(character) ?? -1
            if id >= 0 {
                if pending, let unknown { symbols.append(unknown) }
                pending = false
                symbols.append(id)
            } else if let byteTokens, character.allSatisfy({ byteTokens[Int($0)] >= 0 }) {
                for byte in character { symbols.append(byteTokens[Int(byte)]) }
            } else if let unknown {
                if pending, !fusesUnknown { symbols.append(unknown) }
                pending = true
            }
        }
        if pending, let unknown { symbols.append(unknown) }
    }
}
