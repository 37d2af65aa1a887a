import PawlCore
import Testing

@Suite struct JSONTests {
    private func parse(_ text: String) throws -> JSONValue {
        try JSON.parse(Array(text.utf8), source: "file.json")
    }

    @Test("values of every kind are read")
    func values() throws {
        let text = #" {"a":[1,-2.5e3,true,false,null,"x\n\u00e9\ud83d\ude00"],"b":{}} "#
        #expect(try parse(text) == ["a": [1, -2500.0, true, false, .null, "x\né😀"], "b": [:]])
        #expect(try parse("9223372036854775807").int == Int(Int64.max))
        #expect(try parse("9223372036854775808").double == 9223372036854775808)
    }

    @Test(
        "each mistake is named with its line",
        arguments: [
            ("{\"a\":1,\n\"a\":2}", "line 2: not valid JSON: the name \"a\" stands twice"),
            ("[1,]", "line 1: not valid JSON: expected a JSON value"),
            ("{\"a\" 1}", "expected ':' after \"a\""),
            ("[1 2]", "expected ',' or ']'"),
            ("\"abc", "a string without its closing quote"),
            ("\"a\u{01}\"", "a control character inside a string"),
            ("01", "a number must not start with 0"),
            ("1.", "expected a digit"),
            ("1e999", "out of range"),
            ("nul", "expected null"),
            ("{} {}", "text after the end of the JSON value"),
            ("", "unexpected end of the text"),
            (#""\ud800""#, "half of a surrogate pair"),
            (#""\x""#, "unknown escape"),
            (#""\u00g0""#, "four hexadecimal digits"),
        ])
    func mistakes(text: String, message: String) {
        #expect { try parse(text) } throws: { error in
            (error as? PawlError).map {
                $0.message.contains(message) && $0.message.hasPrefix("file.json, line")
            } ?? false
        }
    }

    @Test("deep nesting is an error, not a stack overflow")
    func deep() {
        #expect(throws: PawlError.self) { try parse(String(repeating: "[", count: 100_000)) }
    }

    @Test("bytes that are no UTF-8 are an error")
    func invalidUTF8() {
        #expect(throws: PawlError.self) { try JSON.parse([0x22, 0xFF, 0x22], source: "f") }
    }

    @Test("zero has one form", arguments: ["-0.0", "-0", "0.0", "-0e5", "-8881e-88888888881"])
    func zero(_ text: String) throws {
        let value = try JSON.parse(Array(text.utf8), source: "f")
        #expect(try JSON.canonical(value) == Array("0".utf8))
        #expect(try JSON.canonical(JSONValue.double(-0.0)) == Array("0".utf8))
    }

    @Test("canonical bytes sort names and survive a round trip")
    func canonical() throws {
        let value: JSONValue = ["b": 1, "a": ["x/y", 0.1, 2e-05], "c": .null]
        let bytes = try JSON.canonical(value)
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"a":["x/y",0.1,2e-05],"b":1,"c":null}"#)
        #expect(try JSON.canonical(JSON.parse(bytes, source: "f")) == bytes)
    }

    private struct Record: Decodable {
        var name: String
        var count: Int
        var tags: [String]
    }

    @Test(
        "a wrong field is named with file, line and path",
        arguments: [
            (#"{"name":"x","tags":[]}"#, "f.jsonl, line 2, field count: is missing"),
            (#"{"name":1,"count":1,"tags":[]}"#, "f.jsonl, line 2, field name: must be a string"),
            (#"{"name":"x","count":1,"tags":["a",2]}"#, "f.jsonl, line 2, field tags[1]: must be a string"),
            (#"{"name":"x","count":null,"tags":[]}"#, "f.jsonl, line 2, field count: must be an integer"),
        ])
    func fields(line: String, message: String) {
        let text = "{\"name\":\"ok\",\"count\":1,\"tags\":[]}\n" + line + "\n"
        #expect { try JSON.decodeLines(Record.self, from: Array(text.utf8), source: "f.jsonl") } throws: {
            error in
            (error as? PawlError)?.message.hasPrefix(message) ?? false
        }
    }
}
