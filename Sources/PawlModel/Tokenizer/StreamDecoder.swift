internal import PawlCore

/// Turns tokens into text as they come, never a part of a character.
///
/// The texts one after the other are what ``Tokenizer/decode(_:skipSpecialTokens:)`` gives for all tokens.
/// One case differs, and only where a vocabulary with byte fallback meets a run of byte tokens that is no
/// UTF-8: here the characters of its beginning have been given out before the damage shows; there the whole
/// run becomes U+FFFD.
public struct StreamDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipsSpecial: Bool
    /// A run of byte tokens is kept until it ends, so that it is judged as a whole.
    private let holdsRuns: Bool
    /// Bytes that do not make a whole character yet.
    private var pending: [UInt8] = []
    private var isFirst = true
    /// Copies of each leading character that may still be cut off; empty when text has begun.
    private var strips: [Int]

    /// Starts a text.
    public init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool) {
        self.init(tokenizer, skipSpecialTokens: skipSpecialTokens, holdsRuns: false)
    }

    init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool, holdsRuns: Bool) {
        self.tokenizer = tokenizer
        skipsSpecial = skipSpecialTokens
        self.holdsRuns = holdsRuns
        strips = tokenizer.decoder.leading.map(\.count)
    }

    /// The text that is complete with one more token; often empty. An id that no token has adds nothing.
    public mutating func append(_ token: Int32) -> String {
        var out: [UInt8] = []
        let tokenizer = tokenizer
        tokenizer.withMatcher { append(token, $0, into: &out) }
        return String(decoding: out, as: UTF8.self)
    }

    /// What is left at the end: U+FFFD for the bytes of an incomplete character.
    public mutating func finish() -> String {
        var out: [UInt8] = []
        finish(into: &out)
        return String(decoding: out, as: UTF8.self)
    }

    mutating func append(_ token: Int32, _ matcher: PatternMatcher, into out: inout [UInt8]) {
        guard let spelling = tokenizer.spelling(token) else { return }
        if skipsSpecial, tokenizer.isSpecial(token) { return }
        let decoder = tokenizer.decoder
        switch decoder.joining {
        case .byteLevel:
            pending.append(contentsOf: ByteAlphabet.bytes(of: spelling) ?? Array(spelling))
            giveCompleteCharacters(into: &out)
        case .text: give(decoder.piece(spelling, isFirst: isFirst, matcher), into: &out)
        case .byteFallback:
            let piece = decoder.piece(spelling, isFirst: isFirst, matcher)
            if let byte = TokenDecoder.byte(of: piece) {
                pending.append(byte)
                if !holdsRuns, String(validating: pending, as: UTF8.self) != nil { endRun(into: &out) }
            } else {
                endRun(into: &out)
                give(piece, into: &out)
            }
        }
        isFirst = false
    }

    mutating func finish(into out: inout [UInt8]) {
        if case .byteLevel = tokenizer.decoder.joining {
            let rest = Array(String(decoding: pending, as: UTF8.self).utf8)
            pending = []
            give(rest, into: &out)
        } else {
            endRun(into: &out)
        }
    }

    /// Ends a run of byte tokens: their text, or a U+FFFD for each when they are no UTF-8.
    private mutating func endRun(into out: inout [UInt8]) {
        let isText = String(validating: pending, as: UTF8.self) != nil
        let run = isText ? pending : pending.flatMap { _ in Array("\u{FFFD}".utf8) }
        pending.removeAll(keepingCapacity: true)
        give(run, into: &out)
    }

    /// Gives out all but the bytes at the end that begin a character.
    private mutating func giveCompleteCharacters(into out: inout [UInt8]) {
        let complete = pending.count - Self.incompleteBytes(at: pending)
        guard complete > 0 else { return }
        let text = Array(String(decoding: pending[..<complete], as: UTF8.self).utf8)
        pending.removeFirst(complete)
        give(text, into: &out)
    }

    /// How many bytes at the end may become a character with more bytes: 0 to 3.
    private static func incompleteBytes(at bytes: [UInt8]) -> Int {
        for count in 1...3 where count <= bytes.count {
            let first = bytes[bytes.count - count]
            if first & 0xC0 == 0x80 { continue }
            return first >= 0xC0 && UTF8Text.length(ofScalarStartingWith: first) > count ? count : 0
        }
        return 0
    }

    /// Adds text to the result, without what is cut off the beginning of the whole.
    private mutating func give(_ text: [UInt8], into out: inout [UInt8]) {
        var text = text[...]
        for (index, strip) in tokenizer.decoder.leading.enumerated() where index < strips.count {
            let length = strip.length(in: text, limit: strips[index])
            text = text.dropFirst(length)
            strips[index] -= length / strip.content.count
            if text.isEmpty { return }
        }
        strips = []
        out.append(contentsOf: text)
    }
}
