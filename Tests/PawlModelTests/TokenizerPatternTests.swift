import PawlCore
import Testing

@testable import PawlModel

/// Expressions for Oniguruma, given to PCRE2.
@Suite("Expressions of pre-tokenizers")
struct TokenizerPatternTests {
    private let field = TokenizerField(value: .null, path: "pattern", file: "x.json")

    private func matches(_ expression: String, _ text: String) throws -> [String] {
        let pattern = try Pattern(expression, at: field)
        let bytes = Array(text.utf8)
        var found: [String] = []
        bytes.withUnsafeBufferPointer { buffer in
            pattern.matches(in: buffer, PatternMatcher()) { range in
                found.append(String(decoding: buffer[range], as: UTF8.self))
            }
        }
        return found
    }

    @Test("what means the same to both is taken")
    func taken() throws {
        #expect(try matches(#"\p{N}{1,3}"#, "12345x٣٤") == ["123", "45", "٣٤"])
        #expect(try matches(#"(?i:'s|'ll)"#, "it'S we'LL he'\u{17F}") == ["'S", "'LL", "'\u{17F}"])
        #expect(try matches(#"[^\s\p{L}]+"#, "ab12 .c") == ["12", "."])
        #expect(try matches(#"\s+(?!\S)|\s+"#, "a   b ") == ["  ", " ", " "])
        #expect(try matches(#"[\r\n]+|[a-c\-]"#, "-\r\nb") == ["-", "\r\n", "b"])
        #expect(try matches(#"(ab|\x{e9})+?"#, "ababé") == ["ab", "ab", "é"])
        #expect(try matches("[一-龥]+", "ab語彙c") == ["語彙"])
        #expect(try matches("a.c#", "abc# a\nc#") == ["abc#"])
    }

    @Test("white space is Unicode's, not PCRE2's")
    func whiteSpace() throws {
        #expect(
            try matches(#"\s"#, "\u{85}\u{A0}\u{180E}\u{3000}\u{200B}") == ["\u{85}", "\u{A0}", "\u{3000}"])
    }

    @Test("characters are those of the reference's Unicode version, whatever PCRE2 knows")
    func versions() throws {
        // Letters of Unicode 15, 16 (three bytes) and 16 (four); the last is of 17, unassigned to the reference.
        #expect(
            try matches(#"\p{L}"#, "\u{11F02}\u{A7CB}\u{105C0}\u{323B0}") == [
                "\u{11F02}", "\u{A7CB}", "\u{105C0}",
            ])
        #expect(try matches(#"[^\p{L}]"#, "\u{11F02}\u{323B0}") == ["\u{323B0}"])
    }

    @Test(
        "what may differ is refused",
        arguments: [
            #"\w+"#, #"\bx"#, "^a", "a$", "[[a]]", "[a&&b]", #"[\S]"#, #"\p{Han}"#, #"\p{Alnum}"#, "(?<n>a)",
            "a{1,2}+", "a+*", "(?i:ss)", "(?i:é)", "(?i:[a])", #"\pL"#, "a*", "x|", #"(a)\1"#, "[]a]",
            "a{,2}", "(?m)a",
            "(a", #"a\"#, "[a", "a{2", #"\x{110000}"#, #"\p{L"#,
        ])
    func refused(_ expression: String) throws {
        let error = try #require(throws: PawlError.self) { try Pattern(expression, at: field) }
        #expect(error.message.hasPrefix("x.json, field pattern: "), "\(error.message)")
    }
}
