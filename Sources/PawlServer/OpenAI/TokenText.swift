internal import PawlModel
internal import PawlWorkflow

/// How log-probabilities call tokens.
struct TokenText {
    let tokenizer: Tokenizer

    /// A token's text; its bytes, written out, where they are no whole characters.
    func name(_ token: Int32) -> String {
        let bytes = tokenizer.bytes(of: token) ?? []
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        let digits = Array("0123456789abcdef")
        return "bytes:" + bytes.map { "\\x\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
    }

    /// The likeliest tokens and the one that stands there, each under a name of its own: several tokens may have one text.
    ///
    /// The likelier of equal texts has it. A client that takes the largest number for the likeliest token is right thus, and
    /// finds the token's own number among them.
    func likeliest(_ token: ScoredToken) -> [String: Float] {
        var result: [String: Float] = [:]
        func add(_ id: Int32, _ number: Float) {
            let name = name(id)
            result[result[name] == nil ? name : "token_id:\(id)"] = number
        }
        for candidate in token.top { add(candidate.token, candidate.logProbability) }
        if let own = token.logProbability, !token.top.contains(where: { $0.token == token.token }) {
            add(token.token, own)
        }
        return result
    }

    /// Where each token of a prompt begins in its text, in Unicode scalars, and the text's length.
    ///
    /// - Parameter before: tokens that the tokenizer put before the text.
    func offsets(_ tokens: [Int32], before: Int) -> (offsets: [Int], length: Int) {
        var decoder = StreamDecoder(tokenizer, skipSpecialTokens: false)
        var (offsets, length) = ([Int](repeating: 0, count: min(before, tokens.count)), 0)
        for token in tokens.dropFirst(before) {
            offsets.append(length)
            length += decoder.append(token).unicodeScalars.count
        }
        return (offsets, length + decoder.finish().unicodeScalars.count)
    }
}
