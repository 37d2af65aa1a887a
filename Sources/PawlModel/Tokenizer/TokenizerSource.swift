internal import PawlCore

/// tokenizer.json taken apart: the small settings as a JSON value, the two large tables as byte ranges.
///
/// The tables never become dictionaries of strings. That keeps loading quick, and it is needed: Swift
/// compares strings by canonical equivalence, so a vocabulary that holds both a composed and a decomposed
/// form of one character would lose a token.
struct TokenizerSource {
    /// The file's bytes.
    let bytes: [UInt8]
    /// The file with both tables replaced by empty ones.
    let settings: TokenizerField
    /// Where the value of `model.vocab` stands.
    let vocabulary: Range<Int>?
    /// Where the value of `model.merges` stands.
    let merges: Range<Int>?

    /// Reads the outline of a file. Throws when it is no JSON or holds a name twice.
    init(bytes: [UInt8], file: String) throws {
        let tables: [String: Range<Int>]
        do {
            tables = try bytes.withUnsafeBufferPointer { buffer in
                var scanner = JSONScanner(bytes: buffer)
                return try scanner.ranges(of: ["vocab", "merges"], inside: "model")
            }
        } catch is JSONScanner.Failure {
            // The strict parser says what is wrong, and where.
            _ = try JSON.parse(bytes, source: file)
            throw PawlError(.invalidArgument, "\(file): not valid JSON")
        }
        guard bytes.withUnsafeBytes({ String(validating: $0, as: UTF8.self) }) != nil else {
            throw PawlError(.invalidArgument, "\(file): not valid UTF-8")
        }
        var outline = bytes
        for range in tables.values {
            // Line feeds stay, so that the parser's line numbers are those of the file.
            for index in range where outline[index] != 0x0A { outline[index] = 0x20 }
            outline[range.lowerBound] = UInt8(ascii: "0")
        }
        self.bytes = bytes
        settings = TokenizerField(value: try JSON.parse(outline, source: file), path: "", file: file)
        vocabulary = tables["vocab"]
        merges = tables["merges"]
    }
}
