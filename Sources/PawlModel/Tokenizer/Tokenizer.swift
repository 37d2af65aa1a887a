public import Foundation
internal import PawlCore

/// Text to token ids and back, as tokenizer.json says.
///
/// Byte-pair encoding in its two families: byte-level (GPT-2, SmolLM2, Llama 3, Qwen2) and SentencePiece's
/// with byte fallback (Llama 2, Mistral). The ids are those of the `tokenizers` package
/// (tools/check-tokenizers compares them). What a file asks for and Pawl does not have is an error that
/// names the field. Several threads may use one tokenizer at once.
public struct Tokenizer: Sendable {
    private let model: BytePairModel
    private let normalizer: Normalizer
    private let preTokenizer: PreTokenizer
    private let postProcessor: PostProcessor
    private let added: AddedTokens
    private let pool = EncodingScratchPool()
    let decoder: TokenDecoder

    /// Number of ids: one more than the highest that a token has. A model's embedding has at least as many
    /// rows.
    public let vocabularySize: Int

    /// Reads `tokenizer.json` in a directory. Throws ``PawlError`` that names file and field.
    public init(directory: URL) throws {
        try self.init(file: directory.appending(path: "tokenizer.json"))
    }

    /// Reads a file of any name.
    public init(file: URL) throws {
        try self.init(bytes: try Files.read(file), file: file.path)
    }

    /// Reads the content of a tokenizer.json; `file` is its name, for errors.
    public init(bytes: [UInt8], file: String) throws {
        let source = try TokenizerSource(bytes: bytes, file: file)
        let settings = source.settings
        try settings.knowsOnly([
            "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
            "post_processor", "decoder", "model",
        ])
        if let version = settings.optional("version"), version.value != "1.0" {
            throw version.unsupported("Pawl reads version \"1.0\"")
        }
        for name in ["truncation", "padding"] {
            if let field = settings.optional(name) {
                throw field.unsupported("Pawl neither cuts nor pads text", hint: "set it to null")
            }
        }
        normalizer = try Normalizer(settings.optional("normalizer"))
        preTokenizer = try PreTokenizer(settings.optional("pre_tokenizer"))
        decoder = try TokenDecoder(try settings.required("decoder"))
        model = try BytePairModel(source, isByteLevel: preTokenizer.isByteLevel)
        added = try AddedTokens(settings.optional("added_tokens"), model.vocabulary, normalizer)
        vocabularySize = max(model.vocabulary.endOfIDs, added.endOfIDs)
        postProcessor = try PostProcessor(settings.optional("post_processor"), endOfIDs: vocabularySize)
    }

    /// The ids of a text.
    ///
    /// The text of added tokens in it (`<|im_end|>`) becomes those tokens.
    ///
    /// - Parameter addSpecialTokens: put around it what `post_processor` says (a beginning of text).
    public func encode(_ text: String, addSpecialTokens: Bool) -> [Int32] {
        var ids = addSpecialTokens ? postProcessor.prefix : []
        var text = text
        text.withUTF8 { bytes in
            pool.with { scratch in
                added.split(bytes, inNormalized: false) {
                    ids.append($0)
                } onText: { range in
                    encode(UnsafeBufferPointer(rebasing: bytes[range]), range.lowerBound == 0, scratch, &ids)
                }
            }
        }
        if addSpecialTokens { ids += postProcessor.suffix }
        return ids
    }

    /// Encodes what stands between added tokens that are found in raw text.
    private func encode(
        _ text: UnsafeBufferPointer<UInt8>, _ isFirst: Bool, _ scratch: EncodingScratch, _ ids: inout [Int32]
    ) {
        guard !normalizer.isEmpty else { return encodeNormalized(text, isFirst, scratch, &ids) }
        normalizer.normalize(text, scratch.matcher).withUnsafeBufferPointer {
            encodeNormalized($0, isFirst, scratch, &ids)
        }
    }

    private func encodeNormalized(
        _ text: UnsafeBufferPointer<UInt8>, _ isFirst: Bool, _ scratch: EncodingScratch, _ ids: inout [Int32]
    ) {
        added.split(text, inNormalized: true) {
            ids.append($0)
        } onText: { range in
            preTokenizer.words(
                of: UnsafeBufferPointer(rebasing: text[range]), isFirst: isFirst && range.lowerBound == 0,
                scratch.matcher
            ) { word in
                model.encode(word, into: &ids, scratch)
            }
        }
    }

    /// The text of ids. Ids that no token has add nothing; bytes that are no UTF-8 become U+FFFD.
    ///
    /// - Parameter skipSpecialTokens: leave out the tokens that the file calls special.
    public func decode(_ tokens: [Int32], skipSpecialTokens: Bool) -> String {
        var decoder = StreamDecoder(self, skipSpecialTokens: skipSpecialTokens, holdsRuns: true)
        var out: [UInt8] = []
        withMatcher { matcher in
            for token in tokens { decoder.append(token, matcher, into: &out) }
        }
        decoder.finish(into: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// The id of a token by its spelling (`<|im_end|>`); nil when there is none.
    public func token(_ text: String) -> Int32? {
        added.id(Array(text.utf8)) ?? model.vocabulary.id(text.utf8)
    }

    /// Lends a matcher that nobody else uses meanwhile.
    func withMatcher(_ body: (PatternMatcher) -> Void) {
        pool.with { body($0.matcher) }
    }

    /// How the file spells a token; nil when no token has the id.
    func spelling(_ token: Int32) -> ArraySlice<UInt8>? {
        added.spellings[token]?[...] ?? model.vocabulary.spelling(token)
    }

    /// True for a token that the file calls special.
    public func isSpecial(_ token: Int32) -> Bool { added.tokens[token]?.isSpecial ?? false }
}
