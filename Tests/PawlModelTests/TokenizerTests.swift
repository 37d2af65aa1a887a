import Foundation
import PawlCore
import Testing

@testable import PawlModel

/// The committed tokenizers of tools/fixtures/tokenizers, with what the `tokenizers` package makes of them.
struct TokenizerFixture {
    struct Line {
        let text: String
        let ids: [Int32]
        let withSpecial: [Int32]
        let decoded: String
    }

    struct Sequence {
        let ids: [Int32]
        let decoded: String
        let skipped: String
    }

    static let families = ["gpt2", "smollm2", "llama3", "qwen2", "llama2", "mistral", "metaspace", "flags"]
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/tokenizers")

    let cases: JSONValue

    init(_ family: String) throws {
        let file = Self.root.appending(path: "\(family)/cases.json")
        cases = try JSON.parse(try Files.read(file), source: file.path)
    }

    static func tokenizer(_ family: String) throws -> Tokenizer {
        try Tokenizer(directory: root.appending(path: family))
    }

    func lines() throws -> [Line] {
        try #require(cases["lines"]?.array).map { line in
            let ids = try Self.ids(line["ids"])
            return Line(
                text: try #require(line["text"]?.string), ids: ids,
                withSpecial: try line["with_special"].map { try Self.ids($0) } ?? ids,
                decoded: try #require(line["decoded"]?.string))
        }
    }

    func sequences() throws -> [Sequence] {
        try #require(cases["sequences"]?.array).map { sequence in
            Sequence(
                ids: try Self.ids(sequence["ids"]), decoded: try #require(sequence["decoded"]?.string),
                skipped: try #require(sequence["skipped"]?.string))
        }
    }

    private static func ids(_ value: JSONValue?) throws -> [Int32] {
        try #require(value?.array).map { Int32(try #require($0.int)) }
    }

    /// Compares everything; strings by their bytes, since Swift's `==` takes é and e + ´ for the same.
    func check(_ tokenizer: Tokenizer) throws {
        for line in try lines() {
            let ids = tokenizer.encode(line.text, addSpecialTokens: false)
            #expect(ids == line.ids, "\(line.text.debugDescription)")
            let special = tokenizer.encode(line.text, addSpecialTokens: true)
            #expect(special == line.withSpecial, "\(line.text.debugDescription)")
            let decoded = tokenizer.decode(line.ids, skipSpecialTokens: false)
            #expect(Array(decoded.utf8) == Array(line.decoded.utf8), "\(line.ids)")
        }
        for sequence in try sequences() {
            let decoded = tokenizer.decode(sequence.ids, skipSpecialTokens: false)
            #expect(Array(decoded.utf8) == Array(sequence.decoded.utf8), "\(sequence.ids)")
            let skipped = tokenizer.decode(sequence.ids, skipSpecialTokens: true)
            #expect(Array(skipped.utf8) == Array(sequence.skipped.utf8), "\(sequence.ids)")
        }
    }
}

@Suite("The tokenizer")
struct TokenizerTests {
    @Test("gives the ids and texts of the reference", arguments: TokenizerFixture.families)
    func reference(_ family: String) throws {
        try TokenizerFixture(family).check(try TokenizerFixture.tokenizer(family))
    }

    @Test(
        "gives the reference's ids with SmolLM2's own file",
        .enabled(
            if: ProcessInfo.processInfo.environment["PAWL_BASE_MODEL"] != nil,
            "PAWL_BASE_MODEL names no directory with SmolLM2"))
    func base() throws {
        let directory = try #require(ProcessInfo.processInfo.environment["PAWL_BASE_MODEL"])
        let file = URL(filePath: directory).appending(path: "tokenizer.json")
        let fixture = try TokenizerFixture("smollm2-own")
        let digest = "\(Digest(of: try Files.read(file)))"
        try #require(fixture.cases["tokenizer_sha256"]?.string == digest, "another tokenizer.json")
        let tokenizer = try Tokenizer(directory: URL(filePath: directory))
        #expect(tokenizer.vocabularySize == 49152)
        try fixture.check(tokenizer)
    }

