import Foundation
import PawlCore
import PawlModel
import Testing

@testable import PawlWorkflow

@Suite("An answer from tokens to text")
struct AnswerTextTests {
    private let chat: Chat
    private static let model = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "registry/engines/conformance/model")

    init() throws {
        chat = try Chat(
            directory: Self.model, configuration: ModelConfiguration(directory: Self.model))
    }

    private static func scored(_ token: Int32) -> ScoredToken {
        ScoredToken(token: token, logProbability: nil, top: [])
    }

    /// Feeds tokens until the answer ends: the texts in parts, all tokens that came out, and whether it ended by itself.
    private func run(_ tokens: [Int32], stops: [String], ends: [Int32] = []) -> (
        parts: [String], tokens: [AnswerToken], isEnded: Bool
    ) {
        var answer = AnswerText(chat.tokenizer, ends: chat.endTokens + ends, stops: stops)
        var parts: [AnswerPart] = []
        for token in tokens where !answer.isEnded { parts.append(answer.append(Self.scored(token))) }
        parts.append(answer.finish())
        return (parts.map(\.text), parts.flatMap(\.tokens), answer.isEnded)
    }

    @Test("ends before the first stop text, wherever tokens divide it")
    func stops() {
        let text = "one two, é and 漢字: three two one"
        let tokens = chat.textTokens(text)
        let scalars = Array(text.unicodeScalars)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let start = Int.random(in: 0..<scalars.count, using: &random)
            let length = Int.random(in: 1...4, using: &random)
            var stop = ""
            stop.unicodeScalars.append(contentsOf: scalars[start..<min(start + length, scalars.count)])
            let (parts, kept, isEnded) = run(tokens, stops: ["nothing", stop])
            let cut = text.range(of: stop, options: .literal)?.lowerBound ?? text.endIndex
            #expect(parts.joined().utf8.elementsEqual(text[..<cut].utf8), "\(stop)")
            #expect(isEnded)
            // Tokens come once, in order, and those of the stop text are none of the answer's.
            #expect(kept.map(\.scored.token) == Array(tokens.prefix(kept.count)), "\(stop)")
            let end = text[..<cut].unicodeScalars.count
            #expect(kept.allSatisfy { $0.isText == ($0.offset < end) }, "\(stop)")
        }
    }

    @Test("comes in whole characters, each token with the text that it begins")
    func parts() {
        let text = "a é 漢 z"
        let (parts, tokens, isEnded) = run(chat.textTokens(text), stops: [])
        #expect(parts.joined() == text && !isEnded)
        #expect(!parts.joined(separator: "|").contains("\u{FFFD}"))
        #expect(tokens.map(\.offset) == tokens.map(\.offset).sorted() && tokens.allSatisfy(\.isText))
        #expect(tokens.map(\.scored.token) == chat.textTokens(text))
    }

    @Test("ends with an end token, which is none of its text")
    func ends() throws {
        let end = try #require(chat.endTokens.first)
        let (parts, tokens, isEnded) = run(chat.textTokens("one two") + [end, 70], stops: ["x"])
        #expect(parts.joined() == "one two" && isEnded)
        #expect(tokens.last?.scored.token == end && tokens.last?.isText == false)
        #expect(tokens.dropLast().allSatisfy { $0.isText })
        let other = chat.textTokens("!")[0]
        #expect(run(chat.textTokens("one") + [other, 70], stops: [], ends: [other]).parts.joined() == "one")
    }

    @Test("gives out at the end what might have become a stop text, and an incomplete character as U+FFFD")
    func rest() {
        let tokens = chat.textTokens("one ST")
        #expect(run(tokens, stops: ["STOP"]).parts.joined() == "one ST")
        #expect(run(tokens, stops: ["STOP"]).parts.dropLast().joined() == "one ")
        let half = chat.textTokens("é").prefix(1)
        #expect(run(chat.textTokens("a") + half, stops: []).parts.joined() == "a\u{FFFD}")
    }
}
