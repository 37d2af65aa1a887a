import PawlCore
import Testing

@testable import PawlGate

struct GraderCase: Sendable, CustomTestStringConvertible {
    let grader: String
    let target: String
    let response: String
    let score: Double

    init(_ grader: String, _ target: String, _ response: String, _ score: Double) {
        (self.grader, self.target, self.response, self.score) = (grader, target, response, score)
    }

    var testDescription: String { "\(grader) \(target) | \(response) -> \(score)" }
}

private let all = #"["trim","lowercase","strip_punctuation","strip_articles","collapse_whitespace"]"#
private func exact(_ normalisers: String) -> String {
    #"{"kind":"exact_match","normalisers":"# + normalisers + "}"
}
private let regex = #"{"kind":"regex","pattern":"Answer: (.*)","normalisers":["trim"]}"#
private let call = #"{"kind":"function_call"}"#
private let weather = #"{"name":"weather","arguments":{"city":"Oslo","days":5,"tags":["a","b"]}}"#

private let cases: [GraderCase] = [
    // exact_match and its normalisers
    .init(#"{"kind":"exact_match"}"#, "Paris", "Paris", 1),
    .init(#"{"kind":"exact_match"}"#, "Paris", " Paris", 0),
    .init(#"{"kind":"exact_match"}"#, "caf\u{E9}", "cafe\u{301}", 1),
    .init(exact(#"["trim"]"#), "Paris", "\n Paris \t\n", 1),
    .init(exact(#"["lowercase"]"#), "Paris", "PARIS", 1),
    .init(exact(#"["strip_punctuation"]"#), "Paris", "“Paris”!", 1),
    .init(exact(#"["strip_punctuation"]"#), "5", "$5", 1),
    .init(exact(#"["strip_punctuation"]"#), "don't", "dont", 1),
    .init(exact(#"["collapse_whitespace"]"#), "New York", "New \n\t York", 1),
    .init(exact(#"["collapse_whitespace"]"#), "Paris", " Paris", 0),
    .init(exact(#"["first_line"]"#), "Paris", "\n \nParis\nFrance", 1),
    .init(exact(#"["first_line"]"#), "Paris", "Paris\r\nFrance", 1),
    .init(exact(#"["first_line"]"#), "Paris", "\n\n", 0),
    .init(exact(#"["strip_articles"]"#), "cat sat on mat", "the cat sat on The mat", 1),
    .init(exact(#"["strip_articles"]"#), "theme another", "theme another", 1),
    .init(exact(#"["strip_articles"]"#), "Hague", "The Hague", 1),
    .init(exact(all), "Eiffel Tower", " The  Eiffel Tower. ", 1),
    .init(exact(all), "Eiffel Tower", "Eiffel Towers", 0),
    // contains
    .init(#"{"kind":"contains"}"#, "Paris", "It is Paris, of course", 1),
    .init(#"{"kind":"contains"}"#, "paris", "It is Paris", 0),
    .init(#"{"kind":"contains","normalisers":["lowercase"]}"#, "PARIS", "It is Paris", 1),
    .init(#"{"kind":"contains"}"#, "a\nb", "xa\nb\r\n", 1),
    .init(#"{"kind":"contains"}"#, "long target", "short", 0),
    // regex
    .init(regex, "42", "So.\nAnswer: 42 \nBye", 1),
    .init(regex, "42", "Answer: 43", 0),
    .init(regex, "42", "no such line", 0),
    .init(#"{"kind":"regex","pattern":"^\\s*\\d+$"}"#, "12", "12", 1),
    .init(#"{"kind":"regex","pattern":"(a)|(b)","group":2}"#, "b", "a b", 0),
    .init(#"{"kind":"regex","pattern":"(a)(b)","group":0}"#, "ab", "xab", 1),
    // numeric
    .init(#"{"kind":"numeric"}"#, "42", "First 7, then 42.", 1),
    .init(#"{"kind":"numeric"}"#, "42", "42 and then 7", 0),
    .init(#"{"kind":"numeric"}"#, "1234.5", "$1,234.50", 1),
    .init(#"{"kind":"numeric"}"#, "-3", "x = -3", 1),
    .init(#"{"kind":"numeric"}"#, "-3", "x = \u{2212}3", 1),
    .init(#"{"kind":"numeric"}"#, "4", "3-4", 1),
    .init(#"{"kind":"numeric"}"#, "0.5", ".5", 1),
    .init(#"{"kind":"numeric"}"#, "1500", "1.5e3", 1),
    .init(#"{"kind":"numeric"}"#, "5", "none", 0),
    .init(#"{"kind":"numeric","tolerance":0.01}"#, "1", "1.01", 1),
    .init(#"{"kind":"numeric","tolerance":0.01}"#, "1", "1.011", 0),
    .init(#"{"kind":"numeric","tolerance":0.1,"relative":true}"#, "200", "220", 1),
    .init(#"{"kind":"numeric","tolerance":0.1,"relative":true}"#, "200", "221", 0),
    // json_equality
    .init(#"{"kind":"json_equality"}"#, #"{"a":1,"b":[1,2]}"#, #" {"b":[1.0,2],"a":1e0} "#, 1),
    .init(#"{"kind":"json_equality"}"#, #"[1,2]"#, "[2,1]", 0),
    .init(#"{"kind":"json_equality"}"#, #"{"a":1}"#, #"{"a":1,"b":2}"#, 0),
    .init(#"{"kind":"json_equality"}"#, #"{"a":1}"#, #"{"a":true}"#, 0),
    .init(#"{"kind":"json_equality"}"#, #"{"a":1}"#, #"{"a":1} done"#, 0),
    .init(#"{"kind":"json_equality"}"#, "true", "```true```", 1),
    .init(#"{"kind":"json_equality"}"#, "9007199254740993", "9007199254740992.0", 0),
    // function_call
    .init(call, weather, weather, 1),
    .init(call, weather, #"{"arguments":{"tags":["a","b"],"days":5.0,"city":"Oslo"},"name":"weather"}"#, 1),
    .init(call, weather, "```json\n\(weather)\n```\n", 1),
    .init(call, weather, "  ```\n\(weather)```", 1),
    .init(call, weather, "```json \(weather)```", 1),
    .init(call, weather, "Here: \(weather)", 0),
    .init(call, weather, "\(weather)\nThat is all.", 0),
    .init(call, weather, "```json\n```json\n\(weather)\n```\n```", 0),
    .init(call, weather, "[\(weather)]", 0),
    .init(call, weather, #"{"name":"weather","arguments":{"city":"Oslo","days":"5","tags":["a","b"]}}"#, 0),
    .init(call, weather, #"{"name":"weather","arguments":{"city":"Oslo","days":5,"tags":["b","a"]}}"#, 0),
    .init(call, weather, #"{"name":"weather","arguments":{"city":"Oslo","days":5}}"#, 0),
    .init(call, weather, #"{"name":"Weather","arguments":{"city":"Oslo","days":5,"tags":["a","b"]}}"#, 0),
    .init(
        call, weather,
        #"{"name":"weather","arguments":{"city":"Oslo","city":"Oslo","days":5,"tags":["a","b"]}}"#, 0),
    .init(
        call, weather, #"{"id":1,"name":"weather","arguments":{"city":"Oslo","days":5,"tags":["a","b"]}}"#, 0),
    .init(call, weather, #"{"name":"weather","arguments":{"city":"Oslo""#, 0),
    // token_f1
    .init(#"{"kind":"token_f1"}"#, "the red fox", "the red fox", 1),
    .init(#"{"kind":"token_f1"}"#, "the red fox", "red", 0.5),
    .init(#"{"kind":"token_f1"}"#, "red", "red red red", 0.5),
    .init(#"{"kind":"token_f1"}"#, "red", "", 0),
    .init(#"{"kind":"token_f1","normalisers":["lowercase","strip_articles"]}"#, "The fox", "fox", 1),
]

@Suite("Graders")
struct GraderTests {
    @Test("A response gets its score", arguments: cases)
    func score(_ row: GraderCase) throws {
        let grader = try JSON.decode(Grader.self, from: Array(row.grader.utf8), source: "grader")
        #expect(try grader.score(row.response, targets: [row.target]) == row.score)
        let again = try JSON.decode(Grader.self, from: JSON.canonical(grader), source: "grader")
        #expect(again == grader)
    }

    @Test("The best of several targets counts")
    func severalTargets() throws {
        #expect(try Grader.exactMatch([]).score("b", targets: ["a", "b"]) == 1)
        #expect(try Grader.tokenF1([]).score("a b", targets: ["x", "a"]) == 2.0 / 3)
    }

    @Test("A pattern without targets needs a match only")
    func patternAlone() throws {
        let grader = Grader.regex(pattern: "^[a-z]+$", group: 0, [])
        #expect(try grader.score("abc", targets: []) == 1)
        #expect(try grader.score("ABC", targets: []) == 0)
    }

    @Test(
        "Multiple choice takes the highest log-likelihood, by its length where asked; of equal ones the first",
        arguments: [
            ("none", [-3.0, -2.0, -9.0], 1), ("none", [-2.0, -2.0, -2.0], 0),
            ("none", [-5.0, -2.0, -2.0], 1),
            ("bytes", [-3.0, -2.0, -9.0], 2), ("tokens", [-3.0, -2.0, -2.2], 2),
        ])
    func multipleChoice(normalisation: String, logLikelihoods: [Double], chosen: Int) throws {
        let suite = try suite(
            grader: #"{"kind":"multiple_choice","normalisation":"\#(normalisation)"}"#,
            items: [
                #"{"id":"a","prompt":"q","choices":["x","y","a much longer choice"],"answer":\#(chosen)}"#
            ])
        let answer = ItemAnswer(id: "a", outcome: .logLikelihoods(logLikelihoods, tokens: [1, 1, 4]))
        let result = try #require(try suite.grade([answer]).results.first)
        #expect(result.chosen == chosen)
        #expect(result.score == 1)
    }
}