    @Test("finds tokens by their spelling, added ones first")
    func spellings() throws {
        let tokenizer = try TokenizerFixture.tokenizer("llama3")
        let begin = try #require(tokenizer.token("<|begin_of_text|>"))
        #expect(tokenizer.encode("", addSpecialTokens: true) == [begin])
        #expect(tokenizer.encode("", addSpecialTokens: false) == [])
        #expect(tokenizer.token("Ġthe") != nil)
        #expect(tokenizer.token("no such token") == nil)
        #expect(tokenizer.vocabularySize == 2465)
    }

    @Test("ignores ids that no token has")
    func unknownIDs() throws {
        let tokenizer = try TokenizerFixture.tokenizer("gpt2")
        let ids = tokenizer.encode("a b", addSpecialTokens: false)
        #expect(tokenizer.decode([-1] + ids + [Int32.max, 2400], skipSpecialTokens: false) == "a b")
    }

    @Test("streams what it decodes, a whole character at a time", arguments: TokenizerFixture.families)
    func streams(_ family: String) throws {
        let tokenizer = try TokenizerFixture.tokenizer(family)
        for line in try TokenizerFixture(family).lines() {
            if line.decoded.unicodeScalars.contains("\u{FFFD}") { continue }
            var stream = StreamDecoder(tokenizer, skipSpecialTokens: false)
            var text = ""
            for id in line.ids {
                let part = stream.append(id)
                #expect(!part.unicodeScalars.contains("\u{FFFD}"), "\(line.text.debugDescription)")
                text += part
            }
            text += stream.finish()
            #expect(Array(text.utf8) == Array(line.decoded.utf8), "\(line.text.debugDescription)")
        }
    }

    @Test("a stream holds the bytes of a character back until it is whole", arguments: ["gpt2", "llama2"])
    func wholeCharacters(_ family: String) throws {
        let tokenizer = try TokenizerFixture.tokenizer(family)
        let ids = tokenizer.encode("🫠", addSpecialTokens: false)
        #expect(ids.count > 1)
        var stream = StreamDecoder(tokenizer, skipSpecialTokens: true)
        let parts = ids.map { stream.append($0) }
        #expect(parts.dropLast().joined() == "")
        #expect(parts.last == "🫠")
        #expect(stream.finish() == "")
    }

    @Test("a stream that ends inside a character says so")
    func brokenEnd() throws {
        let tokenizer = try TokenizerFixture.tokenizer("gpt2")
        var stream = StreamDecoder(tokenizer, skipSpecialTokens: true)
        let ids = tokenizer.encode("a🫠", addSpecialTokens: false).dropLast()
        #expect(ids.map { stream.append($0) }.joined() == "a")
        #expect(stream.finish() == "\u{FFFD}")
    }

    @Test(
        "takes long lines in stride", .timeLimit(.minutes(1)),
        arguments: ["gpt2", "llama3", "llama2", "mistral", "flags"])
    func longLines(_ family: String) throws {
        let tokenizer = try TokenizerFixture.tokenizer(family)
        for part in ["ab", " ", "<", "word "] {
            let text = String(repeating: part, count: 40_000)
            let ids = tokenizer.encode(text, addSpecialTokens: false)
            #expect(!ids.isEmpty)
        }
    }

    @Test("several threads may share one")
    func threads() throws {
        let tokenizer = try TokenizerFixture.tokenizer("qwen2")
        let lines = try TokenizerFixture("qwen2").lines()
        DispatchQueue.concurrentPerform(iterations: 4) { index in
            for line in lines[(index * 40)...] {
                #expect(tokenizer.encode(line.text, addSpecialTokens: false) == line.ids)
            }
        }
    }
}

@Suite("Bytes of tokens")
struct TokenBytesTests {
    @Test("The bytes of a text's tokens are the text's", arguments: TokenizerFixture.families)
    func whole(family: String) throws {
        let tokenizer = try TokenizerFixture.tokenizer(family)
        for line in try TokenizerFixture(family).lines() {
            let bytes = line.ids.flatMap { tokenizer.bytes(of: $0) ?? [] }
            // What some families put before a text and cut off again.
            let texts = [String(decoding: bytes, as: UTF8.self), line.decoded].map {
                Array($0.utf8.drop { $0 == 0x20 })
            }
            #expect(texts[0] == texts[1], "\(line.text)")
        }
        #expect(tokenizer.bytes(of: -1) == nil && tokenizer.bytes(of: 1 << 20) == nil)
    }
}
