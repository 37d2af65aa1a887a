import Foundation
import PawlCore
import Testing

@testable import PawlModel

/// Files that are damaged, or that ask for what Pawl does not have: one line that names file and field.
@Suite("tokenizer.json")
struct TokenizerFileTests {
    /// A complete small file; tests replace one part of it.
    private static let plain = """
        {"version":"1.0","truncation":null,"padding":null,
        "added_tokens":[{"id":5,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,
        "normalized":false,"special":true}],
        "normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},
        "post_processor":null,"decoder":{"type":"ByteLevel"},
        "model":{"type":"BPE","dropout":null,"unk_token":null,"byte_fallback":false,
        "vocab":{"a":0,"b":1,"c":2,"ab":3,"abc":4},"merges":["a b",["ab","c"]]}}
        """

    private func tokenizer(_ text: String) throws -> Tokenizer {
        try Tokenizer(bytes: Array(text.utf8), file: "x.json")
    }

    @Test("the small file itself is read, with merges of both forms")
    func complete() throws {
        let tokenizer = try tokenizer(Self.plain)
        #expect(tokenizer.encode("abcab<s>b", addSpecialTokens: false) == [4, 3, 5, 1])
        #expect(tokenizer.vocabularySize == 6)
        #expect(tokenizer.decode([4, 5, 1], skipSpecialTokens: true) == "abcb")
    }

    /// What stands in the file, what comes in its place, and what the error must say.
    private static let faults: [(part: String, other: String, message: String)] = [
        ("\"vocab\":{\"a\":0,", "\"vocab\":{\"a\":0,\"a\":9,", "model.vocab: \"a\" stands twice"),
        ("\"b\":1", "\"b\":0", "model.vocab: \"a\" and \"b\" have the same id 0"),
        ("\"b\":1", "\"b\":-1", "field model.vocab: must be an object of tokens and their ids, whole"),
        ("\"b\":1", "\"b\":1.5", "field model.vocab: must be an object of tokens and their ids, whole"),
        ("\"b\":1", "\"b\":\"x\"", "field model.vocab: must be an object of tokens and their ids, whole"),
        ("\"b\":1", "\"b\":99999999", "the id of \"b\", 99999999, is out of range"),
        ("{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"abc\":4}", "{}", "model.vocab: holds no token"),
        ("{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"abc\":4}", "[]", "model.vocab: must be an object"),
        ("[\"ab\",\"c\"]", "[\"ab\",\"d\"]", "model.merges[1]: names the token \"d\", which is not in"),
        ("\"a b\"", "\"b a\"", "model.merges[0]: makes the token \"ba\", which is not in"),
        ("\"a b\"", "\"a b c\"", "model.merges[0]: a merge must be"),
        ("\"a b\"", "7", "model.merges[0]: a merge must be"),
        ("\"model\":", "\"modell\":", "modell: Pawl does not know this field"),
        ("\"vocab\":", "\"vocabulary\":", "model.vocabulary: Pawl does not know this field"),
        ("\"type\":\"BPE\"", "\"type\":\"Unigram\"", "model.type: \"Unigram\" is no model that Pawl has"),
        ("\"dropout\":null", "\"dropout\":0.1", "model.dropout: Pawl encodes without dropout"),
        ("\"unk_token\":null", "\"unk_token\":\"?\"", "model.unk_token: \"?\" is not in model.vocab"),
        ("\"byte_fallback\":false", "\"byte_fallback\":true", "model.byte_fallback: byte fallback together"),
        (
            "\"dropout\":null", "\"end_of_word_suffix\":\"</w>\"",
            "model.end_of_word_suffix: Pawl knows no such affixes"
        ),
        ("\"truncation\":null", "\"truncation\":{}", "truncation: Pawl neither cuts nor pads text"),
        ("\"version\":\"1.0\"", "\"version\":\"2.0\"", "version: Pawl reads version \"1.0\""),
        ("\"normalizer\":null", "\"normalizer\":{\"type\":\"NFKC\"}", "normalizer.type: \"NFKC\" is no"),
        (
            "\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\",\"more\":1}",
            "normalizer.more: Pawl does not know this field"
        ),
        (
            "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}",
            "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Whitespace\"}]}",
            "pre_tokenizer.pretokenizers[0].type: \"Whitespace\" is no pre-tokenizer"
        ),
        (
            "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}",
            "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\w+\"},\"behavior\":\"Isolated\",\"invert\":false}",
            "pre_tokenizer.pattern.Regex: \"\\w\" at character 3 of the expression"
        ),
        ("{\"type\":\"ByteLevel\"}", "{\"type\":\"WordPiece\"}", "decoder.type: \"WordPiece\" is no decoder"),
        ("{\"type\":\"ByteLevel\"}", "null", "decoder: is missing"),
        (
            "\"post_processor\":null", "\"post_processor\":{\"type\":\"RobertaProcessing\"}",
            "post_processor.type"
        ),
        ("\"id\":5", "\"id\":4", "added_tokens[0].id: \"<s>\" has the id 4, but it must be 5"),
        ("\"id\":5", "\"id\":-5", "added_tokens[0].id: must be an integer"),
        ("\"content\":\"<s>\"", "\"content\":\"\"", "added_tokens[0].content: must not be empty"),
        ("\"special\":true", "\"special\":1", "added_tokens[0].special: must be true or false"),
        ("\"lstrip\":false,", "", "added_tokens[0].lstrip: is missing"),
        ("\"padding\":null,\n", "\"padding\":null,\n\n,", "x.json, line 3: not valid JSON"),
        ("\"merges\":[", "\"merges\":", "x.json, line"),
    ]

