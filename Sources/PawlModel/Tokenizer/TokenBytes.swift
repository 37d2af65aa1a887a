internal import PawlCore

extension Tokenizer {
    /// The bytes that a token adds to a text it does not begin, perhaps parts of characters; nil for an id that no token
    /// has. Special tokens have those of their spelling.
    public func bytes(of token: Int32) -> [UInt8]? {
        guard let spelling = spelling(token) else { return nil }
        if isSpecial(token) { return Array(spelling) }
        if case .byteLevel = decoder.joining { return ByteAlphabet.bytes(of: spelling) ?? Array(spelling) }
        var piece: [UInt8] = []
        withMatcher { piece = decoder.piece(spelling, isFirst: false, $0) }
        if case .byteFallback = decoder.joining, let byte = TokenDecoder.byte(of: piece) { return [byte] }
        return piece
    }
}
