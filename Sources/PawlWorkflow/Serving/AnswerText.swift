public import PawlModel

/// A token of an answer, with its place in the text.
public struct AnswerToken: Sendable, Hashable {
    /// The token and how likely it was, where that was asked for.
    public var scored: ScoredToken
    /// Unicode scalars of the answer before it.
    public var offset: Int
    /// False for a token that ended the answer, or that is of the text that did.
    public var isText: Bool
}

/// A part of an answer that is certain: text, and the tokens that begin in it.
public struct AnswerPart: Sendable, Hashable {
    /// Whole characters; empty while a character, or what may become a stop text, is incomplete.
    public var text = ""
    public var tokens: [AnswerToken] = []
}

/// An answer while it comes: from tokens to text that ends before the first stop text.
struct AnswerText {
    private let ends: [Int32]
    private var decoder: StreamDecoder
    private var scanner: StopScanner
    /// Unicode scalars that the tokens so far make, and of those that were given out.
    private var decoded = 0
    private var given = 0
    /// Tokens whose text was not given out yet.
    private var pending: [AnswerToken] = []
    /// Whether a token or a text ended the answer.
    private(set) var isEnded = false

    init(_ tokenizer: Tokenizer, ends: [Int32], stops: [String]) {
        self.ends = ends
        decoder = StreamDecoder(tokenizer, skipSpecialTokens: true)
        scanner = StopScanner(stops)
    }

    /// What is certain with one more token.
    mutating func append(_ token: ScoredToken) -> AnswerPart {
        let isEnd = ends.contains(token.token)
        pending.append(AnswerToken(scored: token, offset: decoded, isText: !isEnd))
        if isEnd {
            isEnded = true
            return AnswerPart()
        }
        return give(decoder.append(token.token))
    }

    /// What was kept back.
    mutating func finish() -> AnswerPart {
        var part = give(decoder.finish())
        let rest = scanner.finish()
        part.text += rest
        given += rest.unicodeScalars.count
        for token in pending {
            var token = token
            if scanner.isStopped, token.offset >= given { token.isText = false }
            part.tokens.append(token)
        }
        pending = []
        return part
    }

    private mutating func give(_ text: String) -> AnswerPart {
        decoded += text.unicodeScalars.count
        let certain = scanner.append(text)
        given += certain.unicodeScalars.count
        isEnded = isEnded || scanner.isStopped
        let released = pending.prefix { $0.offset < given }
        pending.removeFirst(released.count)
        return AnswerPart(text: certain, tokens: Array(released))
    }
}