    @Test("what is wrong is named, with its field, in one line", arguments: faults.indices)
    func faulty(_ index: Int) throws {
        let fault = Self.faults[index]
        let text = Self.plain.replacing(fault.part, with: fault.other, maxReplacements: 1)
        try #require(text != Self.plain)
        let error = try #require(throws: PawlError.self) { try tokenizer(text) }
        #expect(error.message.hasPrefix("x.json"), "\(error.message)")
        #expect(error.message.contains(fault.message), "\(error.message)")
        #expect(!error.message.contains("\n"))
    }

    @Test("no file, no JSON, no UTF-8, and every cut of a file are errors")
    func unreadable() throws {
        let nowhere = FileManager.default.temporaryDirectory.appending(path: "pawl-no-such-directory")
        #expect(throws: PawlError.self) { try Tokenizer(directory: nowhere) }
        for text in ["", "no", "[]", "{}", "{\"model\":{}}", "{\"model\":[]}", "{\"model\":{\"vocab\":{"] {
            #expect(throws: PawlError.self) { try tokenizer(text) }
        }
        let bytes = Array(Self.plain.utf8)
        for count in bytes.indices {
            #expect(throws: PawlError.self) { try Tokenizer(bytes: Array(bytes[..<count]), file: "x") }
        }
        var damaged = bytes
        damaged[bytes.count / 2] = 0xFF
        #expect(throws: PawlError.self) { try Tokenizer(bytes: damaged, file: "x") }
    }

    @Test("tokens that only canonical equivalence makes equal stay apart")
    func equivalentTokens() throws {
        let text = """
            {"added_tokens":[],"decoder":{"type":"Fuse"},
            "model":{"type":"BPE","vocab":{"\u{E9}":0,"e":1,"\u{301}":2,"e\u{301}":3,"\u{212B}":4,"\u{C5}":5},
            "merges":["e \u{301}"]}}
            """
        let tokenizer = try tokenizer(text)
        #expect(tokenizer.encode("\u{E9}e\u{301}\u{212B}\u{C5}", addSpecialTokens: false) == [0, 3, 4, 5])
        #expect(tokenizer.token("e\u{301}") == 3)
    }
}
